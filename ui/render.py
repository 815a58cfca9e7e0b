"""The chat as HTML: pure functions from what is known of a turn to the markup of its bubble.

All text goes through `escape`, so nothing that a model, the data or an asker wrote is markup.
"""

from __future__ import annotations

from typing import Any

from agent.events import Citation, Offer, Reply
from ui.escape import answer, inert
from ui.texts import text, tool_words
from ui.turns import StepLine, TurnView


def messages(turns: list[TurnView]) -> list[dict[str, Any]]:
    """Return a conversation as the chat's messages."""
    out: list[dict[str, Any]] = []
    for view in turns:
        out.append({"role": "user", "content": question(view.question)})
        out.append({"role": "assistant", "content": turn(view)})
    return out


def question(asked: str) -> str:
    """Return the asker's own words, lines kept."""
    return '<div class="asked">' + "<br>".join(inert(line) for line in asked.splitlines()) + "</div>"


def turn(view: TurnView) -> str:
    """Return the bubble of one turn in one line (a blank line would end an HTML block)."""
    said = f'<div class="answer">{answer(view.text)}</div>' if view.text else ""
    parts = [_steps(view), said, _state(view)]
    if view.reply is not None:
        unlisted = tuple(offer for offer in view.reply.recommendations if offer.name not in view.text)
        parts += [_offers(unlisted, view.language), _handoff(view.reply, view.language)]
    if view.status == "done":
        parts += [_facts(view.facts, view.language), _foot(view)]
    return f'<div class="turn {view.status}">' + "".join(parts) + "</div>"


def _steps(view: TurnView) -> str:
    if not view.steps:
        return ""
    running = view.status in ("waiting", "running")
    lines = "".join(_step(line, view.language, running) for line in view.steps)
    if view.status != "done":
        return f'<ul class="steps live">{lines}</ul>'
    seconds = view.reply.timings_ms.get("total", 0.0) / 1000 if view.reply else 0.0
    key = "step_done" if len(view.steps) == 1 else "steps_done"
    summary = inert(text(key, view.language, n=len(view.steps), seconds=f"{seconds:.1f}"))
    return f'<details class="steps"><summary>{summary}</summary><ul>{lines}</ul></details>'


def _step(line: StepLine, language: str, running: bool) -> str:
    note = ""
    if line.facts:
        note = text("fact_found" if line.facts == 1 else "facts_found", language, n=line.facts)
    state = "ok" if line.done else "busy" if running else "left"
    found = f'<span class="note">{inert(note)}</span>' if note else ""
    return f'<li class="{state}"><span class="mark"></span><span>{inert(line.text)}</span>{found}</li>'


def _state(view: TurnView) -> str:
    match view.status:
        case "waiting":
            return _busy("queued", view.language)
        case "running" if not view.steps and not view.text:
            return _busy("working", view.language)
        case "running" if not view.text and all(line.done for line in view.steps):
            return _busy("writing", view.language)
        case "stopped" | "failed":
            words = text(view.status, view.language)
            if view.trouble:
                words = text("trouble", view.language, why=view.trouble)
            return f'<p class="{view.status}-note">{inert(words)}</p>'
    return ""


def _busy(key: str, language: str) -> str:
    return f'<p class="busy-note"><span class="mark"></span>{inert(text(key, language))}</p>'


def _offers(offers: tuple[Offer, ...], language: str) -> str:
    if not offers:
        return ""
    best = max(offer.score for offer in offers)
    cards = "".join(_offer(rank, offer, best) for rank, offer in enumerate(offers, 1))
    title = inert(text("recommendations", language))
    return f'<div class="offers"><h4>{title}</h4><ol>{cards}</ol></div>'


def _offer(rank: int, offer: Offer, best: float) -> str:
    width = 100 * max(0.04, min(1.0, offer.score / best)) if best > 0 else 4
    return (
        f'<li><span class="rank">{rank}</span><div><b>{inert(offer.name)}</b>'
        f'<span class="why">{inert(offer.reason)}</span>'
        f'<span class="bar"><i style="width:{width:.0f}%"></i></span></div></li>'
    )


def _handoff(reply: Reply, language: str) -> str:
    if reply.handoff is None:
        return ""
    brief = "<br>".join(inert(line) for line in reply.handoff.brief.splitlines())
    title = inert(text("handoff", language))
    return f'<div class="handoff"><h4>{title}</h4><p>{inert(reply.handoff.reason)}</p><p>{brief}</p></div>'


def _facts(facts: list[Citation], language: str) -> str:
    if not facts:
        return ""
    rows = "".join(
        f'<li><span class="n">{fact.n}</span><span>{inert(fact.fact)}'
        f" <em>{inert(tool_words(fact.tool, language))}</em></span></li>"
        for fact in facts
    )
    title = inert(text("facts", language, n=len(facts)))
    return f'<details class="facts"><summary>{title}</summary><ul>{rows}</ul></details>'


def _foot(view: TurnView) -> str:
    notes = []
    grounding = view.reply.grounding if view.reply else None
    if grounding and grounding.claims:
        notes.append(text("grounded", view.language, supported=grounding.supported, claims=grounding.claims))
    if grounding and grounding.dropped:
        notes.append(text("dropped", view.language, n=grounding.dropped))
    words = "".join(f"<span>{inert(note)}</span>" for note in notes)
    copy = inert(text("copy", view.language))
    return f'<div class="foot">{words}<button type="button" class="copy">{copy}</button></div>'
