"""add_note and erase_note: the tools that change something, each confirmed by the asker first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customers.stores.notes import NoteRefused, checked
from customers.values import Note
from tools import names, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.notes import known, quote, read, refused
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop


class AddNoteTool:
    """Keeps the asker's own words about a customer for later sessions."""

    name = "add_note"
    access = Access.WRITE
    describe = "write down what the asker says about one customer, for later sessions"
    busy = both(en="Writing the note on customer {customer}", zh="正在为顾客 {customer} 记录备注")
    parameters = {
        "customer": {"type": "string", "x-entity": "customer"},
        "text": {"type": "string", "x-literal": "note"},
        "session": {"type": "string", "x-session": True},
    }
    required = ("customer", "text")

    def confirm(self, shop: Shop, args: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the question that shows the text as it will be kept."""
        customer, text = known(shop, args), _text(args)
        who = names.customer(customer)
        return both(
            en=f"Shall I note for {who.en}: {quote(text)}? (yes/no)",
            zh=f"要为{who.zh}记下：{quote(text)}吗？（是/否）",
        )

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Keep the note; its fact tells the note's number."""
        customer = known(shop, args)
        try:
            note = shop.notes.add(customer, args.get("text") or "", session=args.get("session") or "")
        except NoteRefused as error:
            raise refused(error, customer) from error
        who = names.customer(customer)
        done = Fact(
            who.en, "noted", note.id, "note",
            both(en=f"Noted for {who.en} as note {note.id}: {quote(note.text)}.",
                 zh=f"已为{who.zh}记下备注{note.id}：{quote(note.text)}。"),
            quoted=True,
        )  # fmt: skip
        return ToolResult((done,), full=note)


class EraseNoteTool:
    """Erases one note on a customer, or all of them."""

    name = "erase_note"
    access = Access.WRITE
    describe = "erase one note on a customer by its number, or all notes on that customer"
    busy = both(en="Erasing what was noted of customer {customer}", zh="正在删除顾客 {customer} 的备注")
    parameters = {
        "customer": {"type": "string", "x-entity": "customer"},
        "note": {"type": "integer", "x-note": True},
    }
    required = ("customer",)

    def confirm(self, shop: Shop, args: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the question that shows the note, or tells how many there are."""
        found = _meant(shop, args)
        who = names.customer(found[0].customer_id)
        if len(found) == 1 and found[0].text:
            shown = quote(found[0].text)
            return both(
                en=f"Shall I erase note {found[0].id} on {who.en}: {shown}? It cannot be brought back. (yes/no)",
                zh=f"要删除{who.zh}的备注{found[0].id}：{shown}吗？删除后无法恢复。（是/否）",
            )
        which = _which(len(found), found[0].id)
        return both(
            en=f"Shall I erase {which['en']} on {who.en}? This cannot be undone. (yes/no)",
            zh=f"要删除{who.zh}的{which['zh']}吗？删除后无法恢复。（是/否）",
        )

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Erase, leaving no trace in the file; the fact tells how many notes went."""
        found = _meant(shop, args)
        customer, first = found[0].customer_id, found[0].id
        try:
            one = args.get("note") is not None
            # Of all notes there may be more by now than were found: the fact tells how many went.
            count = int(shop.notes.erase(first)) if one else shop.notes.erase_customer(customer)
        except NoteRefused as error:
            raise refused(error, customer) from error
        who, which = names.customer(customer), _which(count, first)
        verb = "has" if count == 1 else "have"
        done = Fact(
            who.en, "erased", count, "notes",
            both(en=f"{which['en'][:1].upper()}{which['en'][1:]} on {who.en} {verb} been erased.",
                 zh=f"已删除{who.zh}的{which['zh']}。"),
        )  # fmt: skip
        return ToolResult((done,), full=found)


def _text(args: Mapping[str, Any]) -> str:
    """Return a note's text as it will be kept."""
    try:
        return checked(args.get("text") or "")
    except NoteRefused as error:
        raise refused(error, args["customer"]) from error


def _meant(shop: Shop, args: Mapping[str, Any]) -> list[Note]:
    """Return the notes to erase, of which there is one at least."""
    customer, number = known(shop, args), args.get("note")
    have = read(shop, customer)
    found = [note for note in have if number in (None, note.id)]
    if found:
        return found
    who = names.customer(customer)
    if not have:
        raise CannotDo(
            both(en=f"There are no notes on {who.en}, so there is nothing to erase.",
                 zh=f"{who.zh}没有备注，无需删除。")
        )  # fmt: skip
    numbers = [str(note.id) for note in have[:10]]
    raise CannotDo(
        both(en=f"There is no note {number} on {who.en}; the newest are numbered {words.listing(numbers, 'en')}.",
             zh=f"{who.zh}没有备注{number}，最新的备注编号为{words.listing(numbers, 'zh')}。")
    )  # fmt: skip


def _which(count: int, first: int) -> Mapping[str, str]:
    if count == 1:
        return both(en=f"note {first}", zh=f"备注{first}")
    return both(en=f"all {words.number(count)} notes", zh=f"全部{words.number(count)}条备注")
