"""Plots beside the chat as Plotly figures: pure functions of plain values.

Plotly reads a little HTML in its texts, so every name is escaped here.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go

from customers.values import Profile, Segment
from ui.palette import ACCENT, GREY, segment_colour
from ui.texts import text

# A point of the segment map: customer id, x, y, segment id (None: in no segment).
Point = tuple[str, float, float, str | None]

_FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', sans-serif"
# Browsers draw SVG dots one by one; beyond this the map shows an even sample.
_MOST_POINTS = 2500
_MOST_POINTS_BESIDE = 900
_LABEL = 26


def points(rows: Iterable[Sequence[Any]], segments: Iterable[str]) -> list[Point]:
    """Return `Shop.segment_map()` as points: rows of customer id, segment id, x, y."""
    known = set(segments)
    return [
        (str(customer), float(x), float(y), segment if segment in known else None)
        for customer, segment, x, y in rows
    ]


def months(profile: Profile, currency: str, language: str) -> go.Figure:
    """Return one customer's spend by calendar month."""
    bars = go.Bar(
        x=[day for day, _ in profile.spend_by_month],
        y=[spend for _, spend in profile.spend_by_month],
        marker_color=ACCENT,
        hovertemplate=f"%{{x|%Y-%m}}: {_safe(currency)}%{{y:,.2f}}<extra></extra>",
    )
    figure = _figure([bars], text("plot_months", language), 220)
    figure.update_xaxes(tickformat="%b" if language == "en" else "%-m月", dtick="M2")
    figure.update_yaxes(tickprefix=_safe(currency), rangemode="tozero")
    return figure


def categories(profile: Profile, currency: str, language: str) -> go.Figure:
    """Return one customer's top categories by spend, the largest on top."""
    tastes = list(reversed(profile.top_categories[:8]))
    bars = go.Bar(
        x=[taste.spend for taste in tastes],
        # The key makes two categories of one name two bars; the label is what is read.
        y=list(range(len(tastes))),
        orientation="h",
        marker_color=ACCENT,
        customdata=[[_safe(taste.name[language]), taste.lift] for taste in tastes],
        hovertemplate=f"%{{customdata[0]}}: {_safe(currency)}%{{x:,.2f}}"
        " (%{customdata[1]:.1f}×)<extra></extra>",
    )
    figure = _figure([bars], text("plot_categories", language), 90 + 24 * max(3, len(tastes)))
    figure.update_xaxes(tickprefix=_safe(currency))
    figure.update_yaxes(
        tickvals=list(range(len(tastes))),
        ticktext=[_label(taste.name[language]) for taste in tastes],
        showgrid=False,
    )
    return figure


def customer_map(
    points: Sequence[Point], segments: Sequence[Segment], customer_id: str, language: str
) -> go.Figure:
    """Return the segment map with one customer marked."""
    figure = _map(points, segments, language, _MOST_POINTS_BESIDE, text("plot_map", language), 300)
    own = [point for point in points if point[0] == customer_id]
    if own:
        star = go.Scatter(
            x=[own[0][1]],
            y=[own[0][2]],
            mode="markers",
            marker={"symbol": "star", "size": 17, "color": "#111827", "line": {"width": 2, "color": "#fff"}},
            name=_safe(text("customer", language, customer=customer_id)),
            hovertemplate=_safe(customer_id) + "<extra></extra>",
        )
        figure.add_trace(star)
    figure.update_layout(showlegend=False)
    return figure


def segment_map(points: Sequence[Point], segments: Sequence[Segment], language: str) -> go.Figure:
    """Return all customers on the segment map."""
    figure = _map(points, segments, language, _MOST_POINTS, text("plot_segments", language), 460)
    figure.update_layout(legend={"orientation": "h", "y": -0.04, "itemsizing": "constant"})
    return figure


def segment_sizes(segments: Sequence[Segment], language: str) -> go.Figure:
    """Return how many customers each segment has."""
    rows = list(enumerate(segments))[::-1]
    bars = go.Bar(
        x=[segment.size for _, segment in rows],
        y=list(range(len(rows))),
        orientation="h",
        marker_color=[segment_colour(index) for index, _ in rows],
        text=[f"{segment.size:,}" for _, segment in rows],
        textposition="auto",
        customdata=[[_safe(segment.name[language]), segment.share] for _, segment in rows],
        hovertemplate="%{customdata[0]}: %{x:,} (%{customdata[1]:.1%})<extra></extra>",
    )
    figure = _figure([bars], text("plot_sizes", language), 460)
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[_label(segment.name[language], lines=2) for _, segment in rows],
        showgrid=False,
    )
    return figure


def _map(
    points: Sequence[Point],
    segments: Sequence[Segment],
    language: str,
    most: int,
    title: str,
    height: int,
) -> go.Figure:
    shown = points[:: max(1, -(-len(points) // most))]
    known = {segment.segment_id for segment in segments}
    traces = [
        _dots([p for p in shown if p[3] == s.segment_id], s.name[language], segment_colour(i))
        for i, s in enumerate(segments)
    ]
    rest = [p for p in shown if p[3] not in known]
    if rest:
        traces.append(_dots(rest, text("others", language), GREY))
    figure = _figure(traces, title, height, subtitle=text("axis_map", language))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _dots(points: Sequence[Point], name: str, colour: str) -> go.Scatter:
    return go.Scatter(
        x=[round(float(p[1]), 4) for p in points],
        y=[round(float(p[2]), 4) for p in points],
        mode="markers",
        marker={"size": 5, "color": colour, "opacity": 0.6},
        name=_safe(name),
        customdata=[_safe(p[0]) for p in points],
        hovertemplate=f"%{{customdata}} · {_safe(name)}<extra></extra>",
    )


def _figure(traces: Sequence[Any], title: str, height: int, subtitle: str = "") -> go.Figure:
    figure = go.Figure(list(traces))
    figure.update_layout(
        title={
            "text": _safe(title),
            "subtitle": {"text": _safe(subtitle), "font": {"size": 11, "color": GREY}},
            "font": {"size": 14},
            "x": 0.01,
            "xanchor": "left",
            "y": 0.97,
            "yanchor": "top",
        },
        height=height,
        margin={"l": 8, "r": 12, "t": 58 if subtitle else 42, "b": 8},
        font={"family": _FONT, "size": 12, "color": "#6b7785"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        bargap=0.28,
        dragmode=False,
        modebar={"remove": ["zoom", "pan", "select", "lasso", "autoscale", "zoomin", "zoomout"]},
        hoverlabel={"font": {"family": _FONT}},
    )
    grid = {"gridcolor": "rgba(140,150,165,0.22)", "zeroline": False, "automargin": True, "fixedrange": True}
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)
    return figure


def _label(name: str, lines: int = 1) -> str:
    parts = textwrap.wrap(name, _LABEL, max_lines=lines, placeholder="…") or [name[:_LABEL]]
    return "<br>".join(_safe(part) for part in parts)


def _safe(value: object) -> str:
    return html.escape(str(value), quote=True).replace("%{", "% {")
