"""profile: what is known of one customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from customers.errors import NotBuilt
from customers.values import Profile
from tools import names, notes, outlook, said, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

ABOUT = ("everything", "spending", "visits", "tastes", "attributes", "next", "notes")
NOTES = 3
# What is told with a part that is asked for, and what only who asks for it is told.
PARTS = {
    "tastes": ("tastes", "segment", "said"),
    "visits": ("visits", "next order", "churn"),
    "next": ("next", "next order", "churn"),
    "spending": ("spending", "value"),
    "attributes": ("attributes", "guesses"),
}
SELDOM = ("churn", "value", "guesses")


class ProfileTool:
    """Segment, spending, rhythm, tastes, attributes, likely next purchases and latest notes of a customer."""

    name = "profile"
    access = Access.READ
    describe = "who one customer is: segment, spending, visits, tastes, attributes, likely next purchases"
    busy = both(en="Looking up customer {customer}", zh="正在查看顾客 {customer} 的画像")
    parameters = {
        "customer": {"type": "string", "x-entity": "customer"},
        "about": {"type": "string", "enum": list(ABOUT)},
        "talk": {"type": "boolean", "x-modifier": "talk", "x-derived": True},
        "lost": {"type": "boolean", "x-modifier": "lost", "x-derived": True},
        "of": {"type": "array", "x-named": "category", "x-derived": True},
        "without": {"type": "object", "x-excluded": True, "x-derived": True},
    }
    required = ("customer", "about")

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return the facts of the part that was asked about; "everything" gives all parts. `talk`: what to mention to
        the customer, so nothing for adults only. `lost`: visits also tell the chance that they have not left. `of`: categories whose purchases are told first ("when did she last
        buy coffee"). `without`: goods that tastes leave out."""
        profile, about = shop.profile(args["customer"]), args.get("about", "everything")
        if gone := set((args.get("without") or {}).get("category", ())):
            kept = tuple(t for t in profile.top_categories if t.category not in gone)
            profile = replace(profile, top_categories=kept)
        if talk := bool(args.get("talk")):
            profile = _fit_to_mention(shop, profile)
        parts = {
            "segment": _segment(profile),
            "spending": _spending(shop, profile),
            "visits": _visits(profile),
            "tastes": _tastes(shop, profile),
            "said": [] if talk else _said(shop, profile),
            "written": [] if talk else said.latest(shop, profile.customer_id),
            "attributes": _attributes(shop, profile),
            "next": _next(profile),
            "next order": outlook.next_order(profile),
            "churn": outlook.churn(profile) + (outlook.alive(profile) if args.get("lost") else []),
            "value": outlook.value(shop, profile),
            "guesses": outlook.guesses(shop, profile),
            "notes": _notes(shop, profile, about),
        }
        wanted = PARTS.get(about, (about,))
        chosen = [
            f
            for part, facts in parts.items()
            if part in wanted or (about == "everything" and part not in SELDOM)
            for f in facts
        ]
        chosen = [_history(shop, profile, key) for key in args.get("of") or ()] + chosen
        if talk and not chosen:
            raise CannotDo(_nothing_to_mention(profile))
        # what is for adults only is told to who asks for it, and never suggested as a topic
        fit = next((t for t in profile.top_categories if t.category not in shop.for_adults), None)
        if (about != "everything" and not talk) or fit is None:
            return ToolResult(tuple(chosen), found=_found(shop, profile, about), full=profile)
        taste = names.called(fit.name)
        return ToolResult(
            tuple(chosen),
            lead=_to_mention(profile) if talk and about == "tastes" else None,
            slots={"taste": both(en=taste.en, zh=taste.zh)},
            cases=_cases(profile),
            found=_found(shop, profile, about),
            full=profile,
        )


def _fit_to_mention(shop: Shop, p: Profile) -> Profile:
    """A profile without what is for adults only, and without the segment, whose name may tell of it."""
    fit = tuple(t for t in p.top_categories if t.category not in shop.for_adults)
    likely = tuple(t for t in p.likely if t.category not in shop.for_adults)
    return replace(p, segment=None, top_categories=fit, likely=likely)


def _to_mention(p: Profile) -> Mapping[str, str]:
    who = _who(p)
    return both(
        en=f"To mention to {who.en} (without goods for adults only):",
        zh=f"可以向{who.zh}提起的内容（不含仅限成人的商品）：",
    )


def _nothing_to_mention(p: Profile) -> Mapping[str, str]:
    who = _who(p)
    return both(
        en=f"Nothing that {who.en} buys stands out that would do as a topic.",
        zh=f"{who.zh}的购买中没有适合当作话题的内容。",
    )


