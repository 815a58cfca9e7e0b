"""said: what one customer wrote, in reviews and inquiries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from customers.measure_events import BAD
from tools import names, notes, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

SHOWN, MOST = 5, 20
_LENGTH = 200
ABOUT = ("reviews", "inquiries", "complaints", "all")
_KINDS = {
    "reviews": ("review",),
    "inquiries": ("inquiry",),
    "complaints": ("inquiry", "review"),
    "all": ("inquiry", "review"),
}
_CALLED = {
    "reviews": both(en="reviews", zh="评价"), "inquiries": both(en="inquiries", zh="咨询"),
    "complaints": both(en="inquiries and bad reviews", zh="咨询和差评"), "all": both(en="reviews and inquiries", zh="评价和咨询"),
}  # fmt: skip
_MINE = """
    SELECT e.kind, e.ts::DATE, e.product_id, e.rating, e.text, e.event_id LIKE 'simulated:%' FROM events e
    LEFT JOIN products p USING (product_id)
    WHERE e.customer_id = ? AND list_contains(?, e.kind) AND (? OR e.kind <> 'review' OR e.rating <= ?)
        AND (? IS NULL OR p.category = ?) AND (? IS NULL OR e.ts::DATE >= ?) AND (? IS NULL OR e.ts::DATE <= ?)
    ORDER BY e.ts DESC, e.event_id"""


class SaidTool:
    """The reviews and inquiries of a customer, the latest first, each quoted as it was written."""

    name = "said"
    access = Access.READ
    describe = "what one customer wrote: reviews with their ratings, and inquiries"
    busy = both(en="Reading what customer {customer} wrote", zh="正在查看顾客 {customer} 的评价和咨询")
    parameters = {
        "customer": {"type": "string", "x-entity": "customer"},
        "about": {"type": "string", "enum": list(ABOUT)},
        "category": {"type": "string", "x-entity": "category"},
        "start": {"type": "string", "x-period": "start"},
        "end": {"type": "string", "x-period": "end"},
        "n": {"type": "integer", "minimum": 1, "maximum": MOST, "x-count": True},
    }
    required = ("customer",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return how many there are, then one fact each of the latest n. `about` complaints: inquiries, and reviews that
        speak against a product."""
        customer, about = str(args["customer"]), str(args.get("about") or "all")
        shop.name("customer", customer)
        found = _written(shop, customer, about, args)
        if not found:
            return _none(shop, customer, about, args)
        shown = max(1, min(int(args.get("n") or SHOWN), MOST))
        facts = [_count(shop, customer, about, args, len(found), shown)]
        facts += [_one(shop, customer, rank, one) for rank, one in enumerate(found[:shown], 1)]
        goods = tuple(dict.fromkeys(one.product for one in found[:shown] if one.product))
        return ToolResult(
            tuple(facts),
            lead=_COMPLAINTS if about == "complaints" else None,
            found={"product": goods} if goods else {},
            full=found,
        )


_COMPLAINTS = both(
    en="Complaints are not told apart from other inquiries; these are all inquiries, and the bad reviews.",
    zh="数据未单独标出投诉，以下为全部咨询和差评。",
)


@dataclass(frozen=True, slots=True)
class Written:
    """A review or an inquiry. `made`: it was made up for a shop that has none of its kind."""

    kind: str
    day: date
    product: str | None
    rating: float | None
    text: str
    made: bool


def latest(shop: Shop, customer: str) -> list[Fact]:
    """The latest review or inquiry of a customer, with its day; [] where there is none."""
    found = _written(shop, customer, "all", {})[:1]
    return [_one(shop, customer, None, one) for one in found]


def _written(shop: Shop, customer: str, about: str, args: Mapping[str, Any]) -> list[Written]:
    category, start, end = args.get("category"), args.get("start"), args.get("end")
    whole, bad = about != "complaints", BAD * shop.rating_scale
    rows = shop.query(
        _MINE, [customer, list(_KINDS[about]), whole, bad, category, category, start, start, end, end]
    )
    return [Written(kind, day, product, rating, str(text or "").strip(), bool(made))
            for kind, day, product, rating, text, made in rows]  # fmt: skip


