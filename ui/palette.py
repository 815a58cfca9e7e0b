"""The page's colours for data: calm, told apart by people who see colours differently.

Paul Tol's "muted" qualitative scheme (Technical note SRON/EPS/TN/09-002, issue 3.2).
"""

from __future__ import annotations

ACCENT = "#2f7f79"
ACCENT_PALE = "#a9cfca"
GREY = "#9aa5b1"
MIDDLE = "#ddaa33"
_SEGMENTS = (
    "#4477aa",
    "#44aa99",
    "#cc6677",
    "#ddaa33",
    "#882255",
    "#117733",
    "#88ccee",
    "#aa4499",
    "#999933",
    "#332288",
)


def segment_colour(index: int) -> str:
    """Return the colour of the segment at `index` of the shop's list, the same on every plot."""
    return _SEGMENTS[index % len(_SEGMENTS)]
