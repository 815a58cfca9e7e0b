"""Versions of a built shop: a new directory each build, and one file that names the current one.

    shop/CURRENT              "0003"
    shop/versions/0003/       a finished build
    shop/versions/0004.partial/   a build under way, or one that was killed

A reader follows CURRENT, which is replaced atomically, so it never sees half a build.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from customers.errors import BadInput, NotBuilt

_KEPT = 2


def current(shop_dir: Path) -> Path:
    """Directory of the current version. Raises NotBuilt where there is none."""
    found = find_current(shop_dir)
    if found is None:
        raise NotBuilt(f"{shop_dir} holds no finished build; run `shopkeeper build` first")
    return found


def find_current(shop_dir: Path) -> Path | None:
    """As `current`, or None."""
    try:
        name = (shop_dir / "CURRENT").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    version = shop_dir / "versions" / name
    return version if name and version.is_dir() else None


@contextmanager
def build_lock(shop_dir: Path) -> Iterator[None]:
    """Held while a build runs; the system frees it when the process ends, however it ends.
    Raises BadInput when another build holds it."""
    shop_dir.mkdir(parents=True, exist_ok=True)
    with (shop_dir / "build.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"another build of {shop_dir} is running; wait until it has ended") from None
        yield


def begin(shop_dir: Path) -> Path:
    """An empty directory for the next version; what killed builds left behind is removed."""
    versions = shop_dir / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    for leftover in versions.glob("*.partial"):
        shutil.rmtree(leftover)
    last = max((int(path.name) for path in versions.iterdir() if path.name.isdigit()), default=0)
    partial = versions / f"{last + 1:04d}.partial"
    partial.mkdir()
    return partial


def publish(shop_dir: Path, partial: Path) -> Path:
    """Make a finished version the current one and remove versions older than the one before it."""
    previous = find_current(shop_dir)
    version = partial.with_name(partial.name.removesuffix(".partial"))
    os.rename(partial, version)
    _sync_directory(version.parent)
    draft = shop_dir / "CURRENT.partial"
    with draft.open("w", encoding="ascii") as handle:
        handle.write(version.name + "\n")
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(draft, shop_dir / "CURRENT")
    _sync_directory(shop_dir)
    _remove_old(version.parent, keep={version, previous} - {None})
    return version


def _remove_old(versions: Path, keep: set[Path | None]) -> None:
    finished = sorted(path for path in versions.iterdir() if path.name.isdigit() and path not in keep)
    for path in finished[: max(0, len(finished) + len(keep) - _KEPT)]:
        shutil.rmtree(path)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