def _when(shop: Shop, args: Mapping[str, Any], language: str) -> str:
    start, end = (date.fromisoformat(args[name]) if args.get(name) else None for name in ("start", "end"))
    return words.period(start or shop.info.first_day, end or shop.info.last_day, language)


def _of(shop: Shop, args: Mapping[str, Any]) -> names.Called:
    return names.category(shop, args["category"]) if args.get("category") else names.Called("", "")


def _none(shop: Shop, customer: str, about: str, args: Mapping[str, Any]) -> ToolResult:
    """Say that the customer wrote nothing of the kind; raise CannotDo where nobody did."""
    who, called, of = names.customer(customer), _CALLED[about], _of(shop, args)
    if not shop.query("SELECT 1 FROM events WHERE list_contains(?, kind) LIMIT 1", [list(_KINDS[about])]):
        kinds = _CALLED["all"] if about == "complaints" else called
        raise CannotDo(
            both(en=f"This shop's data has no {kinds['en'].replace(' and ', ' or ')}, of {who.en} or of anybody else.",
                 zh=f"本店数据中没有{kinds['zh']}记录，{who.zh}也没有。")
        )  # fmt: skip
    en, zh = _when(shop, args, "en"), _when(shop, args, "zh")
    text = both(en=f"No {called['en']}{f' on {of.en}' if of.en else ''} of {who.en} are known {en}.",
                zh=f"{zh}没有{who.zh}{f'关于{of.zh}' if of.zh else ''}的{called['zh']}记录。")  # fmt: skip
    return ToolResult((Fact(who.en, "written", 0, about, text, period=en, names=of.all if of.en else ()),))


def _count(shop: Shop, customer: str, about: str, args: Mapping[str, Any], count: int, shown: int) -> Fact:
    who, called, of = names.customer(customer), _CALLED[about], _of(shop, args)
    en, zh = _when(shop, args, "en"), _when(shop, args, "zh")
    latest_en = f"; the latest {words.number(shown)} follow" if count > shown else ""
    latest_zh = f"，以下为最近{words.number(shown)}条" if count > shown else ""
    text = both(
        en=f"{who.en[:1].upper()}{who.en[1:]}: {words.number(count)} {called['en']}"
        f"{f' on {of.en}' if of.en else ''} {en}{latest_en}.",
        zh=f"{who.zh}{zh}{f'关于{of.zh}' if of.zh else ''}的{called['zh']}共{words.number(count)}条{latest_zh}。",
    )
    return Fact(who.en, "written", count, about, text, period=en, names=of.all if of.en else ())


def _one(shop: Shop, customer: str, rank: int | None, one: Written) -> Fact:
    """A review or an inquiry with its day, product and rating; its text in quotation marks that it cannot leave."""
    of = notes.product(shop, one.product) if one.product else None
    said_en, said_zh = ("review", "评价") if one.kind == "review" else ("inquiry", "咨询")
    about = f" {'of' if one.kind == 'review' else 'about'} {of.en}" if of else ""
    scale = shop.rating_scale
    rated_en = f", rated {one.rating:g} of {scale}" if one.rating is not None else ""
    rated_zh = f"，评{one.rating:g}分（满分{scale}分）" if one.rating is not None else ""
    made_en, made_zh = (" (simulated)", "（模拟）") if one.made else ("", "")
    who = names.customer(customer)
    lead_en, lead_zh = (
        (f"{rank}. ", f"{rank}. ") if rank else (f"Latest of {who.en}: ", f"{who.zh}最近写的：")
    )
    en = f"{lead_en}{words.day(one.day, 'en')}, {said_en}{made_en}{about}{rated_en}"
    zh = f"{lead_zh}{words.day(one.day, 'zh')}，{said_zh}{made_zh}{of.zh if of else ''}{rated_zh}"
    quote = notes.quote(one.text, _LENGTH)
    return Fact(
        who.en, one.kind, one.rating, "rating" if one.rating is not None else "",
        both(en=f"{en}: {quote}." if one.text else f"{en}, without a text.",
             zh=f"{zh}：{quote}。" if one.text else f"{zh}，没有文字。"),
        period=words.period(one.day, one.day, "en"), names=of.all if of else (), quoted=True,
    )  # fmt: skip
