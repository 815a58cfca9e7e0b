"""`shopkeeper eval …`: its arguments, and what each form of it runs. Light to import: the suites load when they run."""

from __future__ import annotations

import argparse
from pathlib import Path

from settings import Settings

_JUDGED = ("first", "plans")
FORMS = """\
shopkeeper eval SUITE                one suite, or all (tool_choice, arguments, groundedness, recommendations,
                                     clarification, policy, injection, multi_turn, parity, templates, handoff, users)
shopkeeper eval first | plans        the judged cases of the sample; the labelled plans (--split)
shopkeeper eval compare A B          two runs side by side (A may be `baseline`); --html FILE, --gate
shopkeeper eval baseline RUN         keep a run as the baseline
shopkeeper eval harness              stand as the agent under test for an OpenAI-compatible benchmark"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `shopkeeper eval`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = FORMS
    parser.add_argument("suite", help="a suite, or compare, baseline, harness")
    parser.add_argument("runs", nargs="*", help="for compare: two runs; for baseline: one")
    parser.add_argument("--prompts", type=Path, metavar="DIR", help="another folder of prompts")
    parser.add_argument(
        "--epochs", type=int, default=1, help="trials of each case; pass^k is told from two on"
    )
    parser.add_argument("--limit", type=int, help="only so many cases, spread over the suite")
    parser.add_argument("--seed", type=int, default=0, help="of the cases that are made anew")
    parser.add_argument(
        "--draws", type=int, default=1, help="so many lots of them, with this seed and the next ones"
    )
    parser.add_argument("--resume", action="store_true", help="go on with a run that was cut off")
    parser.add_argument(
        "--run-name", metavar="NAME", help="what to call the run (default: its time and suite)"
    )
    parser.add_argument(
        "--split", default="dev", choices=("dev", "test", "fresh", "unseen"), help="which set of plans"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="for compare: write a page as well")
    parser.add_argument("--gate", action="store_true", help="for compare: exit 1 on a real regression")
    parser.add_argument("--price", type=float, help="for compare: money for a million tokens")
    parser.add_argument("--port", type=int, default=8100, help="for harness")
    parser.add_argument("--key", help="for harness: the key that callers must give (default: a random one)")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run what was asked for. Raises ValueError, in one line, for what cannot be run."""
    if args.suite in ("compare", "baseline"):
        return _runs(args, settings)
    if args.runs:
        raise ValueError(
            f"`shopkeeper eval {args.suite}` takes no {args.runs[0]!r}; see `shopkeeper eval --help`"
        )
    if args.suite == "harness":
        from eval.harness import serve

        return serve(settings, port=args.port, key=args.key)
    if args.suite in _JUDGED:
        return _judged(args, settings)
    from eval.run import run_suites

    return run_suites(
        settings, [args.suite], prompts=args.prompts, epochs=args.epochs, limit=args.limit, seed=args.seed,
        draws=args.draws, resume=args.resume, as_json=args.json, name=args.run_name,
    )  # fmt: skip


def _judged(args: argparse.Namespace, settings: Settings) -> int:
    if args.suite == "plans":
        from eval import plans

        return plans.run(settings, split=args.split, limit=args.limit, as_json=args.json)
    from eval import first

    return first.run(settings, suite=args.suite, limit=args.limit, as_json=args.json)


def _runs(args: argparse.Namespace, settings: Settings) -> int:
    from eval import compare

    wanted = 2 if args.suite == "compare" else 1
    if len(args.runs) != wanted:
        raise ValueError(
            f"name {'two runs to compare' if wanted == 2 else 'the run to keep'}; they are in var/eval/runs"
        )
    if args.suite == "baseline":
        folder = Path(args.runs[0])
        kept = compare.save_baseline(
            folder if folder.is_dir() else compare.runs_folder(settings) / folder, settings
        )
        print(f"Kept as the baseline in {kept}")
        return 0
    return compare.run(
        settings, *args.runs, as_json=args.json, page=args.html, gate=args.gate, price=args.price
    )
