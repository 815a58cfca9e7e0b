"""Small plots for the comparison's page, as SVG whose places are percents, so that they fit a phone and a desk.

Colours come from the page's style sheet by class, so light and dark are its business. Nothing here holds text
from data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.comparison import PassPower, Row
from eval.stats import Estimate

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from low to high, with its ticks; values are shares of 1."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> str:
        """Where a value lies, as an SVG length; what lies outside is put at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


def scale(values: Sequence[float]) -> Scale:
    """Return an axis around zero and the values, with at most about seven round ticks."""
    low, high = min([*values, -0.005]), max([*values, 0.005])
    margin = 0.06 * (high - low)
    low, high = max(low - margin, -1.05), min(high + margin, 1.05)
    step = next((s for s in _STEPS if (high - low) / s <= 7), _STEPS[-1])
    first, last = -int(-low / step), int(high / step)
    return Scale(low, high, tuple(round(i * step, 6) for i in range(first, last + 1)))


def difference(row: Row, axis: Scale) -> str:
    """A row's difference: a dot with its interval, beside the line of zero."""
    found, small = row.difference, " small" if row.language else ""
    return _svg(
        36,
        [
            *(
                f'<line class="grid" x1="{axis.at(t)}" x2="{axis.at(t)}" y1="0" y2="36"/>'
                for t in axis.ticks
                if t
            ),
            f'<line class="zero" x1="{axis.at(0)}" x2="{axis.at(0)}" y1="0" y2="36"/>',
            f'<line class="span {row.change}{small}" x1="{axis.at(found.low)}" x2="{axis.at(found.high)}" '
            'y1="18" y2="18"/>',
            f'<circle class="dot {row.change}{small}" cx="{axis.at(found.value)}" cy="18" '
            f'r="{4 if row.language else 5.5}"/>',
        ],
    )


def ticks(axis: Scale) -> str:
    """The axis's labels, in points."""
    labels = [
        f'<text x="{axis.at(t)}" y="13" text-anchor="middle">{f"{100 * t:+g}".replace("-", "−") if t else "0"}</text>'
        for t in axis.ticks
        if 0.03 < (t - axis.low) / (axis.high - axis.low) < 0.97
    ]
    return _svg(18, labels)


def bar(value: float | None, most: float, letter: str) -> str:
    """A bar of a value out of the greatest one, in run "a"'s or "b"'s colour."""
    share = 100 * (value or 0.0) / most if most else 0.0
    return _svg(
        14,
        [
            '<rect class="track" x="0" y="2" width="100%" height="10" rx="5"/>',
            f'<rect class="bar {letter}" x="0" y="2" width="{share:.2f}%" height="10" rx="5"/>',
        ],
    )


def passes(row: PassPower) -> str:
    """pass^k of both runs with their intervals, from 0 to 100 %."""
    axis = Scale(0.0, 1.0, (0.25, 0.5, 0.75))
    parts = [f'<line class="grid" x1="{axis.at(t)}" x2="{axis.at(t)}" y1="0" y2="36"/>' for t in axis.ticks]
    for letter, found, y in (("a", row.a, 11), ("b", row.b, 25)):
        parts += _range(letter, found, y, axis)
    return _svg(36, parts)


def _range(letter: str, found: Estimate, y: int, axis: Scale) -> list[str]:
    return [
        f'<line class="span {letter}" x1="{axis.at(found.low)}" x2="{axis.at(found.high)}" y1="{y}" y2="{y}"/>',
        f'<circle class="dot {letter}" cx="{axis.at(found.value)}" cy="{y}" r="5"/>',
    ]


def _svg(height: int, parts: Sequence[str]) -> str:
    # Hidden from screen readers: the same figures stand in the row as text.
    return f'<svg class="plot" height="{height}" aria-hidden="true">{"".join(parts)}</svg>'
