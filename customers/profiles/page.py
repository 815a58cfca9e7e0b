"""A profile document as one self-contained page, in English and Chinese; every text of the data is escaped."""

from __future__ import annotations

import html
from typing import Any

WORDS = {
    "en": {
        "customer": "Customer", "spend": "Spend", "trips": "Trips", "mean": "A trip", "last_trip": "Last trip",
        "gap": "Usual gap (days)", "segment": "Segment", "labels": "Labels", "months": "Spend by month",
        "tastes": "Top categories", "likely": "Likely within 30 days", "attributes": "Customer data",
        "category": "Category", "lift": "Against everybody", "chance": "Chance", "sure": "confidence",
        "source": "source", "as_of": "What was known on", "none": "Nothing is known.", "value": "value",
        "next": "What may come next", "order": "Next order", "away": "No order within 60 days",
        "money": "Spend within 90 days", "about": "about {0}", "range": "{0}; 8 times in 10 {1} – {2}",
        "later": "probably later than 90 days", "beyond": "later than 90 days",
        "honest": "Estimates from what was known on {0}, not facts.",
    },
    "zh": {
        "customer": "顾客", "spend": "消费额", "trips": "到店次数", "mean": "每次消费", "last_trip": "最近到店",
        "gap": "通常间隔（天）", "segment": "分群", "labels": "标签", "months": "每月消费额",
        "tastes": "主要品类", "likely": "未来30天可能购买", "attributes": "顾客资料",
        "category": "品类", "lift": "与全体相比", "chance": "概率", "sure": "置信度",
        "source": "来源", "as_of": "数据截至", "none": "没有资料。", "value": "数值",
        "next": "接下来可能的情况", "order": "下次下单", "away": "60天内没有订单",
        "money": "未来90天消费", "about": "约{0}", "range": "{0}；十次中有八次：{1} – {2}",
        "later": "很可能在90天之后", "beyond": "90天之后",
        "honest": "根据截至{0}的资料估计，并非事实。",
    },
}  # fmt: skip
KIND_TITLES = {
    "basic": {"en": "Basic facts", "zh": "基本信息"},
    "behaviour": {"en": "How they shop", "zh": "购物行为"},
    "product": {"en": "Brands, prices and sizes", "zh": "品牌、价位与规格"},
    "interest": {"en": "Interests", "zh": "兴趣"},
    "preference": {"en": "Likely purchases", "zh": "购买倾向"},
    "need": {"en": "Searched for", "zh": "搜索需求"},
    "opinion": {"en": "What they think", "zh": "评价"},
}
SOURCES = {
    "customer data": "顾客资料",
    "purchases": "购买记录",
    "segments": "分群",
    "preference model": "偏好模型",
    "searches": "搜索记录",
    "reviews": "评价",
}

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>
:root {{ color-scheme: light dark; --line: #8885; --ink: #2f5d8a }}
body {{ font: 15px/1.5 system-ui, 'Noto Sans CJK SC', sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem }}
input {{ position: absolute; opacity: 0 }} label {{ padding: .2rem .8rem; border: 1px solid var(--line); cursor: pointer }}
#en:checked ~ nav [for=en], #zh:checked ~ nav [for=zh] {{ background: var(--ink); color: #fff }}
input:focus-visible ~ nav {{ outline: 2px solid var(--ink) }}
section {{ display: none }} #en:checked ~ .en, #zh:checked ~ .zh {{ display: block }}
dl {{ display: flex; flex-wrap: wrap; gap: .5rem 2rem }} dt {{ font-size: .8rem; opacity: .75 }} dd {{ margin: 0; font-size: 1.15rem }}
table {{ border-collapse: collapse; width: 100% }} th, td {{ text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line) }}
td.n, th.n {{ text-align: right }}
ul {{ list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .4rem }}
li {{ border: 1px solid var(--line); border-radius: 1rem; padding: .15rem .7rem }} li small {{ opacity: .75; margin-left: .4rem }}
svg {{ width: 100%; height: 9rem }} rect {{ fill: var(--ink) }} text {{ font-size: 9px; fill: currentColor }}
</style></head><body>
<input type="radio" name="language" id="en"{en}><input type="radio" name="language" id="zh"{zh}>
<nav><label for="en">English</label><label for="zh">中文</label></nav>
{sections}
</body></html>
"""


def render_page(doc: dict[str, Any], language: str = "en") -> str:
    """The whole page, which shows `language` ("en" or "zh") first; it loads nothing and runs nothing."""
    title = f"{doc['shop']['name']} – {doc['customer_id']}"
    sections = "\n".join(_section(doc, each) for each in ("en", "zh"))
    first = {each: " checked" if each == language else "" for each in ("en", "zh")}
    return _PAGE.format(title=_safe(title), sections=sections, language=language, **first)


def _section(doc: dict[str, Any], language: str) -> str:
    words = WORDS[language]
    parts = [
        f"<h1>{words['customer']} {_safe(doc['customer_id'])}</h1>",
        f"<p>{_safe(doc['shop']['name'])} · {words['as_of']} {_safe(doc['as_of'])}</p>",
        _figures(doc, language),
        f"<h2>{words['labels']}</h2>",
        *(_labels(doc, kind, language) for kind in doc["label_kinds"]),
        f"<h2>{words['months']}</h2>",
        _months(doc["behaviour"]["spend_by_month"]),
        _tastes(doc, language),
        _likely(doc, language),
        _outlook(doc, language),
    ]
    return f'<section class="{language}" lang="{language}">{"".join(parts)}</section>'


def _figures(doc: dict[str, Any], language: str) -> str:
    words, told, currency = WORDS[language], doc["behaviour"], doc["shop"]["currency"]
    figures = [
        (words["spend"], f"{currency}{told['spend']:,.2f}"),
        (words["trips"], f"{told['trips']:,}"),
        (words["mean"], f"{currency}{told['mean_basket']:,.2f}"),
        (words["last_trip"], told["last_day"]),
        (words["gap"], "–" if told["usual_gap_days"] is None else f"{told['usual_gap_days']:g}"),
    ]
    if doc["segment"]:
        figures.append((words["segment"], doc["segment"]["name"][language]))
    return (
        "<dl>" + "".join(f"<div><dt>{k}</dt><dd>{_safe(value)}</dd></div>" for k, value in figures) + "</dl>"
    )


def _labels(doc: dict[str, Any], kind: str, language: str) -> str:
    words = WORDS[language]
    own = [label for label in doc["labels"] if label["kind"] == kind]
    if not own:
        return ""
    chips = []
    for label in own:
        source = SOURCES.get(label["source"], label["source"]) if language == "zh" else label["source"]
        tip = [f"{words['value']} {label['value']}", f"{words['source']} {source}"]
        tip += [label["rule"][language]] if label["rule"] else []
        chips.append(
            f'<li title="{_safe(" · ".join(tip))}">{_safe(label["name"][language])}'
            f"<small>{words['sure']} {_safe(percent(label['confidence']))}</small></li>"
        )
    return f"<h3>{KIND_TITLES[kind][language]}</h3><ul>{''.join(chips)}</ul>"


def _months(months: list[dict[str, Any]]) -> str:
    """Bars of an inline SVG, 40 units a month; a month without a trip has its place."""
    months = _every(months)
    most = max([m["spend"] for m in months] or [0]) or 1
    bars = []
    for i, month in enumerate(months):
        height = max(0.0, 80 * month["spend"] / most)
        bars.append(
            f'<rect x="{40 * i + 4}" y="{90 - height:.1f}" width="32" height="{height:.1f}"><title>'
            f"{_safe(month['month'])}: {month['spend']:,.2f}</title></rect>"
            f'<text x="{40 * i + 20}" y="101" text-anchor="middle">{_safe(month["month"])}</text>'
        )
    return f'<svg viewBox="0 0 {max(40 * len(months), 200)} 104" role="img">{"".join(bars)}</svg>'


def _every(months: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All months from the first to the last, 0 where nothing was spent."""
    spent = {m["month"]: m["spend"] for m in months}
    if not spent:
        return []
    first, last = (12 * int(m[:4]) + int(m[5:]) - 1 for m in (min(spent), max(spent)))
    whole = [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in range(first, last + 1)]
    return [{"month": month, "spend": spent.get(month, 0.0)} for month in whole]


def _tastes(doc: dict[str, Any], language: str) -> str:
    words, currency = WORDS[language], doc["shop"]["currency"]
    rows = [
        (t["name"][language], f"{currency}{t['spend']:,.2f}", f"{t['trips']:,}", f"{t['lift']:.1f}×")
        for t in doc["tastes"]
    ]
    head = (words["category"], words["spend"], words["trips"], words["lift"])
    return _table(words["tastes"], head, rows)


def _likely(doc: dict[str, Any], language: str) -> str:
    words = WORDS[language]
    rows = [(p["name"][language], percent(p["probability"])) for p in doc["likely"]]
    return _table(words["likely"], (words["category"], words["chance"]), rows)


def outlook_words(doc: dict[str, Any], language: str) -> list[tuple[str, str]]:
    """(what, estimate) of each prediction, as plain text; none where there are none."""
    told, words, currency = doc["predictions"], WORDS[language], doc["shop"]["currency"]
    if told is None:
        return []
    order, value = told["next_order"], told["value"]
    money = [f"{currency}{value[name]:,.0f}" for name in ("expected", "low", "high")]
    return [
        (words["order"], _when(order, words)),
        (words["away"], percent(told["churn"]["probability"])),
        (words["money"], words["range"].format(words["about"].format(money[0]), *money[1:])),
    ]


def _when(order: dict[str, Any], words: dict[str, str]) -> str:
    said = words["about"].format(order["median"]) if order["median"] else words["later"]
    if order["low"] is None:
        return said
    return words["range"].format(said, order["low"], order["high"] or words["beyond"])


def _outlook(doc: dict[str, Any], language: str) -> str:
    words, rows = WORDS[language], outlook_words(doc, language)
    if not rows:
        return ""
    honest = words["honest"].format(doc["predictions"]["as_of"])
    cells = "".join(f"<tr><td>{_safe(name)}</td><td>{_safe(said)}</td></tr>" for name, said in rows)
    return f"<h2>{words['next']}</h2><table>{cells}</table><p><small>{_safe(honest)}</small></p>"


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""

    def cell(tag: str, i: int, text: str) -> str:
        return f"<{tag}{' class=n' if i else ''}>{_safe(text)}</{tag}>"

    lines = ["".join(cell("th", i, text) for i, text in enumerate(head))]
    lines += ["".join(cell("td", i, text) for i, text in enumerate(row)) for row in rows]
    return f"<h2>{title}</h2><table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def percent(share: float) -> str:
    """In whole per cent; what is not certain is never told as if it were."""
    if 0.99 < share < 1:
        return ">99%"
    return "<1%" if 0 < share < 0.01 else f"{share:.0%}"


def _safe(text: object) -> str:
    return html.escape(str(text), quote=True)
