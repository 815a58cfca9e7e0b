"""The data-quality report as one HTML page, in English and Chinese, with plots and without script.

The page needs nothing beside it: plots are inline SVG, the language is switched by the style sheet
alone, and every text from the data is escaped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from customers.errors import BadInput
from customers.ingest import quality, quality_days, quality_plots
from customers.ingest.cleaning import DROPPED, NOTED, REPAIRED, REPEATED
from customers.ingest.dirt_score import DirtScore
from customers.stores.events import EventStore, open_store

PAGE = "quality.html"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_WORDS = {
    "en": {
        "title": "Data quality",
        "lead": "{shop}, {first} to {last}. {read} rows were read; {dropped} ({share}) were kept aside. "
        "Nothing was dropped silently: rows kept aside can be read with <code>shopkeeper rejected</code> "
        "and put back with <code>--put-back</code>.",
        "sources": "By source",
        "sources_head": ("Source", "Rows read", "Kept", "of them repaired", "Kept aside", "Share kept aside"),
        "kept": "kept",
        "repaired": "repaired",
        "aside": "kept aside",
        "by_rule": "Rows kept aside, by rule",
        "days": "Events over time, before and after cleaning",
        "quantities": "Quantities sold (both axes logarithmic)",
        "fence": "fence {at}",
        "rules": "Rule by rule",
        "rules_head": ("Source", "Rule", "Reason", "What was done", "Rows", "Share", "Examples"),
        "first": "A row that breaks several rules is counted under the first one.",
        "none": "Every rule held.",
        "dirt": "Planted dirt, found (simulated truth)",
        "dirt_head": ("Kind of dirt", "Planted", "Found", "Flagged", "Precision", "Recall"),
        "dirt_lead": "The source is simulated and says which of its rows were spoilt on purpose.",
        DROPPED: "kept aside",
        REPAIRED: "repaired",
        NOTED: "kept, noted",
        REPEATED: "there already",
    },
    "zh": {
        "title": "数据质量",
        "lead": "{shop},{first} 至 {last}。共读入 {read} 行,其中 {dropped} 行({share})被剔除留存。"
        "没有任何数据被悄悄丢弃:被剔除的行可用 <code>shopkeeper rejected</code> 查看,"
        "用 <code>--put-back</code> 放回。",
        "sources": "按来源",
        "sources_head": ("来源", "读入行数", "保留", "其中已修复", "剔除留存", "剔除比例"),
        "kept": "保留",
        "repaired": "已修复",
        "aside": "剔除留存",
        "by_rule": "各规则剔除的行数",
        "days": "清洗前后的事件数(按时间)",
        "quantities": "销售数量分布(双对数刻度)",
        "fence": "界限 {at}",
        "rules": "逐条规则",
        "rules_head": ("来源", "规则", "原因", "处理", "行数", "比例", "示例"),
        "first": "一行违反多条规则时只计入第一条。",
        "none": "所有规则均满足。",
        "dirt": "人为植入的脏数据及其检出情况(模拟真值)",
        "dirt_head": ("脏数据类型", "植入", "检出", "标记", "精确率", "召回率"),
        "dirt_lead": "该来源为模拟数据,并注明了哪些行是有意弄脏的。",
        DROPPED: "剔除留存",
        REPAIRED: "已修复",
        NOTED: "保留并注明",
        REPEATED: "此前已有",
    },
}

_STYLE = """
:root{color-scheme:light dark;--ink:#1d2733;--soft:#66717d;--line:#d9dee3;--paper:#fff;--kept:#2f7d6d;
--repaired:#d9a13b;--aside:#c4533a}
@media (prefers-color-scheme:dark){:root{--ink:#e5e9ed;--soft:#9aa5b0;--line:#36404a;--paper:#171c21}}
body{font:16px/1.5 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;max-width:1060px;
margin:0 auto;padding:1.5rem;color:var(--ink);background:var(--paper)}
h1{font-size:1.6rem;margin:.4rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
input[name=language]{margin:0 .3rem 0 1rem}
.zh{display:none}#zh:checked~.zh{display:block}#zh:checked~.en{display:none}
table{border-collapse:collapse;width:100%;font-size:.88rem}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.wide{overflow-x:auto}code{font-size:.8rem;overflow-wrap:anywhere}details code{display:block;margin:.3rem 0}
td>code{white-space:nowrap}summary{cursor:pointer}svg{width:100%;height:auto;max-width:860px;display:block}
svg text{font-size:12px;fill:var(--ink)}svg .end{text-anchor:end}svg .mid{text-anchor:middle}
.kept{fill:var(--kept);background:var(--kept)}.repaired{fill:var(--repaired);background:var(--repaired)}
.aside{fill:var(--aside);background:var(--aside)}.axis{stroke:var(--soft)}
.fence{stroke:var(--soft);stroke-dasharray:5 4}svg .fence-label{fill:var(--soft)}
.key span{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin:0 .35rem 0 1rem;vertical-align:-1px}
.key span:first-child{margin-left:0}.key,.soft{color:var(--soft);font-size:.88rem}
"""


def write(store: Path, score: Sequence[DirtScore] = ()) -> Path:
    """Write the page beside a finished store and return its path. Raises BadInput where it cannot be."""
    page = store.with_name(PAGE)
    partial = page.with_name(f"{PAGE}.{os.getpid()}.partial")
    opened = open_store(store)
    try:
        partial.write_text(render(opened, score), encoding="utf-8")
        os.replace(partial, page)
    except OSError as error:
        raise BadInput(f"{page}: the report could not be written ({error}); free disk space") from error
    finally:
        opened.close()
        partial.unlink(missing_ok=True)
    return page


def render(store: EventStore, score: Sequence[DirtScore] = ()) -> str:
    """Return the page of a finished store; `score` is shown where the source's dirt is known."""
    bodies = "".join(
        f'<main class="{language}" lang="{language}">{_body(store, score, language)}</main>'
        for language in ("en", "zh")
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Data quality · 数据质量</title><style>{_STYLE}</style></head><body>"
        '<input type="radio" name="language" id="en" checked><label for="en">English</label>'
        '<input type="radio" name="language" id="zh"><label for="zh">中文</label>'
        f"{bodies}</body></html>\n"
    )


def _body(store: EventStore, score: Sequence[DirtScore], language: str) -> str:
    words = _WORDS[language]
    parts = [f"<h1>{words['title']}</h1>", _lead(store, words), *_sources(store, words)]
    parts += [*_by_rule(store, words, language), *_days(store, words), *_quantities(store, words)]
    if score:
        parts += [*_section("dirt", words), f'<p class="soft">{words["dirt_lead"]}</p>']
        parts.append(_table(words["dirt_head"], map(_score_cells, score), (1, 2, 3, 4, 5)))
    parts += _section("rules", words)
    broken = quality.rules(store)
    if not broken:
        return "".join([*parts, f"<p>{words['none']}</p>"])
    cells = (_rule_cells(row, words, language) for row in broken)
    parts += [f'<p class="soft">{words["first"]}</p>', _table(words["rules_head"], cells, (4, 5))]
    return "".join(parts)


def _section(name: str, words: dict) -> list[str]:
    return [f"<h2>{words[name]}</h2>"]


def _lead(store: EventStore, words: dict) -> str:
    found = quality.sources(store)
    shop = store.backend.con.execute("SELECT name, first_day, last_day FROM shop").fetchall()
    name, first, last = (escape(str(value)) for value in (shop[0] if shop else ("", "", "")))
    read, dropped = sum(row.read for row in found), sum(row.dropped for row in found)
    share = quality.percent(dropped / read if read else 0.0)
    said = words["lead"].format(
        shop=name, first=first, last=last, read=f"{read:,}", dropped=f"{dropped:,}", share=escape(share)
    )
    return f"<p>{said}</p>"


def _key(words: dict, *names: str) -> str:
    return '<p class="key">' + "".join(f'<span class="{n}"></span>{words[n]}' for n in names) + "</p>"


def _sources(store: EventStore, words: dict) -> list[str]:
    mended: dict[str, int] = {}
    for rule in quality.rules(store):
        if rule.action == REPAIRED:
            mended[rule.source] = mended.get(rule.source, 0) + rule.rows
    rows, cells = [], []
    for source in quality.sources(store):
        repaired = min(mended.get(source.source, 0), source.kept)
        sizes = {"kept": source.kept - repaired, "repaired": repaired, "aside": source.dropped}
        parts = [(name, float(size), f"{words[name]}: {size:,}") for name, size in sizes.items()]
        rows.append((source.source, parts, f"{source.read:,}"))
        share = quality.percent(source.share_dropped)
        counts = (source.read, source.kept, repaired, source.dropped)
        cells.append((escape(source.source), *(f"{n:,}" for n in counts), escape(share)))
    return [*_section("sources", words), quality_plots.bars(rows, words["sources"]),
            _key(words, "kept", "repaired", "aside"),
            _table(words["sources_head"], cells, (1, 2, 3, 4, 5))]  # fmt: skip


def _by_rule(store: EventStore, words: dict, language: str) -> list[str]:
    by_rule: dict[str, int] = {}
    for rule in quality.rules(store):
        if rule.action == DROPPED:
            by_rule[rule.rule] = by_rule.get(rule.rule, 0) + rule.rows
    if not by_rule:
        return []
    order = sorted(by_rule.items(), key=lambda pair: (-pair[1], pair[0]))
    rows = [(name, [("aside", float(n), f"{name}: {n:,}")], f"{n:,}") for name, n in order]
    return [*_section("by_rule", words), quality_plots.bars(rows, words["by_rule"])]


def _days(store: EventStore, words: dict) -> list[str]:
    days = quality_days.by_day(store)
    if not days:
        return []
    values = [(day, _stack(day, kept, aside, words)) for day, kept, aside in days]
    plot = quality_plots.columns(values, words["days"])
    return [*_section("days", words), plot, _key(words, "kept", "aside")]


def _quantities(store: EventStore, words: dict) -> list[str]:
    bins, fence, at = quality_days.quantities(store)
    if not bins:
        return []
    # The tallest bin dwarfs the rest, so that counts are drawn as logarithms; the figures are told.
    values = [(label, _stack(label, kept, aside, words, squeeze=True)) for label, kept, aside in bins]
    mark = (at, words["fence"].format(at=f"{fence:,.0f}"))
    plot = quality_plots.columns(values, words["quantities"], [mark], scale=False)
    return [*_section("quantities", words), plot, _key(words, "kept", "aside")]


def _stack(label: str, kept: int, aside: int, words: dict, squeeze: bool = False) -> list[quality_plots.Part]:
    told = f"{label}: {words['kept']} {kept:,}, {words['aside']} {aside:,}"
    sizes = quality_plots.squeezed(kept, aside) if squeeze else (float(kept), float(aside))
    return [("kept", sizes[0], told), ("aside", sizes[1], told)]


def _score_cells(row: DirtScore) -> tuple[str, ...]:
    shares = ("–" if share is None else f"{share:.3f}" for share in (row.precision, row.recall))
    return (escape(row.kind), f"{row.planted:,}", f"{row.found:,}", f"{row.flagged:,}", *shares)


def _rule_cells(row: quality.RuleRow, words: dict, language: str) -> tuple[str, ...]:
    reason = row.reason_zh if language == "zh" else row.reason_en
    shown = _examples(row.examples)
    return (escape(row.source), f"<code>{escape(row.rule)}</code>", escape(reason), words[row.action],
            f"{row.rows:,}", escape(quality.percent(row.share)), shown)  # fmt: skip


def _examples(examples: str) -> str:
    try:
        rows = json.loads(examples or "[]")
    except ValueError:
        rows = [examples]
    texts = [escape(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) for row in rows]
    if not texts:
        return ""
    return f"<details><summary>{len(texts)}</summary>{''.join(f'<code>{t}</code>' for t in texts)}</details>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int]) -> str:
    """A table of cells that are HTML already; `numbers` are the columns set to the right."""

    def line(cells: Sequence[str], tag: str) -> str:
        styles = (' class="n"' if place in numbers else "" for place in range(len(cells)))
        return (
            "<tr>" + "".join(f"<{tag}{s}>{c}</{tag}>" for s, c in zip(styles, cells, strict=True)) + "</tr>"
        )

    body = "".join(line(row, "td") for row in rows)
    return f'<div class="wide"><table><thead>{line(head, "th")}</thead><tbody>{body}</tbody></table></div>'
