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

from settings import Settings

if TYPE_CHECKING:
    from agent import Agent
    from agent.events import Reply

SAMPLE = "complete-journey"


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


class UsageError(Exception):
    """The command line asks for something that cannot be; one line."""


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


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# commands ------------------------------------------------------------------------------------
def _run(args: argparse.Namespace, settings: Settings) -> int:
    """Everything a newcomer needs: model, sample data, profiles, the page."""
    from agent.models import ensure_model

    if not settings.llm_url:
        ensure_model(settings.llm_model, settings.cache)
    _ensure_built(settings)
    _ui(args, settings)


def _ensure_built(settings: Settings) -> None:
    from customers import pipeline

    if not (settings.shop / pipeline.STORE).is_file():
        if settings.shop.name != SAMPLE:
            raise UsageError(f"{settings.shop} holds no data: bring it in with `shopkeeper data SOURCE`")
        _ingest_sample(settings)
    _build_shop(settings.shop, force=False)


def _ingest_sample(settings: Settings) -> None:
    from customers import pipeline
    from customers.ingest import complete_journey
    from download import ensure_sample_data

    data = ensure_sample_data(settings.cache)
    with _Bar() as bar:
        complete_journey.ingest(data, settings.shop / pipeline.STORE, bar)


def _build_shop(shop: Path, force: bool) -> Path:
    from customers import pipeline

    with _Bar() as bar:
        return pipeline.build(shop, bar, force=force)


def _data(args: argparse.Namespace, settings: Settings) -> int:
    from customers import pipeline
    from customers.ingest import files
    from customers.ingest.mapping import Mapping, guess_mapping
    from customers.ingest.quality import render_markdown

    if args.source == [SAMPLE]:
        settings = replace(settings, shop=settings.var / SAMPLE if not args.shop else settings.shop)
        _ingest_sample(settings)
    else:
        if not args.shop:
            settings = replace(settings, shop=settings.var / args.name.lower().replace(" ", "-"))
        paths = [Path(source) for source in args.source]
        if args.mapping:
            mapping = Mapping.from_yaml(_read(Path(args.mapping)), args.mapping)
        else:
            mapping = guess_mapping(paths)
            if not _confirmed(mapping, args.yes):
                return 2
        with _Bar() as bar:
            files.ingest(paths, mapping, settings.shop / pipeline.STORE, args.name, bar)
    print(render_markdown(settings.shop / pipeline.STORE, "en"))
    _say(f"Stored in {settings.shop}. Next: shopkeeper build --shop {settings.shop}")
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _confirmed(mapping: Any, yes: bool) -> bool:
    """Whether the guess may be used; where not, the mapping goes to standard output, ready to be mended."""
    _say(mapping.table())
    asked = not yes and sys.stdin.isatty()
    if yes or (asked and input("Read the columns like this? [y/N] ").strip().lower() in ("y", "yes", "是")):
        return True
    _say(
        "This is how the columns would be read. Say --yes to accept it, or save it, mend it and pass --mapping FILE:"
    )
    print(mapping.to_yaml())
    return False


def _build(args: argparse.Namespace, settings: Settings) -> int:
    if settings.shop.name == SAMPLE:
        _ensure_built(settings)
    version = _build_shop(settings.shop, args.force)
    print(f"{version / 'report' / 'report.md'}")
    return 0


def _ask(args: argparse.Namespace, settings: Settings) -> int:
    from agent import Agent

    with Agent.open(settings, on_progress=_say if sys.stderr.isatty() else None) as agent:
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
    from ui.app import launch, require_free

    port = getattr(args, "port", None) or settings.ui_port
    require_free(settings.ui_host, port)
    with Agent.open(settings, on_progress=_say, share=True) as agent:
        _say(f"Shopkeeper is at http://{settings.ui_host}:{port} (Ctrl-C ends it)")
        try:
            launch(agent, settings.ui_host, port, open_browser=not getattr(args, "no_browser", False))
        except KeyboardInterrupt:
            _say("stopped")
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
    endpoint = serve(settings, args.engine, asked, _say, args.port or 0)
    try:
        print(f"{endpoint.model} answers at {endpoint.base_url}", flush=True)
        if endpoint.owned is not None:
            _say("Other shopkeeper commands use it while it runs; Ctrl-C ends it.")
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            _say(f"shopkeeper: {endpoint.owned.wait()}")
            return 1
    finally:
        endpoint.close()
    return 0


def _eval(args: argparse.Namespace, settings: Settings) -> int:
    from eval.command import run

    try:
        return run(args, settings)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _bench(args: argparse.Namespace, settings: Settings) -> int:
    if args.name == "agent":
        from eval import bench_agent

        return bench_agent.run(settings, limit=args.limit, as_json=args.json)
    from eval.bench_build import run

    run(settings.shop, as_json=args.json)
    return 0


def _doctor(args: argparse.Namespace, settings: Settings) -> int:
    from agent.doctor import examine

    found = examine(settings)
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


class _Bar:
    """Shows the stages of long work: a bar on a terminal, a line a stage elsewhere."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._tqdm, self._bar, self._live = tqdm, None, sys.stderr.isatty()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def stage(self, name: str) -> None:
        self._close()
        if self._live:
            self._bar = self._tqdm(
                desc=name, total=None, bar_format="{desc:<36}{bar:20} {elapsed}", file=sys.stderr
            )
        else:
            _say(name)

    def step(self, done: int, total: int) -> None:
        if self._bar is not None:
            self._bar.total = total
            self._bar.n = done
            self._bar.refresh()


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
    data = command("data", _data, f"bring data in: files, folders, or `{SAMPLE}`")
    data.add_argument("source", nargs="+")
    data.add_argument("--mapping", help="how columns are read (YAML); guessed from the header without it")
    data.add_argument("--yes", action="store_true", help="accept the guessed mapping")
    data.add_argument("--name", default="my-shop", help="what the shop is called")
    build = command("build", _build, "build the profiles, segments, models and recommenders")
    build.add_argument("--force", action="store_true", help="build even when nothing has changed")
    ask = command("ask", _ask, "ask a question; `-` reads one a line", model=True)
    ask.add_argument("question")
    ask.add_argument("--role", default="service", choices=("service", "merchandiser"))
    ask.add_argument("--customer", help="the customer at hand")
    ask.add_argument("--session", help="remember the conversation under this name")
    ask.add_argument("--json", action="store_true", help="print the whole reply as one JSON object")
    llm = command("llm", _llm, "start the model server, or check the one that is given", model=True)
    llm.add_argument("--port", type=int)
    llm.add_argument("--engine", default="auto", choices=("auto", "llama", "vllm"), help="what serves it")
    llm.add_argument("--tensor-parallel", type=int, default=1, metavar="GPUS", help="GPUs that share a model")
    llm.add_argument("--adapter", action="append", default=[], metavar="NAME=FOLDER", help="a LoRA adapter")
    llm.add_argument("vllm_arguments", nargs="*", metavar="-- ARGUMENTS", help="further ones of `vllm serve`")
    from eval.command import add_arguments

    suite = command("eval", _eval, "run an eval suite over the real agent", model=True)
    add_arguments(suite)
    bench = command("bench", _bench, "measure side by side with the peer", model=True)
    bench.add_argument("name", choices=("build", "agent"))
    bench.add_argument("--limit", type=int, help="only so many cases, of each language alike (agent)")
    bench.add_argument("--json", action="store_true")
    doctor = command("doctor", _doctor, "check that everything needed is there", model=True)
    doctor.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
