"""The commands about campaigns ahead: `campaign plan`, `campaign lookalikes`; and `link-accounts`."""

from __future__ import annotations

import argparse
import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli_common import AddCommand, UsageError, read, say
from settings import Settings

if TYPE_CHECKING:
    from customers.recommend.plan import Plan
    from customers.shop import Shop


def add_commands(command: AddCommand) -> None:
    """Add `campaign` to the parser."""
    from customers.recommend.plan import Terms

    usual = Terms()
    sub = command("campaign", run, "plan a coupon under a budget; find customers like those of a list")
    sub.add_argument("what", choices=("plan", "lookalikes"))
    target = sub.add_mutually_exclusive_group()
    target.add_argument("--category", metavar="NAME", help="what the coupon is for: a category's key or name")
    target.add_argument("--product", metavar="ID", help="what the coupon is for: a product's id")
    sub.add_argument("--segment", metavar="ID", help="only customers of this segment")
    sub.add_argument("--among", type=Path, metavar="FILE", help="only these customers, one id a line")
    sub.add_argument("--budget", type=float, help="most that the campaign is expected to cost")
    sub.add_argument("--capacity", type=int, help="most customers to write to")
    sub.add_argument(
        "--contact-cost",
        type=float,
        default=usual.contact_cost,
        help="of one letter or message (default: %(default)s)",
    )
    sub.add_argument(
        "--coupon",
        type=float,
        default=usual.coupon,
        help="what a coupon takes off, the same for everybody (default: %(default)s)",
    )
    sub.add_argument(
        "--margin",
        type=float,
        default=usual.margin,
        help="part of the price that is left to the shop (default: %(default)s)",
    )
    sub.add_argument(
        "--most-contacts",
        type=int,
        default=usual.most_contacts,
        help="nobody who was in so many campaigns of late (default: %(default)s)",
    )
    sub.add_argument(
        "--contact-days",
        type=int,
        default=usual.contact_days,
        help="what counts as of late (default: %(default)s)",
    )
    sub.add_argument(
        "--goal",
        choices=("buyers", "profit"),
        default=usual.goal,
        help="the most extra buyers for the budget, or only contacts that pay",
    )
    sub.add_argument(
        "--like", metavar="FILE", type=Path, help="of lookalikes: the list, one customer id a line"
    )
    sub.add_argument("--campaign", metavar="ID", help="of lookalikes: those who redeemed this campaign")
    sub.add_argument("-n", type=int, default=100, help="of lookalikes: how many (default: %(default)s)")
    sub.add_argument("--out", type=Path, metavar="FILE", help="write the customers as CSV")
    sub.add_argument("--language", default="en", choices=("en", "zh"))
    sub.add_argument("--json", action="store_true", help="print one JSON object")

    linked = command("link-accounts", run_links, "link one person's accounts, with consent (extra `link`)")
    linked.add_argument(
        "accounts", type=Path, metavar="CSV", help="columns customer_id, name, email, phone, consent, …"
    )
    linked.add_argument(
        "--threshold", type=float, default=0.9, help="least probability (default: %(default)s)"
    )
    linked.add_argument("--out", type=Path, metavar="FILE", help="write the links as CSV")


