"""Plots beside the chat as Plotly figures: pure functions of plain values.

Plotly reads a little HTML in its texts, so every name is escaped here.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go

from customers.profiles.spreads import ChanceSpread, InterestSpread, Reliability
from customers.values import Name, Profile, Segment
from ui.palette import ACCENT, GREY, MIDDLE, segment_colour
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


def interests(spread: Sequence[InterestSpread], language: str) -> go.Figure:
    """Return how many customers have each interest, the most common on top."""
    rows = list(reversed(spread))
    bars = go.Bar(
        x=[one.customers for one in rows],
        y=list(range(len(rows))),
        orientation="h",
        marker_color=ACCENT,
        customdata=[[_safe(one.name[language]), one.share] for one in rows],
        hovertemplate="%{customdata[0]}: %{x:,} (%{customdata[1]:.1%})<extra></extra>",
    )
    figure = _figure(
        [bars], text("plot_interests", language), 110 + 22 * len(rows), text("axis_interests", language)
    )
    return _named(figure, [one.name for one in rows], language)


def chances(spread: Sequence[ChanceSpread], language: str) -> go.Figure:
    """Return how the chances to buy are spread over customers: 10 to 90 % as a line, 25 to 75 % as a bar, and
    the customer in the middle as a dot."""
    rows = list(reversed(spread))
    places = list(range(len(rows)))

    def line(low: int, high: int, width: int, colour: str) -> go.Scatter:
        return go.Scatter(
            x=[x for one in rows for x in (one.quantiles[low], one.quantiles[high], None)],
            y=[y for place in places for y in (place, place, None)],
            mode="lines",
            line={"color": colour, "width": width},
            hoverinfo="skip",
        )

    dots = go.Scatter(
        x=[one.quantiles[2] for one in rows],
        y=places,
        mode="markers",
        marker={"color": MIDDLE, "size": 8},
        customdata=[[_safe(one.name[language]), *one.quantiles] for one in rows],
        hovertemplate="%{customdata[0]}: %{customdata[3]:.0%} (%{customdata[1]:.0%} – %{customdata[5]:.0%})"
        "<extra></extra>",
    )
    title, subtitle = text("plot_chances", language), text("axis_chances", language)
    traces = [line(0, 4, 2, ACCENT), line(1, 3, 9, ACCENT), dots]
    figure = _figure(traces, title, 110 + 22 * len(rows), subtitle)
    figure.update_layout(showlegend=False)
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    return _named(figure, [one.name for one in rows], language)


def reliability(found: Reliability, language: str) -> go.Figure:
    """Return stated chances against what came of them, on days that the models had not seen."""
    most = min(1.0, 1.08 * max(max(p, y) for p, y, _ in found.curve))
    perfect = go.Scatter(
        x=[0, most], y=[0, most], mode="lines", line={"color": GREY, "dash": "dot"}, hoverinfo="skip"
    )
    seen = go.Scatter(
        x=[p for p, *_ in found.curve],
        y=[y for _, y, _ in found.curve],
        mode="lines+markers",
        line={"color": ACCENT},
        customdata=[n for *_, n in found.curve],
        hovertemplate=f"%{{x:.1%}} → %{{y:.1%}} ({_safe(text('pairs', language))} %{{customdata:,}})<extra></extra>",
    )
    subtitle = text("axis_reliability", language, cut=found.cut, error=f"{100 * found.error:.1f}")
    figure = _figure([perfect, seen], text("plot_reliability", language), 440, subtitle)
    figure.update_layout(showlegend=False)
    figure.update_xaxes(tickformat=".0%", range=[0, most], title={"text": text("stated", language)})
    figure.update_yaxes(tickformat=".0%", range=[0, most], title={"text": text("came", language)})
    return figure


def _named(figure: go.Figure, names: Sequence[Name], language: str) -> go.Figure:
    """The figure with its rows called by their names."""
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=[_label(name[language]) for name in names], showgrid=False
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
