"""The commands about a shop's data: `data`, `rejected`, `simulate`, `export-events`, `features`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from cli_common import SAMPLE, AddCommand, Bar, UsageError, read, say
from settings import Settings


def ingest_sample(settings: Settings) -> None:
    from customers import pipeline
    from customers.ingest import complete_journey
    from download import ensure_sample_data

    data = ensure_sample_data(settings.cache)
    with Bar() as bar:
        complete_journey.ingest(data, settings.shop / pipeline.STORE, bar)


def _data(args: argparse.Namespace, settings: Settings) -> int:
    from customers import pipeline
    from customers.ingest.quality import render_markdown

    if args.source == [SAMPLE]:
        settings = replace(settings, shop=settings.var / SAMPLE if not args.shop else settings.shop)
        ingest_sample(settings)
    else:
        if not args.shop:
            settings = replace(settings, shop=settings.var / args.name.lower().replace(" ", "-"))
        if code := _load(args, settings.shop / pipeline.STORE):
            return code
    store = settings.shop / pipeline.STORE
    print(render_markdown(store, "en"))
    _quality_page(store, [Path(source) for source in args.source])
    say(f"Stored in {settings.shop}. Next: shopkeeper build --shop {settings.shop}")
    return 0


def _quality_page(store: Path, given: Sequence[Path]) -> None:
    """Write the quality page; where a folder that was given knows its planted dirt, score it as well."""
    from customers.ingest import dirt_score, quality_page

    scores = [score for path in given if path.is_dir() for score in dirt_score.score_store(store, path)]
    if scores:
        print(dirt_score.render(scores))
    say(f"Quality report: {quality_page.write(store, scores)}")


def _rejected(args: argparse.Namespace, settings: Settings) -> int:
    """List the rows that cleaning kept aside, or put those of a rule back."""
    from customers import pipeline
    from customers.ingest import kept_aside, put_back
    from customers.stores.events import open_store

    store = settings.shop / pipeline.STORE
    if args.put_back:
        done = put_back.put_back(store, args.put_back, args.source, args.customer)
        _quality_page(store, [])
        print(
            f"{done.rows:,} row{'s' if done.rows != 1 else ''} of rule {args.put_back}: {done.restored:,} put "
            f"back, {done.again:,} kept aside under another rule, {done.repeated:,} there already"
        )
        return 0
    opened = open_store(store)
    try:
        found = kept_aside.rows(opened, args.rule, args.source, None if args.csv else args.limit)
        if args.csv:
            kept_aside.write_csv(found, Path(args.csv))
            print(f"{len(found):,} rows in {args.csv}")
        elif args.json:
            print(json.dumps([row.to_dict() for row in found], ensure_ascii=False))
        else:
            print(kept_aside.render(opened, found, args.rule, args.source))
    finally:
        opened.close()
    return 0


def _load(args: argparse.Namespace, store: Path) -> int:
    """Bring files or a database into a store, read as before, as guessed or as the mapping says."""
    from customers.ingest import files, remembered, sources
    from customers.ingest.mapping import Mapping

    asked = {"tables": args.table, "since": args.since, "afresh": args.replace}
    with Bar() as bar, sources.opened(args.source, store, bar, **asked) as found:
        for line in found.told:
            say(line)
        if not found.paths:
            say("Nothing new to load.")
            return 0
        if args.mapping:
            mapping = Mapping.from_yaml(read(Path(args.mapping)), args.mapping)
        else:
            good, broken = files.readable(found.paths)
            if not good:
                raise UsageError(broken[0])
            mapping, before = remembered.recall(good, store)
            if not _confirmed(mapping, args.yes, before):
                return 2
        loaded = files.ingest(found.paths, mapping, store, args.name, bar, add=not args.replace)
        remembered.remember(mapping, store)
        found.loaded(store)
    for name in loaded.unchanged:
        say(f"{name} was loaded before and has not changed: left as it is.")
    for line in loaded.unreadable:
        say(f"Left out: {line}")
    say(f"{loaded.new:,} new events, {loaded.repeated:,} there already, {loaded.rejected:,} kept aside.")
    return 0


def _confirmed(mapping: Any, yes: bool, as_before: Collection[str] = ()) -> bool:
    """Whether the guess may be used; where not, the mapping goes to standard output, ready to be mended."""
    say(mapping.table(as_before))
    asked = not yes and sys.stdin.isatty()
    if yes or (asked and input("Read the columns like this? [y/N] ").strip().lower() in ("y", "yes", "是")):
        return True
    say(
        "This is how the columns would be read. Say --yes to accept it, or save it, mend it and pass --mapping FILE:"
    )
    print(mapping.to_yaml())
    return False


def fill_kinds(settings: Settings, seed: int = 1, again: bool = True) -> None:
    """Add simulated events of the kinds that the shop lacks; `again`: also where that was done before."""
    from customers import pipeline
    from customers.simulate.fill import fill, is_filled

    store = settings.shop / pipeline.STORE
    if not again and is_filled(store):
        return
    with Bar() as bar:
        added = fill(store, seed, bar)
    for kind, rows in added.items():
        print(f"{kind}: {rows:,} simulated events")


def _simulate(args: argparse.Namespace, settings: Settings) -> int:
    """A shop with planted truth as plain files, or the kinds of event that a shop's data lacks."""
    if args.fill == bool(args.folder):
        raise UsageError("say either a folder to write a simulated shop to, or --fill to add to --shop")
    if args.fill:
        fill_kinds(settings, args.seed)
        say(f"SIMULATED events are in {settings.shop}. Next: shopkeeper build --shop {settings.shop}")
        return 0
    from customers.simulate.shop import NAME, Asked, simulate

    asked = Asked(args.customers, args.days, args.seed, args.dirt, args.format)
    with Bar() as bar:
        written = simulate(Path(args.folder), asked, bar)
    for name, rows in written.items():
        print(f"{name}.{args.format}: {rows:,} rows")
    say(f'SIMULATED DATA. Next: shopkeeper data {args.folder} --yes --name "{NAME}"')
    return 0


