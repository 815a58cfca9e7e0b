"""The `shopkeeper` command; thin: each subcommand reads its arguments and calls one room.

Exit codes: 0 done; 2 bad usage or bad input, said in one line on stderr with the way to mend it;
1 a fault of ours.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import cli_campaign
import cli_customer
import cli_desk
import cli_eval
import cli_knowledge
import cli_models
import cli_offers
import cli_serve
from cli_common import SAMPLE, Bar, UsageError, say
from cli_data import add_commands, fill_kinds, ingest_sample
from settings import Settings

if TYPE_CHECKING:
    from agent import Agent
    from agent.doctor import Finding
    from agent.events import Reply


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    from agent.errors import AgentError
    from customers.errors import CustomersError
    from download import DownloadError

    try:
        settings = _settings(args)
        return args.run(args, settings) or 0
    except (AgentError, CustomersError, DownloadError, UsageError) as error:
        print(f"shopkeeper: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0


def _settings(args: argparse.Namespace) -> Settings:
    try:
        settings = Settings()
    except ValueError as error:
        raise UsageError(f"a SHOPKEEPER_ variable holds no number: {error}") from error
    if getattr(args, "shop", None):
        settings = replace(settings, shop=_shop_dir(args.shop, settings))
    if getattr(args, "model", None):
        settings = replace(settings, llm_model=args.model)
    if getattr(args, "url", None):
        settings = replace(settings, llm_url=args.url)
    return settings


def _shop_dir(given: str, settings: Settings) -> Path:
    return Path(given) if "/" in given or Path(given).exists() else settings.var / given


# commands ------------------------------------------------------------------------------------
def _run(args: argparse.Namespace, settings: Settings) -> int:
    """Everything a newcomer needs: model, sample data, profiles, the page."""
    from agent.models import ensure_model

    if not settings.llm_url:
        ensure_model(settings.llm_model, settings.cache)
    _ensure_data(settings)
    if args.fill:
        fill_kinds(settings, again=False)
    _build_shop(settings, force=False)
    _ui(args, settings)


def _ensure_built(settings: Settings) -> None:
    _ensure_data(settings)
    _build_shop(settings, force=False)


def _ensure_data(settings: Settings) -> None:
    from customers import pipeline

    if not (settings.shop / pipeline.STORE).is_file():
        if settings.shop.name != SAMPLE:
            raise UsageError(f"{settings.shop} holds no data: bring it in with `shopkeeper data SOURCE`")
        ingest_sample(settings)


def _build_shop(settings: Settings, force: bool) -> Path:
    from customers import pipeline

    with Bar() as bar:
        return pipeline.build(settings.shop, bar, force=force, fill_gaps=settings.fill_gaps)


def _build(args: argparse.Namespace, settings: Settings) -> int:
    if settings.shop.name == SAMPLE:
        _ensure_built(settings)
    version = _build_shop(settings, args.force)
    print(f"{version / 'report' / 'report.md'}")
    return 0


def _ask(args: argparse.Namespace, settings: Settings) -> int:
    from agent import Agent

    with Agent.open(settings, on_progress=say if sys.stderr.isatty() else None) as agent:
        if args.question != "-":
            _print(agent.ask(args.question, args.role, args.customer, args.session), args.json)
            return 0
        for line in sys.stdin:
            if line.strip():
                _answer_line(agent, line, args)
    return 0


def _answer_line(agent: Agent, line: str, args: argparse.Namespace) -> None:
    """One line of `ask -`: plain text, or a JSON object; a bad line is answered and the next goes on."""
    from agent.errors import AgentError

    try:
        asked = _question(line, args)
        _print(agent.ask(asked["question"], asked["role"], asked["customer"], asked["session"]), args.json)
    except (AgentError, UsageError) as error:
        if args.json:
            print(json.dumps({"error": str(error)}, ensure_ascii=False), flush=True)
        else:
            print(f"shopkeeper: {error}", flush=True)


def _question(line: str, args: argparse.Namespace) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "question": line.strip(),
        "role": args.role,
        "customer": args.customer,
        "session": args.session,
    }
    if line.lstrip().startswith("{"):
        try:
            given = json.loads(line)
        except ValueError as error:
            raise UsageError(f"a line is no JSON object: {error}") from error
        if not isinstance(given.get("question"), str):
            raise UsageError('a JSON line needs a "question" that is text')
        asked |= {key: given[key] for key in asked if given.get(key) is not None}
    return asked | {key: str(asked[key]) for key in ("customer", "session") if asked[key] is not None}


def _print(reply: Reply, as_json: bool) -> None:
    if as_json:
        print(json.dumps(reply.to_dict(), ensure_ascii=False, default=str), flush=True)
        return
    print(reply.answer, flush=True)
    if reply.handoff:
        print(f"\n--- {reply.handoff.reason}\n{reply.handoff.brief}", flush=True)


def _ui(args: argparse.Namespace, settings: Settings) -> NoReturn:
    from agent import Agent
    from ui.server import launch, require_free

    port = getattr(args, "port", None) or settings.ui_port
    require_free(settings.ui_host, port)
    with Agent.open(settings, on_progress=say, share=True) as agent:
        say(f"Shopkeeper is at http://{settings.ui_host}:{port} (Ctrl-C ends it)")
        try:
            launch(agent, settings.ui_host, port, open_browser=not getattr(args, "no_browser", False))
        except KeyboardInterrupt:
            say("stopped")
    # The page's own threads outlive it; leave without waiting for them, everything of ours is closed.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _llm(args: argparse.Namespace, settings: Settings) -> int:
    """Keep a model server running for the other commands, or check the one that is given."""
    import signal

    from agent.engine import VllmAsked, serve

    for adapter in args.adapter:
        if not all(adapter.partition("=")):
            raise UsageError(f"an adapter is given as NAME=FOLDER, not as {adapter!r}")
    adapters = dict(adapter.split("=", 1) for adapter in args.adapter)
    asked = VllmAsked(args.tensor_parallel, adapters, args.vllm_arguments)
    endpoint = serve(settings, args.engine, asked, say, args.port or 0)
    try:
        print(f"{endpoint.model} answers at {endpoint.base_url}", flush=True)
        if endpoint.owned is not None:
            say("Other shopkeeper commands use it while it runs; Ctrl-C ends it.")
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            say(f"shopkeeper: {endpoint.owned.wait()}")
            return 1
    finally:
        endpoint.close()
    return 0


def _doctor(args: argparse.Namespace, settings: Settings) -> int:
    from agent.doctor import examine

    found = (*examine(settings), *_desk_findings(settings))
    if args.json:
        print(
            json.dumps(
                {f.what: {"ok": f.ok, "detail": f.detail, "mend": f.mend} for f in found}, ensure_ascii=False
            )
        )
    else:
        for finding in found:
            print(f"{'ok  ' if finding.ok else 'MEND'}  {finding.what}: {finding.detail}")
            if not finding.ok:
                print(f"      {finding.mend}")
    return 0 if all(f.ok for f in found) else 2


def _desk_findings(settings: Settings) -> list[Finding]:
    """How the desks' queues stand, from what is on disk."""
    from agent.doctor import Finding
    from api.desk.check import queue_findings

    return [
        Finding(f"desk {one.desk}", one.ok, one.what, "run `shopkeeper desk check`")
        for one in queue_findings(settings.desks, settings.shop)
    ]


