"""Plots of the build report, as PNG files (English labels)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_INK = "#2f5d8a"
_ACCENT = "#d1662f"


def draw(con: duckdb.DuckDBPyConnection, out: Path, quality: dict[str, Any] | None) -> None:
    """Write months.png, segments.png, choice.png, interests.png, preferences.png and, where there is a held-out score,
    reliability.png. Figures are made without a display and without global state."""
    months(con, out / "months.png")
    segments(con, out / "segments.png")
    choice(con, out / "choice.png")
    interests(con, out / "interests.png")
    preferences(con, out / "preferences.png")
    if quality is not None:
        reliability(quality, out / "reliability.png")


def months(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Spend by month."""
    rows = con.execute(
        "SELECT strftime(month, '%Y-%m') AS m, sum(spend) FROM customer_months GROUP BY m ORDER BY m"
    ).fetchall()
    figure, axes = _canvas("Spend by month")
    axes.bar([month for month, _ in rows], [spend for _, spend in rows], color=_INK)
    axes.tick_params(axis="x", rotation=45)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _save(figure, path)


def segments(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Customers on the two strongest factors of taste, coloured by segment."""
    figure, axes = _canvas("Customers by taste")
    for segment, name in con.execute(
        "SELECT segment_id, name_en FROM segments ORDER BY size DESC, segment_id"
    ).fetchall():
        points = con.execute(
            "SELECT x, y FROM customer_map JOIN customer_segments USING (customer_id) WHERE segment_id = ?"
            " ORDER BY customer_id",
            [segment],
        ).fetchall()
        label = name if len(name) <= 60 else name[:57] + "..."
        axes.scatter([x for x, _ in points], [y for _, y in points], s=8, alpha=0.6, label=_plain(label))
    axes.set_xlabel("first factor")
    axes.set_ylabel("second factor")
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, frameon=False)
    _save(figure, path)


def choice(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Silhouette and stability over the number of segments."""
    rows = con.execute("SELECT k, silhouette, stability, chosen FROM segment_choice ORDER BY k").fetchall()
    figure, axes = _canvas("Number of segments")
    ks = [row[0] for row in rows]
    axes.plot(ks, [row[2] for row in rows], "o-", color=_INK, label="stability (ARI, resampled)")
    axes.plot(ks, [row[1] for row in rows], "o-", color=_ACCENT, label="silhouette")
    for k, *_, chosen in rows:
        if chosen:
            axes.axvline(k, color="#999", linestyle=":", label=f"chosen: {k}")
    axes.set_xlabel("segments")
    axes.set_ylim(0, 1)
    if rows:
        axes.legend(frameon=False)
    _save(figure, path)


def interests(con: duckdb.DuckDBPyConnection, path: Path, most: int = 15) -> None:
    """How many customers have each interest: the most common ones."""
    rows = con.execute(
        "SELECT any_value(label_en), count(*) AS n FROM customer_labels"
        " WHERE kind = 'interest' AND starts_with(key, 'category:') GROUP BY key ORDER BY n DESC, key LIMIT ?",
        [most],
    ).fetchall()[::-1]
    figure, axes = _canvas("Interests: customers who buy it far more often than others")
    axes.barh(range(len(rows)), [n for _, n in rows], color=_INK)
    axes.set_yticks(range(len(rows)), [_plain(name[:40]) for name, _ in rows], fontsize=8)
    axes.set_xlabel("customers")
    _save(figure, path)


def preferences(con: duckdb.DuckDBPyConnection, path: Path, most: int = 15) -> None:
    """How the chances to buy are spread over customers, for the categories with the highest mean."""
    rows = con.execute(
        "SELECT coalesce(any_value(name_en), category), quantile_cont(probability, [0.1, 0.25, 0.5, 0.75, 0.9])"
        " FROM preferences LEFT JOIN names ON kind = 'category' AND key = category"
        " GROUP BY category ORDER BY avg(probability) DESC, category LIMIT ?",
        [most],
    ).fetchall()[::-1]
    figure, axes = _canvas("Chances to buy within 30 days (10, 25, 50, 75 and 90 % of customers)")
    for place, (_, (low, quarter, half, three, high)) in enumerate(rows):
        axes.plot([low, high], [place, place], color=_INK, linewidth=1)
        axes.plot([quarter, three], [place, place], color=_INK, linewidth=6, solid_capstyle="butt")
        axes.plot([half], [place], "o", color=_ACCENT, markersize=4)
    axes.set_yticks(range(len(rows)), [_plain(name[:40]) for name, _ in rows], fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_xlabel("probability")
    _save(figure, path)


def reliability(quality: dict[str, Any], path: Path) -> None:
    """Predicted probability against what happened, held out."""
    figure, axes = _canvas("Reliability of preferences, held out")
    axes.plot([0, 1], [0, 1], color="#999", linestyle=":")
    axes.plot([p for p, *_ in quality["curve"]], [y for _, y, _ in quality["curve"]], "o-", color=_INK)
    axes.set_xlabel("mean predicted probability")
    axes.set_ylabel("share that bought within 30 days")
    _save(figure, path)


def _canvas(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _plain(text: str) -> str:
    """Text that matplotlib does not take for mathematics or a hidden label."""
    return text.replace("$", r"\$").lstrip("_")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110)
