"""The build report: one page, as Markdown and as HTML, with plots as PNG.

Written into the version's report/ directory from what the build stored; every text that comes from
the data is escaped.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from customers import plots
from customers.stages import Stage

_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def write_report(con: duckdb.DuckDBPyConnection, version: Path, stages: Sequence[Stage]) -> None:
    """Write report/report.md, report.html and the plots of a version that is being built."""
    out = version / "report"
    out.mkdir(exist_ok=True)
    quality = _read(version / "preference.json")
    recommenders = _read(version / "recommend" / "recommend.json")
    plots.draw(con, out, quality)
    blocks = [
        *_shop(con), *_cleaning(con), *_segments(con), *_choice(con), *_labels(con), *_preferences(quality),
        *_recommenders(recommenders), *_stages(stages),
    ]  # fmt: skip
    (out / "report.md").write_text(_markdown(blocks), encoding="utf-8")
    (out / "report.html").write_text(_html(blocks), encoding="utf-8")


# A block is ("title" | "text" | "plot", str) or ("table", rows with the heading first).
Block = tuple[str, Any]


def _shop(con: duckdb.DuckDBPyConnection) -> list[Block]:
    name, currency, first, last, source = con.execute(
        "SELECT name, currency, first_day, last_day, source FROM shop"
    ).fetchall()[0]
    customers, baskets, spend = con.execute(
        "SELECT count(*), sum(baskets), sum(spend) FROM customer_summary"
    ).fetchall()[0]
    lines, products = con.execute("SELECT count(*), count(DISTINCT product_id) FROM held_lines").fetchall()[0]
    return [
        ("title", f"Build report: {name}"),
        (
            "text",
            f"Source {source}, {first} to {last}. {customers:,} customers made {baskets:,} trips with"
            f" {lines:,} purchase lines of {products:,} products for {currency or ''}{spend:,.0f}.",
        ),
        *_simulated(con),
        ("plot", "months.png"),
    ]


def _simulated(con: duckdb.DuckDBPyConnection) -> list[Block]:
    """What of the shop a simulator made up; nothing for a shop of its own data."""
    kinds = con.execute(
        "SELECT kind, count(*) FROM events WHERE source LIKE 'simulated%' GROUP BY kind ORDER BY count(*) DESC, kind"
    ).fetchall()
    if not kinds:
        return []
    told = ", ".join(f"{many:,} {kind}" for kind, many in kinds)
    return [("text", f"SIMULATED: {sum(many for _, many in kinds):,} events are made up ({told}).")]


def _cleaning(con: duckdb.DuckDBPyConnection) -> list[Block]:
    rows = con.execute(
        "SELECT source, rule, reason_en, action, rows, of_rows FROM quality"
        " WHERE rows > 0 OR action = 'dropped' ORDER BY source, action, rows DESC"
    ).fetchall()
    clean = [f"{source}: {rule.replace('_', ' ')}" for source, rule, _, _, n, _ in rows if not n]
    table: list[tuple[str, ...]] = [("Source", "Rule", "Why", "What was done", "Rows", "Share")]
    table += [
        (source, rule.replace("_", " "), reason, action, f"{n:,}", f"{n / of:.2%}" if of else "-")
        for source, rule, reason, action, n, of in rows
        if n
    ]
    none = [("text", f"Looked for and not found – {'; '.join(clean)}.")] if clean else []
    return [("title", "What came in and what was dropped"), ("table", table), *none]


def _segments(con: duckdb.DuckDBPyConnection) -> list[Block]:
    tops: dict[str, list[str]] = {}
    for segment, category, lift in con.execute(
        "SELECT segment_id, coalesce(name_en, c.category), lift FROM segment_categories c"
        " LEFT JOIN names ON kind = 'category' AND key = c.category ORDER BY segment_id, rank"
    ).fetchall():
        tops.setdefault(segment, []).append(f"{category} {lift:.1f}x")
    rows = con.execute(
        "SELECT segment_id, name_en, name_zh, size, share, mean_spend, mean_baskets FROM segments"
        " ORDER BY size DESC"
    ).fetchall()
    table: list[tuple[str, ...]] = [
        ("Segment", "Customers", "Share", "Mean spend", "Mean trips", "Set apart by (lift)")
    ]
    table += [
        (
            f"{en} / {zh}",
            f"{size:,}",
            f"{share:.1%}",
            f"{spend:,.0f}",
            f"{trips:.0f}",
            ", ".join(tops.get(key, [])[:5]),
        )
        for key, en, zh, size, share, spend, trips in rows
    ]
    return [("title", "Segments"), ("table", table), ("plot", "segments.png")]


def _choice(con: duckdb.DuckDBPyConnection) -> list[Block]:
    rows = con.execute(
        "SELECT k, silhouette, gap, stability, halves, smallest, chosen FROM segment_choice ORDER BY k"
    ).fetchall()
    table: list[tuple[str, ...]] = [
        ("Segments", "Silhouette", "Gap", "Stability (ARI, resampled)", "ARI of halves", "Smallest", "Chosen")
    ]
    table += [
        (str(k), *(f"{one:.3f}" for one in evidence), f"{small:.1%}", "chosen" if chosen else "")
        for k, *evidence, small, chosen in rows
    ]
    return [("title", "How many segments"), ("table", table), ("plot", "choice.png")]


def _labels(con: duckdb.DuckDBPyConnection) -> list[Block]:
    rows = con.execute(
        "SELECT kind, source || CASE WHEN bool_or(ends_with(label_en, ' (simulated)')) THEN ' (simulated)' ELSE '' END,"
        " count(*), count(DISTINCT customer_id), count(DISTINCT key), avg(confidence)"
        " FROM customer_labels GROUP BY kind, source ORDER BY kind, source"
    ).fetchall()
    table: list[tuple[str, ...]] = [("Kind", "Source", "Labels", "Customers", "Different", "Mean confidence")]
    table += [
        (kind, source, f"{n:,}", f"{who:,}", f"{keys:,}", f"{c:.2f}")
        for kind, source, n, who, keys, c in rows
    ]
    return [("title", "Labels"), ("table", table), ("plot", "interests.png"), ("plot", "preferences.png")]


def _preferences(quality: dict[str, Any] | None) -> list[Block]:
    if quality is None:
        return [("title", "Preferences"), ("text", "The data is too short to hold 30 days out.")]
    heading = ("", "ROC-AUC", "PR-AUC", "mean per category", "Brier", "Calibration error")
    rows: list[tuple[str, ...]] = [heading]
    for label, key in (("Logistic regression", "model"), ("Days since last purchase", "days_since")):
        q = quality[key]
        calibrated = (f"{q['brier']:.4f}", f"{q['ece']:.4f}") if key == "model" else ("-", "-")
        mean = f"{q['mean_roc_auc']:.4f} / {q['mean_pr_auc']:.4f}"
        rows.append((label, f"{q['roc_auc']:.4f}", f"{q['pr_auc']:.4f}", mean, *calibrated))
    text = (
        f"Buys from the category within 30 days: fitted on what was known by {quality['cut']}, scored on the"
        f" 30 days after it ({quality['model']['rows']:,} customer-category pairs, base rate"
        f" {quality['model']['base_rate']:.3f}). The served models are refitted up to the last day."
    )
    return [("title", "Preferences"), ("text", text), ("table", rows), ("plot", "reliability.png")]


def _recommenders(found: dict[str, Any] | list[Any] | None) -> list[Block]:
    if not found:
        return []
    rows = found if isinstance(found, list) else found.get("rows", [])
    if not rows:
        return []
    heading = tuple(dict.fromkeys(key for row in rows for key in row))
    table: list[tuple[str, ...]] = [tuple(key.replace("_", " ") for key in heading)]
    table += [tuple(_figure(row.get(key)) for key in heading) for row in rows]
    return [("title", "Recommendations, held out"), ("table", table)]


def _stages(stages: Sequence[Stage]) -> list[Block]:
    table: list[tuple[str, ...]] = [("Stage", "Seconds", "Peak memory (MiB)")]
    table += [(stage.name, f"{stage.seconds:.1f}", f"{stage.peak_mib:,.0f}") for stage in stages]
    table.append(("all", f"{sum(s.seconds for s in stages):.1f}", f"{max(s.peak_mib for s in stages):,.0f}"))
    return [("title", "Time and memory"), ("table", table)]


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else str(value)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _markdown(blocks: list[Block]) -> str:
    parts = []
    for i, (kind, body) in enumerate(blocks):
        if kind == "title":
            parts.append(f"{'#' if i == 0 else '##'} {_escaped(body)}")
        elif kind == "text":
            parts.append(_escaped(body))
        elif kind == "plot":
            parts.append(f"![{body.removesuffix('.png')}]({body})")
        else:
            lines = ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in body]
            parts.append("\n".join([lines[0], "|" + " --- |" * len(body[0]), *lines[1:]]))
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return _MARKS.sub(r"\\\1", " ".join(str(text).split())).replace("\\<", "&lt;").replace("\\>", "&gt;")


def _html(blocks: list[Block]) -> str:
    parts = []
    for i, (kind, body) in enumerate(blocks):
        if kind == "title":
            parts.append(f"<h{1 if i == 0 else 2}>{html.escape(body)}</h{1 if i == 0 else 2}>")
        elif kind == "text":
            parts.append(f"<p>{html.escape(body)}</p>")
        elif kind == "plot":
            parts.append(f'<img src="{html.escape(body)}" alt="{html.escape(body.removesuffix(".png"))}">')
        else:
            parts.append(_html_table(body))
    return _PAGE.format(title=html.escape(blocks[0][1]), body="\n".join(parts))


def _html_table(rows: list[tuple[str, ...]]) -> str:
    lines = []
    for i, row in enumerate(rows):
        tag = "th" if i == 0 else "td"
        lines.append("<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
table {{ border-collapse: collapse; width: 100%; margin: 1rem 0 }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }}
img {{ max-width: 100%; margin: .5rem 0 }}
</style></head><body>
{body}
</body></html>
"""
