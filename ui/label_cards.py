"""Labelling as HTML: the unit at hand, the progress, who agrees with whom. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from customers.labels.agreement import FEW, Agreement, Kappa, Report
from customers.labels.values import LabelTask, Unit
from ui.escape import inert
from ui.texts import text


def unit_card(task: LabelTask, unit: Unit, language: str, said: str = "") -> str:
    """Return the unit to label with the question. said: the label that the person gave it before."""
    about = text("label_about", language, context=unit.context) if unit.context else ""
    earlier = text("label_said", language, label=shown(task, said, language)) if said else ""
    words = "<br>".join(inert(line) for line in unit.text.splitlines())
    return (
        f'<div class="card label-unit"><h3>{inert(task.question[language])}</h3>'
        f"{_line(about)}<blockquote>{words}</blockquote>{_line(earlier)}</div>"
    )


def shown(task: LabelTask, key: str, language: str) -> str:
    """Return a label as people see it; its key where the task no longer has it."""
    return task.label(key).name[language] if key in task.keys else key


def meanings(task: LabelTask, language: str) -> str:
    """Return what each label means, folded away."""
    told = "".join(
        f"<li><b>{inert(one.name[language])}</b> {inert(one.description[language])}</li>"
        for one in task.labels
    )
    shown_examples = "".join(
        f"<li>{inert(words)} → <b>{inert(shown(task, key, language))}</b></li>"
        for words, key in task.examples
    )
    more = f"<p>{text('label_examples', language)}</p><ul>{shown_examples}</ul>" if shown_examples else ""
    return (
        f'<details class="label-meanings"><summary>{text("label_meanings", language)}</summary>'
        f'<ul>{told}</ul>{more}</details><p class="sub">{text("label_keys", language)}</p>'
    )


def progress(done: int, every: int, who: str, language: str) -> str:
    """Return how far a person is."""
    share = done / every if every else 0.0
    words = text("label_progress", language, done=done, all=every, who=who)
    return (
        f'<div class="label-progress"><span>{inert(words)}</span>'
        f'<span class="bar"><i style="width:{share:.0%}"></i></span></div>'
    )


def notice(words: str) -> str:
    """Return one friendly line as a card."""
    return f'<div class="card notice">{inert(words)}</div>'


def report(task: LabelTask, found: Report, language: str) -> str:
    """Return who labelled how much, and how far they agree."""
    if not found.labellers:
        return f'<div class="card"><p class="sub">{text("label_nobody", language)}</p></div>'
    rows = "".join(
        f'<tr><td>{inert(one.labeller.words)}</td><td class="num">{one.units}</td>'
        f'<td class="num">{one.unreadable or ""}</td></tr>'
        for one in found.labellers
    )
    heads = f"<tr><th>{text('label_labeller', language)}</th>" + "".join(
        f'<th class="num">{text(key, language)}</th>' for key in ("label_count", "label_unreadable")
    )
    pairs = "".join(_pair(task, one, language) for one in found.agreements)
    alone = inert(text("label_alone", language, task=task.name))
    return (
        f'<div class="card label-report"><h4>{text("label_labellers", language)}</h4>'
        f"<table>{heads}</tr>{rows}</table><h4>{text('label_agreement', language)}</h4>"
        f"{pairs or _line(alone, raw=True)}{_line(text('label_explained', language)) if pairs else ''}</div>"
    )


def agreement_lines(task: LabelTask, found: Agreement, language: str) -> list[str]:
    """Return an agreement in plain lines."""
    share = f"{found.same / found.units:.0%}" if found.units else "–"
    lines = [text("label_same", language, same=found.same, n=found.units, share=share)]
    for key, kappa in (("label_kappa", found.kappa), ("label_weighted", found.weighted)):
        if kappa is not None and kappa.value is not None:
            lines.append(text(key, language, **figures(kappa)))
    if found.kappa.value is None:
        lines.append(text("label_undefined", language))
    if found.units < FEW:
        lines.append(text("label_few", language, n=found.units))
    return lines


def figures(kappa: Kappa) -> dict[str, str]:
    """Return a kappa's figures as people read them; "–" for one that is undefined."""
    both = {"value": kappa.value, "low": kappa.low, "high": kappa.high}
    return {name: "–" if value is None else f"{value:.2f}" for name, value in both.items()}


def _pair(task: LabelTask, found: Agreement, language: str) -> str:
    names = {"one": found.one.words, "other": found.other.words}
    lines = "".join(f"<p>{inert(line)}</p>" for line in agreement_lines(task, found, language))
    return (
        f'<section class="label-pair"><h5>{inert(text("label_pair", language, **names))}</h5>{lines}'
        f"<details><summary>{inert(text('label_confusion', language, **names))}</summary>"
        f'<div class="scroll">{_confusion(task, found.confusion, language)}</div></details></section>'
    )


def _confusion(task: LabelTask, table: Sequence[Sequence[int]], language: str) -> str:
    names = [inert(label.name[language]) for label in task.labels]
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(
        f"<tr><th>{name}</th>"
        + "".join(f'<td class="num{" same" if i == j else ""}">{n or ""}</td>' for j, n in enumerate(row))
        + "</tr>"
        for i, (name, row) in enumerate(zip(names, table, strict=True))
    )
    return f'<table class="confusion"><tr><th></th>{head}</tr>{rows}</table>'


def _line(words: str, *, raw: bool = False) -> str:
    return f'<p class="sub">{words if raw else inert(words)}</p>' if words else ""
