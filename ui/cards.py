"""Cards and tables beside the chat as HTML: the shop, one customer, the segments. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from customers.errors import NotBuilt
from customers.profiles.page import SOURCES, percent
from customers.values import CategoryTaste, Label, Outlook, Profile, Propensity, Segment, ShopInfo
from ui.escape import inert
from ui.palette import segment_colour
from ui.ports import ShopView
from ui.texts import text

_TOP = 5
# A share within 15 % of everybody's is no news.
_LIFT_NEWS = 0.15


def money(amount: float, currency: str) -> str:
    """Return an amount as people write it: no cents from 100 on."""
    return f"{currency}{amount:,.0f}" if abs(amount) >= 100 else f"{currency}{amount:,.2f}"


def chance(probability: float) -> str:
    """Return a probability in whole per cent; never a false certainty."""
    if probability > 0.99:
        return ">99%"
    return "<1%" if probability < 0.01 else f"{probability:.0%}"


def lift_words(lift: float, language: str) -> str:
    """Return in words how a share compares with everybody's (1 = the same)."""
    if abs(lift - 1) <= _LIFT_NEWS:
        return text("lift_same", language)
    digits = f"{lift:.0f}" if lift >= 10 else f"{lift:.1f}"
    return text("lift_high" if lift > 1 else "lift_low", language, lift=digits)


def note(key: str, language: str, **values: object) -> str:
    """Return one friendly line as a card."""
    return f'<div class="card notice">{inert(text(key, language, **values))}</div>'


def shop(info: ShopInfo, segments: Sequence[Segment], language: str) -> str:
    """Return what stands in the customer's place while none is picked: the shop at a glance."""
    told = figures(
        [
            (text("customers", language), f"{info.customers:,}", ""),
            (text("products", language), f"{info.products:,}", ""),
            (text("events", language), f"{info.events:,}", ""),
        ]
    )
    bars = "".join(
        _bar(s.name[language], f"{s.share:.0%}", s.share, segment_colour(i)) for i, s in enumerate(segments)
    )
    return (
        f'<div class="card"><p class="hint">{inert(text("no_customer", language))}</p>'
        f"<h3>{inert(text('glance', language))}</h3>"
        f'<p class="sub">{inert(info.name)} · {inert(f"{info.first_day} – {info.last_day}")}</p>'
        f'{told}<div class="bars">{bars}</div></div>'
    )


def customer(profile: Profile, shop_view: ShopView, language: str) -> str:
    """Return the profile card of one customer."""
    title = inert(text("customer", language, customer=profile.customer_id))
    known = text("known_since", language, first=profile.first_day, last=profile.last_day)
    return (
        f'<div class="card profile"><header><div><h3>{title}</h3><p class="sub">{inert(known)}</p></div>'
        f"{_segment_pill(profile, shop_view, language)}</header>"
        f"{figures(_profile_figures(profile, shop_view.info.currency, language))}"
        f"{_tastes(profile.top_categories[:_TOP], shop_view.info.currency, language)}"
        f"{_likely(profile.likely[:_TOP], language)}"
        f"{_outlook(profile.outlook, shop_view.info.currency, language)}"
        f"{_labels(_labels_of(shop_view, profile.customer_id), language)}"
        f"{_household(profile, shop_view, language)}</div>"
    )


# The rest of the card tells of segment, household and chances already.
_CHIP_KINDS = ("behaviour", "product", "interest", "need", "opinion")
_MOST_CHIPS = 16


def _labels_of(shop_view: ShopView, customer_id: str) -> list[Label]:
    """None for a shop that was built before there were labels."""
    try:
        return shop_view.labels(customer_id)
    except NotBuilt:
        return []


def _labels(labels: Sequence[Label], language: str) -> str:
    """Labels as chips, each with how sure it is and, on pointing at it, its figure and source."""
    shown = [one for one in labels if one.kind in _CHIP_KINDS and not one.key.startswith("segment:")]
    if not shown:
        return ""
    chips = "".join(
        f'<span title="{inert(text("label_tip", language, value=one.value, source=_source(one, language)))}">'
        f"<small>{inert(text('label_' + one.kind, language))} · {inert(percent(one.confidence))}</small>"
        f"{inert(one.name[language])}</span>"
        for one in shown[:_MOST_CHIPS]
    )
    return f'<h4>{inert(text("labels", language))}</h4><div class="chips labels">{chips}</div>'


def _source(label: Label, language: str) -> str:
    return SOURCES.get(label.source, label.source) if language == "zh" else label.source


def _segment_pill(profile: Profile, shop_view: ShopView, language: str) -> str:
    if profile.segment is None:
        return f'<span class="pill">{inert(text("no_segment", language))}</span>'
    ids = [s.segment_id for s in shop_view.segments()]
    own = profile.segment.segment_id
    colour = segment_colour(ids.index(own) if own in ids else 0)
    name = inert(profile.segment.name[language])
    return f'<span class="pill"><i style="background:{colour}"></i>{name}</span>'


