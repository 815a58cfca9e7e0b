"""The comparison as one HTML file: tables, and plots of NDCG@10 with intervals and against coverage."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

Row = dict[str, Any]
_COLUMNS = (
    ("ndcg", "NDCG@10", "{:.4f}"), ("recall", "recall@10", "{:.4f}"), ("gain", "gain over the quick reference", "{:+.4f}"),
    ("coverage", "coverage", "{:.1%}"), ("novelty", "novelty (bits)", "{:.2f}"), ("diversity", "diversity", "{:.3f}"),
    ("taste_divergence", "distance from taste", "{:.3f}"), ("fit_seconds", "fit (s)", "{:.1f}"),
    ("peak_mib", "memory (MiB)", "{:,.0f}"), ("ms_per_customer", "ms a customer", "{:.2f}"),
)  # fmt: skip
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%;font-size:13px}th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child{text-align:left}tr.ours td{font-weight:600}tr.reference td{color:#a33}img{max-width:100%}
.wide{overflow-x:auto}h2{margin-top:2.5rem}"""
_METHOD = """Each window trains on every day before it and tests on the 30 days from it. NDCG@10 counts what a customer
bought among the first ten, the earlier the better; "never bought" leaves out what the customer had bought before.
Gains are paired by customer, with 95 % bootstrap intervals. Coverage: share of the products seen in training that
anybody is shown. Novelty: mean rarity of what is shown. Diversity: pairs of different categories in a list. Distance
from taste: Kullback-Leibler divergence of a list's categories from the customer's own."""


def write(rows: list[Row], path: Path) -> None:
    """Write the page to `path`; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(rows), encoding="utf-8")


def render(rows: list[Row]) -> str:
    """The whole page."""
    kinds = dict.fromkeys((row["window"], row["level"], row["task"]) for row in rows)
    sections = []
    for window, level, task in kinds:
        group = [row for row in rows if (row["window"], row["level"], row["task"]) == (window, level, task)]
        group.sort(key=lambda row: -row["ndcg"])
        title = f"{level.capitalize()}s, {task}, 30 days from {window}"
        sections.append(f"<h2>{escape(title)}</h2>{_plot(group, title)}{_table(group)}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Recommenders compared</title>'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>Recommenders compared</h1><p>{escape(_METHOD)}</p>{''.join(sections)}</body></html>"
    )


def _table(group: list[Row]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for _, title, _ in _COLUMNS)
    lines = []
    for row in group:
        cells = "".join(f"<td>{_cell(row, key, form)}</td>" for key, _, form in _COLUMNS)
        lines.append(f'<tr class="{_kind(row["model"])}"><td>{escape(row["model"])}</td>{cells}</tr>')
    return f'<div class="wide"><table><tr><th>model</th>{head}</tr>{"".join(lines)}</table></div>'


def _cell(row: Row, key: str, form: str) -> str:
    if key not in row:
        return ""
    found = form.format(row[key])
    if key == "gain":
        found += f" [{row['gain_low']:+.4f}, {row['gain_high']:+.4f}]"
    return escape(found)


def _kind(model: str) -> str:
    return "ours" if model.startswith("blend") else "reference" if "reference" in model else ""


def _plot(group: list[Row], title: str) -> str:
    figure = Figure(figsize=(10.5, 0.6 + 0.3 * len(group)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for place, row in enumerate(reversed(group)):
        colour = {"ours": "#0b6e4f", "reference": "#a33", "": "#667"}[_kind(row["model"])]
        left.plot([row["ndcg_low"], row["ndcg_high"]], [place, place], color=colour, lw=2)
        left.plot(row["ndcg"], place, "o", color=colour)
        right.plot(100 * row["coverage"], row["ndcg"], "o", color=colour)
        if _kind(row["model"]):
            right.annotate(row["model"], (100 * row["coverage"], row["ndcg"]), fontsize=7)
    left.set_yticks(range(len(group)), [row["model"] for row in reversed(group)], fontsize=8)
    left.set_xlabel("NDCG@10, 95 % interval")
    left.grid(axis="x", alpha=0.3)
    right.set_xlabel("coverage, %")
    right.set_ylabel("NDCG@10")
    right.grid(alpha=0.3)
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=110)
    data = base64.b64encode(held.getvalue()).decode()
    return f'<img alt="{escape(title)}: NDCG@10 of each method, and against coverage" src="data:image/png;base64,{data}">'
