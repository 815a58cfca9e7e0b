"""Room on the disk: looked at before long work begins, and named when it ran out all the same."""

from __future__ import annotations

import shutil
from pathlib import Path

from customers.errors import BadInput

_FULL = (
    "no space left",
    "enospc",
    "disk full",
    "database or disk is full",
    "not enough space",
    "out of disk",
)


def require(folder: Path, needed: int, what: str) -> None:
    """Raise BadInput unless the disk that will hold `folder` has `needed` bytes free for `what`."""
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < needed:
        raise BadInput(
            f"{what} needs about {needed / 1e6:,.0f} MB in {folder}, and {free / 1e6:,.0f} MB are free; make room and run it again"
        )


def is_full(error: BaseException) -> bool:
    """Whether an error says that the disk is full."""
    text = str(error).lower()
    return getattr(error, "errno", None) == 28 or any(sign in text for sign in _FULL)