def _found(shop: Shop, p: Profile, about: str) -> dict[str, tuple[str, ...]]:
    """The categories that the facts name, and the segment; notes name none. Tobacco stands last: "what should we offer
    him in his favourite category" means no cigarettes."""
    if about == "notes":
        return {}
    listed = p.likely if about == "next" else p.top_categories
    named = sorted((c.category for c in listed[:3]), key=lambda key: key in shop.tobacco)
    found = {"category": tuple(named)} if named else {}
    return found | ({"segment": (p.segment.segment_id,)} if p.segment else {})


def _cases(p: Profile) -> frozenset[str]:
    """Lapsed: away for more than twice the usual gap between trips."""
    lapsed = p.days_between is not None and p.recency_days > 2 * max(p.days_between, 7)
    return frozenset({"lapsed" if lapsed else "active", "known" if p.attributes else "unknown"})


def _who(profile: Profile) -> names.Called:
    return names.customer(profile.customer_id)


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]


def _segment(p: Profile) -> list[Fact]:
    if p.segment is None:
        return []
    segment, who = names.called(p.segment.name), _who(p)
    return [
        Fact(
            who.en, "segment", p.segment.segment_id, "segment",
            both(
                en=f"{_cap(who.en)} belongs to the segment “{segment.en}” ({words.percent(p.segment.share)} of customers).",
                zh=f"{who.zh}属于“{segment.zh}”分群（占全部顾客的{words.percent(p.segment.share)}）。",
            ),
            names=segment.all,
        )
    ]  # fmt: skip


def _spending(shop: Shop, p: Profile) -> list[Fact]:
    who, currency = _who(p), shop.info.currency
    info = shop.info
    when = {lang: words.period(info.first_day, info.last_day, lang) for lang in words.LANGUAGES}
    return [
        Fact(
            who.en, "spend", p.spend, info.currency,
            both(
                en=f"{_cap(who.en)} spent {words.money(p.spend, currency)} on {words.plural(p.baskets, 'trip')} {when['en']}, "
                f"{words.money(p.mean_basket, currency)} a trip on average.",
                zh=f"{who.zh}，{when['zh']}共消费{words.money(p.spend, currency)}，到店{words.number(p.baskets)}次，"
                f"平均每次{words.money(p.mean_basket, currency)}。",
            ),
            period=when["en"],
        )
    ]  # fmt: skip


def _visits(p: Profile) -> list[Fact]:
    who = _who(p)
    rhythm_en = rhythm_zh = ""
    if p.days_between is not None:
        rhythm_en = f" and usually comes every {words.number(p.days_between)} days" if p.days_between != 1 else (
            " and usually comes every day")  # fmt: skip
        rhythm_zh = (
            f"，通常每{words.number(p.days_between)}天来一次" if p.days_between != 1 else "，通常每天都来"
        )
    return [
        Fact(
            who.en, "last_visit", p.last_day.isoformat(), "day",
            both(
                en=f"{_cap(who.en)} last came on {words.day(p.last_day, 'en')} "
                f"({words.days_ago(p.recency_days, 'en')}){rhythm_en}.",
                zh=f"{who.zh}最近一次到店是{words.day(p.last_day, 'zh')}（{words.days_ago(p.recency_days, 'zh')}）{rhythm_zh}。",
            ),
        )
    ]  # fmt: skip


def _tastes(shop: Shop, p: Profile) -> list[Fact]:
    who, facts = _who(p), []
    for taste in p.top_categories[:3]:
        name = names.called(taste.name)
        facts.append(
            Fact(
                who.en, "category_spend", taste.spend, shop.info.currency,
                both(
                    en=f"{_cap(who.en)} spent {words.money(taste.spend, shop.info.currency)} on {name.en}: "
                    f"{words.percent(taste.share)} of their spending, {words.number(taste.lift, 1)} times the usual share.",
                    zh=f"{who.zh}在{name.zh}上花了{words.money(taste.spend, shop.info.currency)}，"
                    f"占其消费的{words.percent(taste.share)}，是一般顾客占比的{words.number(taste.lift, 1)}倍。",
                ),
                names=name.all,
            )
        )  # fmt: skip
    return facts


