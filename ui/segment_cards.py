"""A card for each segment as HTML: who is in it, what they buy, and how it moved. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from customers.errors import Unknown
from customers.values import Segment, SegmentTrait, TogetherRule
from ui.cards import chance, figures, money
from ui.escape import inert
from ui.palette import segment_colour
from ui.ports import ShopView
from ui.texts import text

_TOP = 6
_TRAITS = 6
_MOVES = 3


def cards(segments: Sequence[Segment], shop: ShopView, language: str) -> str:
    """Return the cards of all segments, in a grid; nothing where there are none."""
    if not segments:
        return ""
    compared = any(segment.moves for segment in segments)
    spent = sum(segment.size * segment.mean_spend for segment in segments)
    made = "".join(_card(i, segment, shop, spent, compared, language) for i, segment in enumerate(segments))
    return f'<div class="segment-grid">{made}</div>'


def _card(index: int, one: Segment, shop: ShopView, spent: float, compared: bool, language: str) -> str:
    size = text("segment_size", language, size=f"{one.size:,}", share=f"{one.share:.1%}")
    told = [
        (text("mean_spend", language), money(one.mean_spend, shop.info.currency), ""),
        (text("mean_trips", language), f"{one.mean_baskets:,.0f}", ""),
        (text("of_all_spend", language), f"{one.size * one.mean_spend / spent:.0%}" if spent else "–", ""),
    ]
    return (
        f'<div class="card segment-card"><h3><i class="dot" style="background:{segment_colour(index)}"></i>'
        f'{inert(one.name[language])}</h3><p class="sub">{inert(size)}</p>{figures(told)}'
        f"{_apart(one, language)}{_together(one.together, language)}{_traits(one.traits, shop, language)}"
        f"{_examples(one.examples, language)}{_moved(one, compared, language)}</div>"
    )


def _title(key: str, language: str, hint: str = "") -> str:
    small = f" <small>{inert(text(hint, language))}</small>" if hint else ""
    return f"<h4>{inert(text(key, language))}{small}</h4>"


def _apart(one: Segment, language: str) -> str:
    if not one.top:
        return ""
    chips = "".join(
        f"<span>{inert(taste.name[language])} <b>{inert(f'{taste.lift:.1f}×')}</b></span>"
        for taste in one.top[:_TOP]
    )
    return f'{_title("apart", language, "apart_hint")}<div class="apart">{chips}</div>'


def _together(rules: Sequence[TogetherRule], language: str) -> str:
    if not rules:
        return ""
    rows = "".join(
        f'<tr title="{inert(text("together_tip", language, n=f"{rule.customers:,}"))}">'
        f"<td>{inert(' + '.join(name[language] for name in rule.when))} → {inert(rule.then[language])}</td>"
        f'<td class="num">{inert(chance(rule.confidence))} · {inert(f"{rule.lift:.1f}×")}</td></tr>'
        for rule in rules
    )
    return f"{_title('together', language, 'together_hint')}<table>{rows}</table>"


def _traits(traits: Sequence[SegmentTrait], shop: ShopView, language: str) -> str:
    if not traits:
        return f'{_title("traits", language)}<p class="sub">{inert(text("no_traits", language))}</p>'
    chips = "".join(
        f"<span><small>{inert(shop.name('attribute', one.attribute)[language])}</small>"
        f"{inert(_value(one, shop, language))} <b>{inert(_share(one, language))}</b></span>"
        for one in traits[:_TRAITS]
    )
    return f'{_title("traits", language)}<div class="chips">{chips}</div>'


def _value(one: SegmentTrait, shop: ShopView, language: str) -> str:
    try:
        return shop.name("attribute_value", f"{one.attribute}={one.value}")[language]
    except Unknown:
        return one.value


def _share(one: SegmentTrait, language: str) -> str:
    return text("trait_share", language, share=f"{one.share:.0%}", usual=f"{one.usual:.0%}")


def _examples(customers: Sequence[str], language: str) -> str:
    if not customers:
        return ""
    chips = "".join(f"<span>{inert(customer)}</span>" for customer in customers)
    return f'{_title("examples", language)}<div class="chips">{chips}</div>'


def _moved(one: Segment, compared: bool, language: str) -> str:
    title = _title("moved", language)
    if not compared:
        return f'{title}<p class="sub">{inert(text("moved_first", language))}</p>'
    stayed = next((move for move in one.moves if move.matched), None)
    parts = []
    if stayed is None or one.size_before is None:
        lead = text("moved_new", language)
    elif stayed.customers == one.size_before == one.size:
        lead = text("moved_same", language, now=f"{one.size:,}")
    else:
        lead = text("moved_size", language, before=f"{one.size_before:,}", now=f"{one.size:,}")
        parts = [text("moved_stayed", language, n=f"{stayed.customers:,}")]
        if left := one.size_before - stayed.customers:
            parts.append(text("moved_left", language, n=f"{left:,}"))
    came = [move for move in one.moves if not move.matched and move.name is not None][:_MOVES]
    parts += [
        text("moved_from", language, n=f"{move.customers:,}", name=move.name[language])
        for move in came
        if move.name is not None
    ]
    parts += [
        text("moved_fresh", language, n=f"{move.customers:,}") for move in one.moves if move.name is None
    ]
    lines = [("，" if language == "zh" else ", ").join(parts)] if parts else []
    if stayed and stayed.name and stayed.name[language] != one.name[language]:
        lines.append(text("moved_called", language, name=stayed.name[language]))
    more = "".join(f'<p class="sub">{inert(line)}</p>' for line in lines)
    return f'{title}<p class="moved">{inert(lead)}</p>{more}'