# arguments -----------------------------------------------------------------------------------
def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shopkeeper", description="Knows a shop's customers, and answers about them."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(
        name: str, run: Callable[..., int], words: str, model: bool = False
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=words, description=words)
        sub.set_defaults(run=run)
        sub.add_argument("--shop", help=f"the shop's directory, or its name under var/ (default: {SAMPLE})")
        if model:
            sub.add_argument(
                "--model",
                help="a model of the catalogue, a GGUF file, a name on the hub (owner/name, or "
                "hf:owner/name:file.gguf), or the server's model name",
            )
            sub.add_argument("--url", help="an OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1")
        return sub

    for name, words in (("run", "set everything up and open the page"), ("ui", "open the page")):
        page = command(name, _run if name == "run" else _ui, words, model=True)
        page.add_argument("--port", type=int, help="default 7860")
        page.add_argument("--no-browser", action="store_true", help="do not open a browser")
        if name == "run":
            page.add_argument(
                "--fill", action="store_true", help="with simulated events of the kinds it lacks"
            )
    add_commands(command)
    cli_campaign.add_commands(command)
    build = command("build", _build, "build the profiles, segments, models and recommenders")
    build.add_argument("--force", action="store_true", help="build even when nothing has changed")
    ask = command("ask", _ask, "ask a question; `-` reads one a line", model=True)
    ask.add_argument("question")
    ask.add_argument("--role", default="service", choices=("service", "merchandiser"))
    ask.add_argument("--customer", help="the customer at hand")
    ask.add_argument("--session", help="remember the conversation under this name")
    ask.add_argument("--json", action="store_true", help="print the whole reply as one JSON object")
    cli_serve.add_commands(command)
    cli_desk.add_commands(command)
    cli_knowledge.add_commands(command)
    cli_customer.add_commands(command)
    cli_offers.add_commands(command)
    llm = command("llm", _llm, "start the model server, or check the one that is given", model=True)
    llm.add_argument("--port", type=int)
    llm.add_argument("--engine", default="auto", choices=("auto", "llama", "vllm"), help="what serves it")
    llm.add_argument("--tensor-parallel", type=int, default=1, metavar="GPUS", help="GPUs that share a model")
    llm.add_argument("--adapter", action="append", default=[], metavar="NAME=FOLDER", help="a LoRA adapter")
    llm.add_argument("vllm_arguments", nargs="*", metavar="-- ARGUMENTS", help="further ones of `vllm serve`")
    cli_eval.add_commands(command)
    cli_models.add_commands(command)
    doctor = command("doctor", _doctor, "check that everything needed is there", model=True)
    doctor.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
