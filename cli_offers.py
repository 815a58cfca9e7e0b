"""The commands about offers of a kind: `newcomer` (nothing is known of them), `family` (further products of a maker)."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from cli_campaign import category_named
from cli_common import AddCommand, UsageError
from settings import Settings

if TYPE_CHECKING:
    from customers.shop import Shop


def add_commands(command: AddCommand) -> None:
    """Add the commands to the parser."""
    new = command("newcomer", _newcomer, "what to offer to, and to ask, a customer without a history")
    new.add_argument(
        "--buys",
        action="append",
        default=[],
        metavar="NAME",
        help="a category that they say they buy regularly",
    )
    new.add_argument(
        "--buys-not", action="append", default=[], metavar="NAME", help="one that they say they do not"
    )
    new.add_argument("--store", metavar="ID", help="the store that they come to")
    new.add_argument(
        "--attribute",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what they told, such as age=25-34",
    )
    family = command(
        "family", _family, "further products of a maker, of kinds that a customer does not buy from it"
    )
    family.add_argument("--customer", metavar="ID", help="who it is for")
    family.add_argument(
        "--product", metavar="ID", help="whose maker; without it, all that the customer buys from"
    )
    for sub in (new, family):
        sub.add_argument("-n", type=int, default=5, help="how many products (default: %(default)s)")
        sub.add_argument("--language", default="en", choices=("en", "zh"))
        sub.add_argument("--json", action="store_true", help="print one JSON object")


def _newcomer(args: argparse.Namespace, settings: Settings) -> int:
    from customers.shop import Shop
    from tools.newcomer import newcomer

    told = [one.partition("=") for one in args.attribute]
    if odd := [name for name, sign, _ in told if not (sign and name)]:
        raise UsageError(f"an attribute is given as NAME=VALUE, such as age=25-34, not as {odd[0]!r}")
    shop = Shop.open(settings.shop)
    try:
        answers = {category_named(shop, name): False for name in args.buys_not}
        for name in args.buys:
            key = category_named(shop, name)
            if key in answers:
                raise UsageError(f"{name!r} is both bought and not bought; say one of the two")
            answers[key] = True
        found = shop.newcomer(args.n, answers, args.store, {name: value for name, _, value in told})
        if args.json:
            print(json.dumps(asdict(found), ensure_ascii=False))
        else:
            for line in newcomer(shop, found, len(answers)):
                print(line[args.language])
    finally:
        shop.close()
    return 0


def _family(args: argparse.Namespace, settings: Settings) -> int:
    from customers.shop import Shop
    from tools.newcomer import family

    if not args.customer and not args.product:
        raise UsageError("say whose family: --customer ID, --product ID, or both")
    shop: Shop = Shop.open(settings.shop)
    try:
        found = shop.family(args.customer, args.product, args.n).recommendations
        if args.json:
            print(json.dumps({"recommendations": [asdict(rec) for rec in found]}, ensure_ascii=False))
        else:
            for line in family(shop, found, args.customer, args.product):
                print(line[args.language])
    finally:
        shop.close()
    return 0
