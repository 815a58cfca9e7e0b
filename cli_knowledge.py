"""`shopkeeper knowledge`: what the service desk knows of customers' questions."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cli_common import AddCommand, UsageError
from settings import Settings


def add_commands(command: AddCommand) -> None:
    """Add the command to the parser."""
    told = command("knowledge", _knowledge, "past inquiries, answer templates and policies of the desk")
    told.add_argument(
        "what", choices=("load", "list", "measure", "try", "forget"),
        help="load files; list what is loaded; measure how well a file's intents are recognised; try a question; "
        "forget a file",
    )  # fmt: skip
    told.add_argument(
        "given", nargs="*", metavar="FILE", help="files; with `try`, the question; with `forget`, names"
    )
    told.add_argument(
        "--faq", action="store_true", help="the answers in the files are meant for everybody (load)"
    )
    told.add_argument("--customer", metavar="ID", help="who asks (try), or whose inquiries to erase (forget)")
    told.add_argument("--json", action="store_true", help="print one JSON object")


def _knowledge(args: argparse.Namespace, settings: Settings) -> int:
    run = {"load": _load, "list": _list, "measure": _measure, "try": _try, "forget": _forget}
    return run[args.what](args, settings)


def _load(args: argparse.Namespace, settings: Settings) -> int:
    from customers.knowledge import KnowledgeBase

    _wants(args, "name the files to load")
    if not settings.shop.is_dir():
        raise UsageError(f"there is no shop at {settings.shop}; bring data in with `shopkeeper data SOURCE`")
    base, found = KnowledgeBase(settings.shop), []
    for given in args.given:
        loaded = base.load(Path(given), faq=args.faq)
        found.append({
            "file": Path(given).name, "inquiries": len(loaded.inquiries),
            "labelled": sum(bool(i.label) for i in loaded.inquiries), "answered": sum(bool(i.answer) for i in loaded.inquiries),
            "templates": len(loaded.templates), "policies": len(loaded.policies), "skipped": loaded.skipped,
        })  # fmt: skip
    if args.json:
        print(json.dumps({"files": found}, ensure_ascii=False))
        return 0
    for row in found:
        told = [
            f"{row[name]:,} {name}"
            for name in ("inquiries", "labelled", "answered", "templates", "policies")
            if row[name]
        ]
        told += [f"{count:,} left out: {why}" for why, count in row["skipped"].items()]
        print(f"{row['file']}: {', '.join(told)}")
    return 0


def _list(args: argparse.Namespace, settings: Settings) -> int:
    from customers.knowledge import KnowledgeBase, starter

    base = KnowledgeBase(settings.shop)
    policies, records = base.store.policies(), base.store.records()
    files = [
        dict(zip(("file", "inquiries", "labelled", "templates", "policies"), row, strict=True))
        for row in base.store.sources()
    ]
    missing = [key for key in starter.policy_keys() if key not in policies]
    if args.json:
        told = {key: {"worked": r.worked, "failed": r.failed, "rate": r.rate} for key, r in records.items()}
        print(
            json.dumps(
                {"files": files, "intents": base.intents, "policies_missing": missing, "records": told},
                ensure_ascii=False,
            )
        )
        return 0
    print(
        f"starter set: {len(starter.inquiries()):,} wordings of {len(starter.intents())} intents, {len(starter.templates())} replies"
    )
    for row in files:
        print(
            f"{row['file']}: {row['inquiries']:,} inquiries ({row['labelled']:,} labelled), {row['templates']} templates, {row['policies']} policies"
        )
    for key, record in sorted(records.items(), key=lambda item: item[1].rate):
        print(f"reply {key}: worked {record.worked}, failed {record.failed}")
    if missing:
        print(
            "not stated yet, so replies that say it are passed over (see `load` of policies): "
            + ", ".join(missing)
        )
    return 0


def _measure(args: argparse.Namespace, settings: Settings) -> int:
    from eval import bench_knowledge

    _wants(args, "name a file of labelled inquiries to measure")
    for given in args.given:
        bench_knowledge.measure(Path(given), as_json=args.json)
    return 0


def _try(args: argparse.Namespace, settings: Settings) -> int:
    from agent.desk import preview
    from customers.shop import Shop

    _wants(args, "give the question to try, in quotes")
    shop = Shop.open(settings.shop)
    try:
        reply = preview(shop, " ".join(args.given), args.customer)
    finally:
        shop.close()
    if args.json:
        print(json.dumps(reply.to_dict(), ensure_ascii=False, default=str))
        return 0
    print(f"{reply.action}, {reply.intent or 'not recognised'} ({reply.confidence:.2f})\n\n{reply.text}")
    for citation in reply.citations:
        print(f"[{citation.n}] {citation.tool}: {citation.fact}")
    if reply.brief is not None:
        print(f"\n--- for the colleague\n{reply.brief.text(reply.language)}")
    return 0


def _forget(args: argparse.Namespace, settings: Settings) -> int:
    from customers.knowledge import KnowledgeBase

    if not args.given and not args.customer:
        raise UsageError("name the files to forget (see `shopkeeper knowledge list`), or give --customer")
    base, known = (
        KnowledgeBase(settings.shop),
        {row[0] for row in KnowledgeBase(settings.shop).store.sources()},
    )
    for given in args.given:
        if given not in known:
            raise UsageError(
                f"no file {given!r} was loaded; loaded are: {', '.join(sorted(known)) or 'none'}"
            )
    count = sum(base.forget(given) for given in args.given)
    count += base.erase_customer(args.customer) if args.customer else 0
    print(json.dumps({"erased": count}) if args.json else f"{count:,} rows erased")
    return 0


def _wants(args: argparse.Namespace, what: str) -> None:
    if not args.given:
        raise UsageError(what)
