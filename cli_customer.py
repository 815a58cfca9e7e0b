"""The commands about one customer: `profile`, `export` and `erase`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from cli_common import AddCommand, Bar, UsageError, say
from settings import Settings


def add_commands(command: AddCommand) -> None:
    """Add the commands to the parser."""
    card = command("profile", _profile, "all that is known of one customer, with its labels")
    card.add_argument("customer", metavar="ID")
    card.add_argument("--json", action="store_true", help="print it as one JSON object")
    card.add_argument("--html", metavar="FILE", help="write it as a page")
    card.add_argument("--language", default="en", choices=("en", "zh"))
    export = command("export", _export, "everything that is kept of one customer, as JSON")
    export.add_argument("customer", metavar="ID")
    export.add_argument("--out", metavar="FILE", help="write it to a file, readable by you only")
    erase = command("erase", _erase, "erase one customer everywhere, and print a receipt (JSON)")
    erase.add_argument("customer", metavar="ID")
    erase.add_argument("--yes", action="store_true", help="do not ask first")
    erase.add_argument(
        "--keep-builds", action="store_true", help="leave profiles and models to the next two builds"
    )
    erase.add_argument("--purpose", default="", help="why, in a few words; kept with the receipt")


def _profile(args: argparse.Namespace, settings: Settings) -> int:
    """All that is known of one customer: as text, as one JSON object, or as a page."""
    from customers.profiles import document, page
    from customers.shop import Shop

    shop = Shop.open(settings.shop)
    try:
        found = shop.profile_document(args.customer)
    finally:
        shop.close()
    if args.html:
        try:
            Path(args.html).write_text(page.render_page(found, args.language), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{args.html} cannot be written: {error}") from error
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print(args.html or document.render_text(found, args.language))
    return 0


def _export(args: argparse.Namespace, settings: Settings) -> int:
    from customers import erasing
    from customers.shop import Shop
    from customers.stores import versions

    shop, customer = settings.shop, args.customer
    told: dict[str, Any] = {"customer": customer, **erasing.kept_besides(shop, customer)}
    if versions.find_current(shop) is not None:
        opened = Shop.open(shop)
        try:
            if opened.has_customer(customer):
                told |= {
                    "profile": opened.profile_document(customer),
                    "records": erasing.raw_records(shop, customer),
                }
        finally:
            opened.close()
    if not any(value for name, value in told.items() if name != "customer"):
        raise UsageError(f"nothing is kept of customer {customer!r} in {shop}; check the id")
    text = json.dumps(told, ensure_ascii=False, indent=1, default=str)
    if not args.out:
        print(text)
        return 0
    try:
        with open(
            os.open(args.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text + "\n")
    except OSError as error:
        raise UsageError(f"{args.out} cannot be written: {error.strerror}; choose another file") from error
    print(args.out)
    return 0


def _erase(args: argparse.Namespace, settings: Settings) -> int:
    """Erase a customer outside the builds, then build anew and remove the builds before. Whatever cuts this short:
    the same command goes on."""
    from api.erased import Erased
    from customers import erasing
    from customers.errors import BadInput

    shop, customer = settings.shop, args.customer
    receipts = Erased(shop) if shop.is_dir() else None
    held = _held(shop, customer) if receipts is not None else {}
    before = receipts.of(customer) if receipts is not None else []
    if receipts is None or not (held or before):
        raise UsageError(f"nothing is kept of customer {customer!r} in {shop}; check the id")
    trouble, note = "", before[-1] if before else {}
    if held:
        _confirm(args, held)
        gone = erasing.erase(shop, customer) | _forget_talk(shop, customer)
        note = receipts.note(customer, "command line", args.purpose, gone)
        if not args.keep_builds and any(place.startswith("build ") for place in held):
            try:
                _replace_builds(settings)
            except BadInput as error:
                trouble = f": {error}"
    left = _held(shop, customer)
    told = {"customer": customer, **note, "remaining": left, "complete": not left}
    print(json.dumps(told, ensure_ascii=False))
    if left and not args.keep_builds:
        raise UsageError(f"the builds of {shop} still hold customer {customer!r}{trouble}")
    say("A file with this customer brings them back when it is loaded again: erase them there, too.")
    return 0


def _held(shop: Path, customer: str) -> dict[str, int]:
    """Where something of a customer is kept, and how many records: places without any are left out."""
    from agent.forgetting import conversations_of
    from customers import erasing

    talked = len(conversations_of(shop, customer, _sessions(customer)))
    return erasing.remaining(shop, customer) | ({"conversations": talked} if talked else {})


def _forget_talk(shop: Path, customer: str) -> dict[str, int]:
    from agent.forgetting import forget_conversations
    from api.desk.queue import FILE, DeskQueue

    return {
        "conversations": forget_conversations(shop, customer, _sessions(customer)),
        "desk": DeskQueue(shop).erase(customer) if (shop / FILE).is_file() else 0,
    }


def _sessions(customer: str) -> str:
    from api.services import customer_mark

    return f"api:{customer_mark(customer)}:"


def _replace_builds(settings: Settings) -> None:
    """Build without the customer, and remove what was built before."""
    from customers import erasing, pipeline

    with Bar() as bar:
        pipeline.build(settings.shop, bar, fill_gaps=settings.fill_gaps)
    erasing.forget_builds(settings.shop)


def _confirm(args: argparse.Namespace, held: dict[str, int]) -> None:
    if args.yes:
        return
    places = ", ".join(f"{place}: {count:,}" for place, count in held.items())
    if not sys.stdin.isatty():
        raise UsageError(f"customer {args.customer!r} is kept in {places}; say --yes to erase them")
    say(f"Customer {args.customer} is kept in {places}. This cannot be undone.")
    if input("Erase? [y/N] ").strip().lower() not in ("y", "yes", "是"):
        raise UsageError("nothing was erased")
