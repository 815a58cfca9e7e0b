"""A file on its way: checksum, lock, room on the disk, and what is already there."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from download.errors import DiskFull, DownloadError, WrongChecksum


@dataclass(frozen=True, slots=True)
class Published:
    """A published file: its size in bytes and SHA-256 (hex)."""

    bytes: int
    sha256: str


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def matches(path: Path, published: Published) -> bool:
    return path.is_file() and path.stat().st_size == published.bytes and sha256_of(path) == published.sha256


def verify(path: Path, published: Published, name: str) -> None:
    size = path.stat().st_size
    if size == published.bytes and sha256_of(path) == published.sha256:
        return
    path.unlink()
    raise WrongChecksum(
        f"{name} is not the published file (wrong checksum, {size:,} of {published.bytes:,} bytes); "
        "it was removed: run again, or check who serves your downloads."
    )


def finish(partial: Path, target: Path, published: Published) -> None:
    journal = _journal(partial)
    try:
        verify(partial, published, target.name)
    except WrongChecksum:
        journal.unlink(missing_ok=True)
        raise
    os.replace(partial, target)
    journal.unlink(missing_ok=True)


def partial_of(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def _journal(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def journal_read(partial: Path) -> tuple[int, int]:
    """How many parts are joined, and their bytes; nothing where the record or the bytes are missing."""
    try:
        record = json.loads(_journal(partial).read_text())
        parts, size = int(record["parts"]), int(record["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
    whole = partial.exists() and partial.stat().st_size >= size
    return (parts, size) if whole else (0, 0)


def journal_write(partial: Path, parts: int, size: int) -> None:
    fresh = _journal(partial).with_suffix(".new")
    fresh.write_text(json.dumps({"parts": parts, "bytes": size}))
    os.replace(fresh, _journal(partial))


def need_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"{folder} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed; free some space, "
            "or set SHOPKEEPER_CACHE to a folder on another disk."
        )


@contextlib.contextmanager
def translated(target: Path, size: int) -> Iterator[None]:
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
def one_at_a_time(target: Path, quiet: bool) -> Iterator[None]:
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
