"""Plots of the data-quality page as inline SVG: no script, no font and no file beside the page.

Colours come from the page's style sheet by class. Every text is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

_WIDTH, _LABEL, _ROW, _PAD = 760, 230, 26, 8
_HEIGHT, _LEFT, _FOOT = 220, 64, 34

# One part of a bar: style class, size, what a pointer that rests on it is told.
Part = tuple[str, float, str]


def bars(rows: Sequence[tuple[str, Sequence[Part], str]], title: str) -> str:
    """Return lying bars of stacked parts, one a row: (label, parts, figure at its end)."""
    most = max((sum(size for _, size, _ in parts) for _, parts, _ in rows), default=0) or 1.0
    room = _WIDTH - _LABEL - 120
    drawn = []
    for place, (label, parts, figure) in enumerate(rows):
        top, at = place * _ROW + _PAD, float(_LABEL)
        drawn.append(f'<text x="{_LABEL - 8}" y="{top + 14}" class="end">{escape(_short(label))}</text>')
        for style, size, told in parts:
            wide = max(size / most * room, 1.0 if size else 0.0)
            drawn.append(_rect(style, at, top, wide, _ROW - 8, told))
            at += wide
        drawn.append(f'<text x="{at + 6:.1f}" y="{top + 14}">{escape(figure)}</text>')
    return _svg(drawn, len(rows) * _ROW + 2 * _PAD, title)


def columns(
    values: Sequence[tuple[str, Sequence[Part]]],
    title: str,
    marks: Sequence[tuple[float, str]] = (),
    scale: bool = True,
) -> str:
    """Return standing columns of stacked parts from left to right, the first and last labelled.

    `marks` are dashed lines at a place (0 the first column's left edge, 1 the last one's right) with
    a label each. Without `scale` the axis carries no figures (sizes are squeezed).
    """
    most = max((sum(size for _, size, _ in parts) for _, parts in values), default=0) or 1.0
    room, high = _WIDTH - _LEFT - 16, _HEIGHT - _FOOT - 20
    wide = room / max(len(values), 1)
    drawn = [_line(_LEFT, 20 + high, _WIDTH - 16, 20 + high, "axis")]
    if scale:
        drawn.append(f'<text x="{_LEFT - 8}" y="26" class="end">{most:,.0f}</text>')
        drawn.append(f'<text x="{_LEFT - 8}" y="{20 + high}" class="end">0</text>')
    for place, (_, parts) in enumerate(values):
        foot = 20.0 + high
        for style, size, told in parts:
            tall = max(size / most * high, 1.0 if size else 0.0)
            foot -= tall
            drawn.append(_rect(style, _LEFT + place * wide, foot, max(wide - 0.4, 0.4), tall, told))
    for place in _labelled(len(values)):
        middle = _LEFT + (place + 0.5) * wide
        last = place and place == len(values) - 1
        anchor, x = ("end", _WIDTH - 16) if last else ("mid", middle)
        label = escape(values[place][0])
        drawn.append(f'<text x="{x:.1f}" y="{_HEIGHT - 16}" class="{anchor}">{label}</text>')
    for at, label in marks:
        x = _LEFT + at * room
        drawn.append(_line(x, 14, x, 20 + high, "fence"))
        drawn.append(f'<text x="{x - 4:.1f}" y="12" class="end fence-label">{escape(label)}</text>')
    return _svg(drawn, _HEIGHT, title)


def squeezed(kept: int, aside: int) -> tuple[float, float]:
    """Return sizes whose sum is the logarithm of the rows, shared as the rows are."""
    rows = kept + aside
    tall = math.log1p(rows)
    return (tall * kept / rows, tall * aside / rows) if rows else (0.0, 0.0)


def _labelled(many: int) -> list[int]:
    if not many:
        return []
    return sorted({round(part * (many - 1) / 4) for part in range(5)})


def _rect(style: str, x: float, y: float, wide: float, high: float, told: str) -> str:
    return (
        f'<rect class="{escape(style)}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}">'
        f"<title>{escape(told)}</title></rect>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _svg(drawn: Sequence[str], high: float, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {high:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(drawn)}</svg>"
    )


def _short(label: str, cells: int = 30) -> str:
    return label if len(label) <= cells else label[: cells - 1] + "…"