def _profile_figures(profile: Profile, currency: str, language: str) -> list[tuple[str, str, str]]:
    days = profile.recency_days
    seen = text("days_before_end", language, days=days) if days else text("on_last_day", language)
    if days == 1:
        seen = text("day_before_end", language)
    gap = "–"
    if profile.days_between is not None:
        every = f"{profile.days_between:.3g}"
        gap = text("day" if every == "1" else "days", language, days=every)
    return [
        (text("spend", language), money(profile.spend, currency), ""),
        (text("trips", language), f"{profile.baskets:,}", ""),
        (text("mean_basket", language), money(profile.mean_basket, currency), ""),
        (text("last_visit", language), str(profile.last_day), seen),
        (text("every_days", language), gap, ""),
        (text("campaigns", language), f"{profile.campaigns_received} · {profile.coupons_redeemed}", ""),
    ]


def figures(rows: Sequence[tuple[str, str, str]]) -> str:
    """Return figures side by side: rows of label, value and a small line under it (or "")."""
    cells = "".join(
        f"<div><dt>{inert(label)}</dt><dd>{inert(value)}"
        f"{f'<small>{inert(more)}</small>' if more else ''}</dd></div>"
        for label, value, more in rows
    )
    return f'<dl class="figures">{cells}</dl>'


def _tastes(tastes: Sequence[CategoryTaste], currency: str, language: str) -> str:
    if not tastes:
        return ""
    rows = "".join(
        f"<tr><td>{inert(taste.name[language])}<small>{inert(lift_words(taste.lift, language))}</small></td>"
        f'<td class="num">{inert(money(taste.spend, currency))}</td></tr>'
        for taste in tastes
    )
    return f"<h4>{inert(text('top_categories', language))}</h4><table>{rows}</table>"


def _likely(likely: Sequence[Propensity], language: str) -> str:
    if not likely:
        return ""
    bars = "".join(_bar(p.name[language], chance(p.probability), p.probability) for p in likely)
    return f'<h4>{inert(text("likely", language))}</h4><div class="bars">{bars}</div>'


def _outlook(outlook: Outlook | None, currency: str, language: str) -> str:
    """Next order, leaving and money, said as the estimates that they are; "" where there are none."""
    if outlook is None:
        return ""

    def whole(amount: float) -> str:  # cents would feign certainty
        return f"{currency}{amount:,.0f}"

    low, high = whole(outlook.value_low), whole(outlook.value_high)
    told = figures(
        [
            (text("next_order", language), *_next_order(outlook, language)),
            (text("churn", language), chance(outlook.churn), text("churn_usual", language)),
            (
                text("value", language),
                text("about", language, value=whole(outlook.value)),
                text("eight_of_ten", language, low=low, high=high),
            ),
        ]
    )
    note = text("outlook_note", language, day=outlook.as_of)
    return f'<h4>{inert(text("outlook", language))}</h4><div class="outlook">{told}</div><p class="sub">{inert(note)}</p>'


def _next_order(outlook: Outlook, language: str) -> tuple[str, str]:
    """The date in the middle, and the range under it; beyond 90 days no date is told."""
    day = outlook.next_order
    said = text("beyond", language) if day is None else text("about", language, value=day)
    if outlook.next_low is None:
        return said, ""
    high = outlook.next_high or text("beyond_range", language)
    return said, text("eight_of_ten", language, low=outlook.next_low, high=high)


def _bar(label: str, value: str, share: float, colour: str = "") -> str:
    fill = f";background:{colour}" if colour else ""
    width = 100 * max(0.0, min(1.0, share))
    return (
        f'<div class="row"><span>{inert(label)}</span><b>{inert(value)}</b>'
        f'<span class="bar"><i style="width:{width:.0f}%{fill}"></i></span></div>'
    )


def _household(profile: Profile, shop_view: ShopView, language: str) -> str:
    title = f"<h4>{inert(text('household', language))}</h4>"
    if not profile.attributes:
        return f'{title}<p class="sub">{inert(text("no_household", language))}</p>'
    chips = "".join(
        f"<span><small>{inert(shop_view.name('attribute', key)[language])}</small>"
        f"{inert(shop_view.name('attribute_value', f'{key}={value}')[language])}</span>"
        for key, value in profile.attributes.items()
    )
    return f'{title}<div class="chips">{chips}</div>'


def segments(rows: Sequence[Segment], info: ShopInfo, language: str) -> str:
    """Return the table of segments."""
    if not rows:
        return note("no_segments", language)
    head = "".join(
        f"<th>{inert(text(key, language))}</th>"
        for key in ("segment", "size", "share", "mean_spend", "mean_trips", "mean_recency", "defining")
    )
    body = "".join(_segment_row(i, s, info.currency, language) for i, s in enumerate(rows))
    intro = inert(text("segments_intro", language, first=info.first_day, last=info.last_day))
    return (
        f'<p class="sub">{intro}</p><div class="scroll"><table class="segments"><thead><tr>{head}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
    )


def _segment_row(index: int, segment: Segment, currency: str, language: str) -> str:
    figures = (
        f"{segment.size:,}",
        f"{segment.share:.1%}",
        money(segment.mean_spend, currency),
        f"{segment.mean_baskets:,.0f}",
        f"{segment.mean_recency_days:,.0f}",
    )
    cells = "".join(f'<td class="num">{inert(figure)}</td>' for figure in figures)
    apart = "".join(
        f"<span>{inert(taste.name[language])} <b>{inert(f'{taste.lift:.1f}×')}</b></span>"
        for taste in segment.top[:_TOP]
    )
    return (
        f'<tr><td><i class="dot" style="background:{segment_colour(index)}"></i>'
        f'{inert(segment.name[language])}</td>{cells}<td class="apart">{apart}</td></tr>'
    )
