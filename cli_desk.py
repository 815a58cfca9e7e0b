"""`shopkeeper desk`: look after the customer-service desks."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from cli_common import AddCommand
from settings import Settings


def add_commands(command: AddCommand) -> None:
    """Add the command to the parser."""
    desk = command("desk", _desk, "look after the customer-service desks: check, retry")
    desk.add_argument(
        "what", choices=("check", "retry"),
        help="check: is each desk reachable and signed right; retry: take up again what was given up",
    )  # fmt: skip
    desk.add_argument("name", nargs="?", default="", help="of one desk (default: all)")
    desk.add_argument(
        "--server", metavar="URL", help="where `shopkeeper serve` runs (default: on this machine)"
    )
    desk.add_argument("--json", action="store_true", help="print it as JSON")


def _desk(args: argparse.Namespace, settings: Settings) -> int:
    from api.desk.check import check
    from api.desk.queue import DeskQueue

    if args.what == "retry":
        taken = DeskQueue(settings.shop).retry(args.name)
        print(json.dumps({"retried": taken}) if args.json else f"{taken} taken up again")
        return 0
    server = args.server or f"http://127.0.0.1:{settings.api_port}"
    found = check(settings.desks, settings.shop, server.rstrip("/"), args.name)
    if args.json:
        print(json.dumps([asdict(one) for one in found], ensure_ascii=False))
    else:
        for one in found:
            print(f"{'ok  ' if one.ok else 'MEND'}  {one.desk}: {one.what}")
    return 0 if all(one.ok for one in found) else 2