def _export_events(args: argparse.Namespace, settings: Settings) -> int:
    from customers import pipeline
    from customers.features.engine import export_parquet

    export_parquet(settings.shop / pipeline.STORE, Path(args.folder))
    print(args.folder)
    return 0


def _features(args: argparse.Namespace, settings: Settings) -> int:
    from customers import pipeline
    from customers.features.engine import connect, write_features

    source = args.events or str(settings.shop / pipeline.STORE)
    with connect(args.engine or settings.engine, source) as engine:
        for name, folder in write_features(engine, args.out, args.as_of).items():
            print(f"{name}\t{folder}")
    return 0


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it like 2024-03-31") from None


def add_commands(command: AddCommand) -> None:
    """Add the commands that bring data in, clean it, simulate it and compute features of it."""
    data = command(
        "data", _data, f"bring data in: files, folders, a database's connection string, or `{SAMPLE}`"
    )
    data.add_argument("source", nargs="+")
    data.add_argument("--mapping", help="how columns are read (YAML); guessed from the header without it")
    data.add_argument(
        "--table", action="append", default=[], help="of a database: a table, or NAME=SELECT ..."
    )
    data.add_argument("--since", metavar="COLUMN", help="of a database: read on from its highest value")
    data.add_argument("--replace", action="store_true", help="start anew instead of adding to what is there")
    data.add_argument("--yes", action="store_true", help="accept the guessed mapping")
    data.add_argument("--name", default="my-shop", help="what the shop is called")
    simulate = command("simulate", _simulate, "make a simulated shop whose truth is known")
    simulate.add_argument("folder", nargs="?", help="a new folder for its files; marked as simulated")
    simulate.add_argument("--customers", type=int, default=2000)
    simulate.add_argument("--days", type=int, default=365)
    simulate.add_argument("--seed", type=int, default=1, help="the same seed gives the same shop")
    simulate.add_argument("--dirt", type=float, default=0.02, help="share of event rows made wrong")
    simulate.add_argument("--format", default="csv", choices=("csv", "parquet", "jsonl"))
    simulate.add_argument(
        "--fill",
        action="store_true",
        help="add simulated browsing, searches, reviews and questions to --shop",
    )
    rejected = command("rejected", _rejected, "rows that cleaning kept aside: list them, put them back")
    rejected.add_argument("--rule", help="only rows kept aside under this rule")
    rejected.add_argument("--source", help="only rows of this source")
    rejected.add_argument("--limit", type=int, default=20, help="show so many rows (default 20)")
    rejected.add_argument("--csv", metavar="FILE", help="write all of them to a file")
    rejected.add_argument("--json", action="store_true", help="print them as one JSON list")
    rejected.add_argument(
        "--put-back", metavar="RULE", help="put the rows of this rule back among the events"
    )
    rejected.add_argument("--customer", help="with --put-back robot: only this one's")
    events = command("export-events", _export_events, "write events, products and names as Parquet")
    events.add_argument("folder", help="a new folder")
    features = command("features", _features, "compute every feature table, here or on a Spark cluster")
    features.add_argument("out", help="a new folder or URL for the tables, in Parquet")
    features.add_argument(
        "--engine", help="duckdb, spark, or a Spark master, e.g. spark://host:7077 (default: duckdb)"
    )
    features.add_argument(
        "--events", help="a folder or URL that export-events wrote; default: the shop's store"
    )
    features.add_argument(
        "--as-of", type=_day, metavar="DAY", help="what was known by then; default: the last purchase's day"
    )