def _said(shop: Shop, p: Profile) -> list[Fact]:
    """What the customer searched for and thought of goods, where the shop has searches and reviews; what was made up
    for a shop that has none says so in each label."""
    try:
        found = shop.labels(p.customer_id, ("need", "opinion"))
    except NotBuilt:  # built before there were labels
        return []
    who = _who(p)
    labels_of = {kind: [label for label in found if label.kind == kind] for kind in ("need", "opinion")}
    told = {
        "need": both(en=f"{_cap(who.en)} searched for {{}}.", zh=f"{who.zh}搜索过：{{}}。"),
        "opinion": both(en=f"Reviews of {who.en}: {{}}.", zh=f"{who.zh}的评价：{{}}。"),
    }
    return [
        Fact(
            who.en, {"need": "searched_for", "opinion": "reviewed"}[kind], [label.key for label in labels], "",
            both(en=told[kind]["en"].format("; ".join(label.name.en for label in labels)),
                 zh=told[kind]["zh"].format("；".join(label.name.zh for label in labels))),
            names=tuple(name for label in labels for name in (label.name.en, label.name.zh)), quoted=True,
        )
        for kind, labels in labels_of.items() if labels
    ]  # fmt: skip


def _history(shop: Shop, p: Profile, category: str) -> Fact:
    """What a customer bought of one category, and when last."""
    who, name = _who(p), names.category(shop, category)
    bought, info = shop.category_history(p.customer_id, category), shop.info
    when = {lang: words.period(info.first_day, info.last_day, lang) for lang in words.LANGUAGES}
    if bought is None or bought.days_since is None:
        text = both(en=f"{_cap(who.en)} bought nothing of {name.en} {when['en']}.",
                    zh=f"{who.zh}{when['zh']}没有买过{name.zh}。")  # fmt: skip
        return Fact(who.en, "last_bought", None, "", text, period=when["en"], names=name.all)
    day, spent = info.last_day - timedelta(days=bought.days_since), words.money(bought.spend, info.currency)
    return Fact(
        who.en, "last_bought", day.isoformat(), "day",
        both(en=f"{_cap(who.en)} last bought {name.en} on {words.day(day, 'en')} ({words.days_ago(bought.days_since, 'en')}): "
             f"{words.plural(bought.baskets, 'trip')} with it {when['en']}, {spent} in all.",
             zh=f"{who.zh}最近一次买{name.zh}是{words.day(day, 'zh')}（{words.days_ago(bought.days_since, 'zh')}）；"
             f"{when['zh']}共有{words.number(bought.baskets)}次购买，合计{spent}。"),
        period=when["en"], names=name.all,
    )  # fmt: skip


def _attributes(shop: Shop, p: Profile) -> list[Fact]:
    who = _who(p)
    if not p.attributes:
        return [
            Fact(
                who.en, "attributes", None, "",
                both(en=f"No age, income or household details are known of {who.en}.",
                     zh=f"没有{who.zh}的年龄、收入或家庭资料。"),
            )
        ]  # fmt: skip
    pairs = {
        lang: ("；" if lang == "zh" else "; ").join(
            _pair(shop, key, value, lang) for key, value in p.attributes.items()
        )
        for lang in words.LANGUAGES
    }
    return [
        Fact(who.en, "attributes", dict(p.attributes), "",
             both(en=f"Known of {who.en} – {pairs['en']}.", zh=f"{who.zh}的已知资料：{pairs['zh']}。"))
    ]  # fmt: skip


def _pair(shop: Shop, key: str, value: str, language: str) -> str:
    """A value with a name of its own tells what it is of; a bare value needs its title."""
    name, title = names.attribute_value(shop, key, value), names.attribute(shop, key)
    if name.en != value:
        return name[language]
    return f"{title.en.lower()}: {name.en}" if language == "en" else f"{title.zh}：{name.zh}"


def _next(p: Profile) -> list[Fact]:
    who, facts = _who(p), []
    for likely in p.likely[:3]:
        name = names.called(likely.name)
        facts.append(
            Fact(
                who.en, "buys_within_30_days", likely.probability, "probability",
                both(
                    en=f"The chance that {who.en} buys {name.en} within the next 30 days is {words.chance(likely.probability)}.",
                    zh=f"{who.zh}未来30天内购买{name.zh}的概率为{words.chance(likely.probability)}。",
                ),
                names=name.all,
            )
        )  # fmt: skip
    return facts


def _notes(shop: Shop, p: Profile, about: str) -> list[Fact]:
    """The latest that people wrote; that there is nothing is said only to who asks for it."""
    if about not in ("everything", "notes"):
        return []
    found = notes.read(shop, p.customer_id, kinds=("note", "handoff"), limit=NOTES)
    return [notes.fact(shop, note) for note in found] or (
        [notes.none(p.customer_id)] if about == "notes" else []
    )
