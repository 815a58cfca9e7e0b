"""A comparison as one HTML file: plots, tables and the flipped cases, with nothing fetched from anywhere.

What comes from data or a model passes `_e` on its way in. The page's own policy lets no script run but its own,
which is named by its hash, so that a text that got past would still do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape
from importlib import resources
from pathlib import Path

from eval import page_plots, wording
from eval.comparison import About, Comparison, Flip, Row, Side
from eval.spending import SuiteSpend
from eval.wording import amount, points

_WORDS = re.compile(r"[\u3400-\u9fff]|\s+|\d+(?:[.,]\d+)*|[^\W\u3400-\u9fff]+|[^\w\s]")
_LONGEST = 600  # words; marking what differs in longer answers takes too long
_CHANGES = {"worse": "worse", "better": "better", "mixed": "mixed", "same": "no difference shown"}


def write(comparison: Comparison, path: Path) -> None:
    """Write the page. Raises ValueError, in one line, where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            render(comparison), encoding="utf-8", errors="replace"
        )  # a model may write half a character
    except OSError as error:
        raise ValueError(
            f"the page cannot be written to {path} ({error}); name a file in a folder of yours."
        ) from error


def render(comparison: Comparison) -> str:
    """Return the whole page."""
    found = comparison
    style, script = (_own(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:"
    )
    sections = [
        _verdict(found),
        _differences(found.rows, "Score by suite and language", "Suite"),
        _differences(found.aspects, "Aspects checked", "Aspect") if found.aspects else "",
        _passes(found),
        _costs(found),
        _flips(found.flips),
        _method(found),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{_e(found.b.name)} compared with {_e(found.a.name)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(sections)}</main><script>{script}</script></body></html>\n"
    )


def _own(name: str) -> str:
    return (resources.files("eval") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _e(text: object) -> str:
    return escape(str(text), quote=True)


# the verdict ---------------------------------------------------------------------------------
def _verdict(found: Comparison) -> str:
    lines = [wording.unseen(found), f"Changed: {differs}." if (differs := wording.changed(found)) else ""]
    warned = "".join(f"<li>{_e(line)}</li>" for line in wording.warnings(found))
    return (
        f'<header class="{found.verdict}"><p class="badge">{_CHANGES[found.verdict]}</p>'
        f"<h1>{_e(wording.verdict(found))}</h1><p>{_e(wording.figures(found))}</p>"
        f"{''.join(f'<p>{_e(line)}</p>' for line in lines if line)}"
        f"{_tiles(found)}<div class='runs'>{_about('A', found.a)}{_about('B', found.b)}</div>"
        f"{f'<ul class=mind>{warned}</ul>' if warned else ''}</header>"
    )


def _tiles(found: Comparison) -> str:
    a, b, whole = found.spend[0].a, found.spend[0].b, found.whole
    lost, won = (sum(f.became == became for f in found.flips) for became in ("wrong", "right"))
    tiles = [
        (
            "Score",
            wording.percent(whole.a),
            wording.percent(whole.b),
            f"{points(whole.difference.value)} points",
        ),
        *(
            (
                f"{name[0].upper()}{name[1:]} a right answer",
                amount(x, digits),
                amount(y, digits),
                wording.relative(x, y),
            )
            for name, digits, x, y in wording.cost_rows(a, b)
            if name != "LLM calls"
        ),
    ]
    shown = "".join(
        f'<div class="tile"><h3>{name}</h3><p><span class="a">{x}</span> → <span class="b">{y}</span></p>'
        f"<small>{note}</small></div>"
        for name, x, y, note in tiles
    )
    return (
        f'<div class="tiles">{shown}<div class="tile"><h3>Flipped cases</h3><p><span class="worse">{lost} lost</span>, '
        f'<span class="better">{won} won</span></p><small>of {whole.difference.n}</small></div></div>'
    )


def _about(letter: str, about: About) -> str:
    digest = f"<code>{_e(about.prompts_digest[:8])}</code>"
    return (
        f'<div class="run {letter.lower()}"><b>{letter}</b><div><strong>{_e(about.name)}</strong>'
        f"<span>{_e(about.model)} · prompts: {_e(about.prompts)} {digest} · seed {about.seed}</span>"
        f"<span>{about.cases} cases, {about.trials} trials, {about.failed} broken off · {_e(about.started)}</span>"
        "</div></div>"
    )


# differences ---------------------------------------------------------------------------------
def _differences(rows: Sequence[Row], title: str, first: str) -> str:
    axis = page_plots.scale([end for r in rows for end in (r.difference.low, r.difference.high)])
    head = (
        f'<tr><th scope="col">{first}</th><th scope="col" class="plotted">'
        f"<span>B − A, points, with its 95 % interval</span>{page_plots.ticks(axis)}</th>"
        '<th scope="col">A</th><th scope="col">B</th><th scope="col">B − A</th><th scope="col">cases</th></tr>'
    )
    body = "".join(_difference(row, axis) for row in rows)
    doubtful = wording.doubtful(rows)
    return (
        f'<section><h2>{title}</h2><table class="rows"><thead>{head}</thead><tbody>{body}</tbody></table>'
        f"{f'<p><small>{doubtful}</small></p>' if doubtful else ''}</section>"
    )


def _difference(row: Row, axis: page_plots.Scale) -> str:
    name = wording.language(row.language) if row.language else wording.place(row)
    kind = "language" if row.language else ("whole" if not row.suite and not row.aspect else "suite")
    mark = f' <span class="mark {row.change}">{row.hint}</span>' if row.hint else ""
    return (
        f'<tr class="{kind}"><th scope="row">{_e(name)}{mark}</th>'
        f'<td class="plotted">{page_plots.difference(row, axis)}</td>'
        f'<td class="num" data-name="A">{wording.percent(row.a)}</td>'
        f'<td class="num" data-name="B">{wording.percent(row.b)}</td>'
        f'<td class="num by {row.change}"><b>{points(row.difference.value)}</b>'
        f"<small>{wording.interval(row.difference)}</small></td>"
        f'<td class="num" data-name="cases">{row.difference.n}</td></tr>'
    )


def _passes(found: Comparison) -> str:
    if not found.passes:
        return ""
    body = "".join(
        f'<tr class="suite"><th scope="row">{row.k} of {row.k} right (pass^{row.k})</th>'
        f'<td class="plotted">{page_plots.passes(row)}</td>'
        f'<td class="num" data-name="A">{wording.percent(row.a)}</td>'
        f'<td class="num" data-name="B">{wording.percent(row.b)}</td>'
        f'<td class="num" data-name="cases">{row.a.n}</td></tr>'
        for row in found.passes
    )
    head = (
        '<tr><th scope="col">All trials right</th><th scope="col" class="plotted"><span>0 to 100 %, with 95 % '
        'intervals: A above, B below</span></th><th scope="col">A</th><th scope="col">B</th><th scope="col">cases</th></tr>'
    )
    return (
        '<section><h2>Over repeated trials</h2><table class="rows passes">'
        f"<thead>{head}</thead><tbody>{body}</tbody></table></section>"
    )


# cost ----------------------------------------------------------------------------------------
def _costs(found: Comparison) -> str:
    whole = found.spend[0]
    cards = "".join(
        f'<div class="cost"><h3>{_e(name[0].upper() + name[1:])} a right answer '
        f"<small>{wording.relative(a, b)}</small></h3>"
        f"{_bars(a, b, digits)}</div>"
        for name, digits, a, b in wording.cost_rows(whole.a, whole.b)
    )
    priced = (
        ""
        if found.price is None
        else f"<p>Cost at {found.price:g} per million tokens, prompt and completion alike.</p>"
    )
    return f'<section><h2>Tokens and time</h2><div class="costs">{cards}</div>{priced}{_suites_took(found.spend)}</section>'


def _bars(a: float | None, b: float | None, digits: int) -> str:
    most = max(a or 0.0, b or 0.0)
    return "".join(
        f'<div class="line"><b>{letter.upper()}</b>{page_plots.bar(value, most, letter)}'
        f"<span>{amount(value, digits)}</span></div>"
        for letter, value in (("a", a), ("b", b))
    )


def _suites_took(spend: Sequence[SuiteSpend]) -> str:
    if len(spend) < 2:
        return ""
    body = "".join(
        f'<tr><th scope="row">{_e(taken.suite.replace("_", " ") or "all suites")}</th>'
        + "".join(
            f'<td class="num">{amount(value, digits)}</td>'
            for field, digits in (
                ("tokens_per_trial", 0),
                ("seconds_per_trial", 1),
                ("llm_calls_per_trial", 2),
            )
            for value in (getattr(taken.a, field), getattr(taken.b, field))
        )
        + "</tr>"
        for taken in spend
    )
    return (
        '<details><summary>Each suite, a trial</summary><div class="wide"><table class="took"><thead><tr><th></th>'
        '<th colspan="2">tokens: A, B</th><th colspan="2">seconds: A, B</th><th colspan="2">LLM calls: A, B</th></tr>'
        f"</thead><tbody>{body}</tbody></table></div></details>"
    )


# flipped cases -------------------------------------------------------------------------------
def _flips(flips: Sequence[Flip]) -> str:
    if not flips:
        return "<section><h2>Flipped cases</h2><p>None: every case came out alike.</p></section>"
    suites = sorted({flip.suite for flip in flips})
    languages = sorted({flip.language for flip in flips})
    choices = [
        ("became", "Lost and won", [("wrong", "Lost"), ("right", "Won")]),
        ("suite", "All suites", [(suite, suite.replace("_", " ")) for suite in suites]),
        ("language", "All languages", [(code, wording.language(code)) for code in languages]),
    ]
    selects = "".join(
        f'<select data-field="{field}" aria-label="{every}"><option value="">{every}</option>'
        + "".join(f'<option value="{_e(value)}">{_e(name)}</option>' for value, name in values)
        + "</select>"
        for field, every, values in choices
        if len(values) > 1
    )
    return (
        f'<section><h2>Flipped cases</h2><div class="filter" hidden>{selects}'
        '<input type="search" placeholder="Words in it" aria-label="Words in it"><output></output></div>'
        f"{''.join(_flip(flip) for flip in flips)}</section>"
    )


def _flip(flip: Flip) -> str:
    said_a, said_b = _marked(flip.a.answer, flip.b.answer)
    became, word = ("worse", "lost") if flip.became == "wrong" else ("better", "won")
    about = " · ".join(_e(part.replace("_", " ")) for part in (flip.suite, flip.topic) if part)
    return (
        f'<article data-became="{flip.became}" data-suite="{_e(flip.suite)}" data-language="{_e(flip.language)}">'
        f'<h3><span class="mark {became}">{word}</span> <span lang="{_e(flip.language)}">{_e(flip.question)}</span></h3>'
        f'<p class="of">{about} · {_e(wording.language(flip.language))} · <code>{_e(flip.case)}</code></p>'
        f'<div class="sides">{_side("A", flip.a, said_a, flip.language)}{_side("B", flip.b, said_b, flip.language)}</div>'
        "</article>"
    )


def _side(letter: str, side: Side, said: str, language: str) -> str:
    right = 2 * side.right > side.trials
    trials = (
        f"{side.right} of {side.trials} trials right" if side.trials > 1 else ("right" if right else "wrong")
    )
    why = "".join(f"<li>{_e(line)}</li>" for line in side.why)
    steps = "".join(f"<li><code>{_e(step)}</code></li>" for step in side.steps)
    return (
        f'<div class="side {letter.lower()} {"ok" if right else "bad"}"><h4>{letter} <small>{trials}</small></h4>'
        f'<p class="answer" dir="auto" lang="{_e(language)}">{said or "<i>no answer</i>"}</p>'
        f"{f'<ul class=why>{why}</ul>' if why else ''}{f'<ul class=steps>{steps}</ul>' if steps else ''}</div>"
    )


def _marked(a: str, b: str) -> tuple[str, str]:
    """Both texts escaped, with the words that only one of them has marked."""
    words = _WORDS.findall(a), _WORDS.findall(b)
    if not a or not b or max(map(len, words)) > _LONGEST:
        return _e(a), _e(b)
    sides: tuple[list[str], list[str]] = ([], [])
    matcher = SequenceMatcher(None, *words, autojunk=False)
    if matcher.ratio() < 0.5:  # little in common: nearly all would be marked
        return _e(a), _e(b)
    for kind, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        for side, text in zip(
            sides, ("".join(words[0][a_from:a_to]), "".join(words[1][b_from:b_to])), strict=True
        ):
            side.append(_e(text) if kind == "equal" or not text.strip() else f"<mark>{_e(text)}</mark>")
    return "".join(sides[0]), "".join(sides[1])


def _method(found: Comparison) -> str:
    return (
        "<footer><p>The case is the unit: its trials are averaged, and the same question in two languages is drawn "
        "together. Intervals are percentiles of 10,000 paired bootstrap draws. A row is called worse or better when its "
        "interval leaves out zero and a sign-flip test at 2.5 %, corrected by Holm over the suites, agrees. "
        f"A case is flipped when most of its trials became right or wrong. {_e(wording.gate_line(found))}</p></footer>"
    )