def run_links(args: argparse.Namespace, settings: Settings) -> int:
    """Link the accounts of a file."""
    from customers.linking import link_accounts
    from customers.recommend import plan_file

    if not 0 < args.threshold < 1:
        raise UsageError(f"the threshold is {args.threshold:g}; give a probability between 0 and 1")
    rows = list(csv.DictReader(read(args.accounts).removeprefix("\ufeff").splitlines()))
    found = link_accounts(rows, threshold=args.threshold)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("customer_id", "other_id", "probability"))
    table.writerows((one.customer_id, one.other_id, f"{one.probability:.4f}") for one in found.links)
    if args.out:
        plan_file.write(args.out, out.getvalue())
    else:
        print(out.getvalue(), end="")
    say(
        f"{len(found.links):,} links among {found.compared:,} accounts; {found.without_consent:,} without consent were not compared"
    )
    return 0


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run the command."""
    from customers.shop import Shop

    shop = Shop.open(settings.shop)
    try:
        return _plan(args, shop) if args.what == "plan" else _lookalikes(args, shop)
    finally:
        shop.close()


def _plan(args: argparse.Namespace, shop: Shop) -> int:
    from customers.recommend import plan_file
    from customers.recommend.plan import Terms
    from tools.plan_words import summary

    if not args.category and not args.product:
        raise UsageError("say what the coupon is for: --category NAME or --product ID")
    terms = Terms(args.budget, args.contact_cost, args.coupon, args.margin, args.capacity, args.most_contacts,
                  args.contact_days, args.goal)  # fmt: skip
    category = category_named(shop, args.category) if args.category else None
    among = _known(shop, _ids(args.among)) if args.among else None
    plan = shop.campaign_plan(terms, category, args.product, args.segment, among)
    target = shop.name("category", category) if category else shop.name("product", args.product)
    if args.out:
        plan_file.write(args.out, plan_file.render(plan, target, shop.segment_names()))
    if args.json:
        print(json.dumps(_told(plan), ensure_ascii=False))
        return 0
    for line in summary(plan, target, shop.info.currency):
        print(line[args.language])
    if args.out:
        say(f"{len(plan.contacts):,} customers are in {args.out}")
    return 0


def _told(plan: Plan) -> dict[str, Any]:
    return asdict(plan) | {"contacts": [asdict(c) for c in plan.contacts], "left_out": dict(plan.left_out)}


def _lookalikes(args: argparse.Namespace, shop: Shop) -> int:
    if bool(args.like) == bool(args.campaign):
        raise UsageError("say whom the customers should be like: --like FILE or --campaign ID")
    if args.campaign:
        shop.campaign(args.campaign)
        rows = shop.query(
            "SELECT DISTINCT customer_id FROM events WHERE kind = 'redemption' AND campaign_id = ? ORDER BY 1",
            [args.campaign],
        )
        seeds = [str(c) for (c,) in rows]
    else:
        seeds = _ids(args.like)
    found = shop.lookalikes(seeds, args.n)
    if args.json:
        print(json.dumps([asdict(one) for one in found]))
        return 0
    out = io.StringIO()
    rows_out = csv.writer(out, lineterminator="\n")
    rows_out.writerow(("rank", "customer_id", "likeness"))
    rows_out.writerows((rank, one.customer_id, f"{one.score:.4f}") for rank, one in enumerate(found, 1))
    if args.out:
        from customers.recommend import plan_file

        plan_file.write(args.out, out.getvalue())
        say(f"{len(found):,} customers are in {args.out}")
    else:
        print(out.getvalue(), end="")
    return 0


def _known(shop: Shop, ids: list[str]) -> list[str]:
    unknown = [key for key in ids if not shop.has_customer(key)]
    if unknown:
        raise UsageError(
            f"there is no customer {unknown[0]!r} in this shop ({len(unknown)} of {len(ids)} are unknown)"
        )
    return ids


def _ids(path: Path) -> list[str]:
    return [line.strip() for line in read(path).splitlines() if line.strip()]


def category_named(shop: Shop, given: str) -> str:
    """The key of a category that is named by its key, a name or an everyday word in either language."""
    import difflib

    wanted = given.strip().casefold()
    known = {key.casefold(): key for key in shop.keys("category")}
    for key in list(known.values()):
        name = shop.name("category", key)
        known.setdefault(name.en.casefold(), key)
        known.setdefault(name.zh.casefold(), key)
    for kind, key, _, word in shop.synonyms():
        if kind == "category":
            known.setdefault(word.casefold(), key)
    if wanted in known:
        return known[wanted]
    near = [shop.name("category", known[n]).en for n in difflib.get_close_matches(wanted, known, 3, 0.5)]
    hint = (
        f"; did you mean {', '.join(dict.fromkeys(near))}?" if near else "; `shopkeeper ask` knows more words"
    )
    raise UsageError(f"there is no category {given!r}{hint}")
