"""notes: what people and earlier sessions noted of one customer.

A note's text was written by somebody else: it is shown in quotation marks that it cannot leave, as plain
text, and only in facts that are marked `quoted`; never in `names`, `slots` or `found`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customers.errors import Unknown
from customers.stores.notes import MOST_CHARS, MOST_NOTES, NoteRefused
from customers.values import Note
from tools import names, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

SHOWN = 10
_MARKS = str.maketrans(dict.fromkeys('“”„‟"＂', "'"))
_LONGEST = 4 * MOST_CHARS  # made plain, a text grows at most fourfold ("://" by one, "#" by two)


class NotesTool:
    """The notes on a customer, the newest first."""

    name = "notes"
    access = Access.READ
    describe = (
        "what staff noted of one customer, what was offered to them and handed over in earlier sessions"
    )
    busy = both(en="Reading the notes on customer {customer}", zh="正在查看顾客 {customer} 的备注")
    parameters = {
        "customer": {"type": "string", "x-entity": "customer"},
        "n": {"type": "integer", "x-count": True},
    }
    required = ("customer",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return one fact a note, the newest first, at most SHOWN unless another count is asked for; or
        one fact that there are none."""
        customer = known(shop, args)
        wanted = max(1, min(int(args.get("n") or SHOWN), MOST_NOTES))
        with_more = read(shop, customer, limit=wanted + 1)
        found = with_more[:wanted]
        if not found:
            return ToolResult((none(customer),), full=found)
        offered = [p for note in found for p in note.products]
        first = next((plain for p in offered if (plain := _plain(shop, p))), None)
        more = [_all(shop, customer, len(found))] if len(with_more) > wanted else []
        return ToolResult(
            (*more, *(fact(shop, note) for note in found)),
            slots={"first": first} if first else {},
            cases=frozenset({note.kind for note in found}),
            found={"product": tuple(dict.fromkeys(offered))} if offered else {},
            full=found,
        )


def known(shop: Shop, args: Mapping[str, Any]) -> str:
    """Return the customer of a call. Raises Unknown where the shop has none such."""
    shop.name("customer", args["customer"])
    return args["customer"]


def read(shop: Shop, customer: str, **which: Any) -> list[Note]:
    """As NoteStore.of; a store that cannot be read is told in both languages."""
    try:
        return shop.notes.of(customer, **which)
    except NoteRefused as error:
        raise refused(error, customer) from error


def quote(text: str, longest: int = _LONGEST) -> str:
    """Return somebody's words as plain text on one line, in quotation marks that they cannot close."""
    return f"“{words.label(text.translate(_MARKS), longest)}”"


def fact(shop: Shop, note: Note) -> Fact:
    """Return a note with its day and its number."""
    who = names.customer(note.customer_id)
    en, zh = (words.day(note.day, language) for language in words.LANGUAGES)
    text, shown = {}, ()
    if note.kind == "offered":
        called = [product(shop, p) for p in note.products]
        shown = tuple(n for c in called for n in c.all)
        text = both(
            en=f"On {en} {who.en} was offered {words.listing((c.en for c in called), 'en')} (note {note.id}).",
            zh=f"{zh}向{who.zh}推荐了{words.listing((c.zh for c in called), 'zh')}（备注{note.id}）。",
        )
    elif note.kind == "handoff":
        text = both(
            en=f"On {en} this matter of {who.en} was passed to a colleague (note {note.id}): {quote(note.text)}.",
            zh=f"{zh}，{who.zh}的以下事项已转交同事（备注{note.id}）：{quote(note.text)}。",
        )
    else:
        text = both(
            en=f"Noted of {who.en} on {en} (note {note.id}): {quote(note.text)}.",
            zh=f"{who.zh}的备注{note.id}（{zh}）：{quote(note.text)}。",
        )
    return Fact(
        who.en, note.kind, list(note.products) or note.id, "products" if note.products else "note", text,
        period=words.period(note.day, note.day, "en"), names=shown, quoted=note.kind != "offered",
    )  # fmt: skip


def none(customer: str) -> Fact:
    """Return the statement that nothing was noted."""
    who = names.customer(customer)
    return Fact(
        who.en, "notes", 0, "notes",
        both(en=f"Nothing has been noted of {who.en}.", zh=f"{who.zh}没有备注。"),
    )  # fmt: skip


def _all(shop: Shop, customer: str, shown: int) -> Fact:
    """Return how many notes there are where not all are shown."""
    who, count = names.customer(customer), shop.notes.count(customer)
    newest = "the newest one follows" if shown == 1 else f"the newest {shown} follow"
    return Fact(
        who.en, "notes", count, "notes",
        both(en=f"There are {words.number(count)} notes on {who.en}; {newest}.",
             zh=f"{who.zh}共有{words.number(count)}条备注，以下是最新的{shown}条。"),
    )  # fmt: skip


def product(shop: Shop, product_id: str) -> names.Called:
    """Return a product's name; one that a later build no longer knows goes by its id."""
    try:
        return names.product(shop, product_id)
    except Unknown:
        return names.Called(f"product #{words.label(product_id)}", f"商品#{words.label(product_id)}")


def _plain(shop: Shop, product_id: str) -> Mapping[str, str] | None:
    try:
        name = names.called(shop.name("product", product_id))
    except Unknown:
        return None
    return both(en=name.en, zh=name.zh)


def refused(error: NoteRefused, customer: str) -> CannotDo:
    """Return a store's refusal in both languages."""
    who = names.customer(customer)
    most = words.number(MOST_CHARS)
    text = {
        "empty": both(en=f"Tell me what to note of {who.en}, in a few words.", zh=f"请告诉我要为{who.zh}记下什么内容。"),
        "long": both(en=f"A note has at most {most} characters; please shorten it.", zh=f"每条备注最多{most}个字符，请缩短后再试。"),
        "full": both(en=f"There are {MOST_NOTES} notes on {who.en}, the most there may be; please erase some first.",
                     zh=f"{who.zh}的备注已达上限（{MOST_NOTES}条），请先删除一些。"),
        "read_only": both(en="The notes cannot be opened or changed here: the shop's folder is read-only or full.",
                          zh="此处无法读取或修改备注：店铺目录为只读，或磁盘已满。"),
        "busy": both(en="The notes are in use by another program; please try again in a moment.", zh="备注正被其他程序使用，请稍后再试。"),
        "unreadable": both(en="The file of the notes cannot be read; whoever runs this shop's data must mend it.",
                           zh="备注文件无法读取，请联系负责店铺数据的同事处理。"),
    }  # fmt: skip
    return CannotDo(text[error.why])
