"""`shopkeeper bench agent`: our agent against LangChain's `create_agent`, in one run.

Both have the same tools, data and model server, are asked the same cases one after the other, and are
judged by the same truth. The peer is warmed as ours is. Then 100 sessions talk to our agent at once,
with a scripted model, and each must keep to its own customer.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from agent import Agent
from agent.errors import AgentError
from agent.events import Reply, Usage
from agent.lexicon import Lexicon
from agent.llm import LLM
from agent.serving import connect
from customers.encoder import MultilingualEncoder
from customers.shop import Shop
from download import ensure_sample_data
from eval.truth import Truth, load_cases
from settings import Settings

if TYPE_CHECKING:
    from eval.peer import Peer

SESSIONS = 100


class NoPeer(AgentError):
    """LangChain is not installed."""


class TimedLLM(LLM):
    """Adds up the time that is spent waiting for the model."""

    waited = 0.0

    def plan(self, *args: Any, **kwargs: Any) -> tuple[dict[str, Any], Usage]:
        """As `LLM.plan`."""
        return self._timed(super().plan, *args, **kwargs)

    def text(self, *args: Any, **kwargs: Any) -> tuple[str, Usage]:
        """As `LLM.text`."""
        return self._timed(super().text, *args, **kwargs)

    def _timed(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            self.waited += time.perf_counter() - begun


@dataclass(frozen=True, slots=True)
class Turn:
    """One case and one agent's reply to it. seconds: the whole turn; waited_s: of them, inside the
    model's calls."""

    case: Mapping[str, Any]
    reply: Mapping[str, Any]
    wrong: list[str]
    untrue: list[str]
    seconds: float
    waited_s: float

    @property
    def uncached(self) -> int:
        """Prompt tokens that the server had to compute."""
        usage = self.reply["usage"]
        return usage["prompt_tokens"] - usage["cached_tokens"]


def evenly(cases: Sequence[dict[str, Any]], limit: int | None) -> list[dict[str, Any]]:
    """Return the first cases of each language in turn, `limit` in all, in their order."""
    if limit is None or limit >= len(cases):
        return list(cases)
    places: dict[str, int] = {}
    ranked = []
    for index, case in enumerate(cases):
        place = places[case["language"]] = places.get(case["language"], -1) + 1
        ranked.append((place, index))
    return [cases[index] for index in sorted(index for _, index in sorted(ranked)[:limit])]


def run_ours(agent: Agent, llm: TimedLLM, truth: Truth, cases: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """Ask our agent each case in order."""
    run, turns = uuid.uuid4().hex[:8], []
    for case in cases:
        session = f"{run}-{case['session']}" if case.get("session") else None
        llm.waited, begun = 0.0, time.perf_counter()
        reply = agent.ask(case["question"], case["role"], case.get("customer"), session).to_dict()
        seconds = time.perf_counter() - begun
        turns.append(Turn(case, reply, truth.check(case, reply), truth.audit(reply), seconds, llm.waited))
        _say("ours", turns[-1], len(turns), len(cases))
    return turns


def run_peer(peer: Peer, truth: Truth, cases: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """Ask the peer each case in order; of the kinds that its words allow, the right one counts."""
    from eval.peer import kinds

    turns = []
    for case in cases:
        reply = peer.ask(case["question"], case["role"], case.get("customer"), case.get("session"))
        allowed = [case["kind"]] if isinstance(case["kind"], str) else case["kind"]
        reply["kind"] = next((kind for kind in allowed if kind in kinds(reply)), reply["kind"])
        timings = reply["timings_ms"]
        turns.append(
            Turn(case, reply, truth.check(case, reply), truth.audit(reply),
                 timings["total"] / 1000, timings["llm"] / 1000)
        )  # fmt: skip
        _say("peer", turns[-1], len(turns), len(cases))
    return turns


def _say(who: str, turn: Turn, done: int, of: int) -> None:
    mark = "right" if not turn.wrong else "WRONG"
    text = f"{who} {done}/{of}  {mark}  {turn.seconds:5.1f} s  {turn.case['id']}"
    lines = [text, *(f"       {w}" for w in [*turn.wrong, *(f"untrue: {u}" for u in turn.untrue)])]
    print("\n".join(lines), file=sys.stderr, flush=True)


# figures -------------------------------------------------------------------------------------
def figures(ours: Sequence[Turn], peer: Sequence[Turn]) -> dict[str, float | int]:
    """Return the bench's figures: shares of 1, tokens and calls a turn, seconds; a ratio is ours to
    the peer's."""
    found: dict[str, float | int] = {"cases": len(ours)}
    for who, turns in (("ours", ours), ("peer", peer)):
        found[f"right_{who}"] = _share(not t.wrong for t in turns)
        for language in ("en", "zh"):
            found[f"right_{language}_{who}"] = _share(
                not t.wrong for t in turns if t.case["language"] == language
            )
        found[f"answers_all_true_{who}"] = _share(not t.untrue for t in turns)
        found[f"uncached_prompt_tokens_median_{who}"] = median(t.uncached for t in turns)
        found[f"llm_calls_mean_{who}"] = round(mean(t.reply["usage"]["llm_calls"] for t in turns), 2)
        found[f"seconds_median_{who}"] = round(median(t.seconds for t in turns), 2)
    found["right_points_above_peer"] = round(100 * (found["right_ours"] - found["right_peer"]), 1)
    found["uncached_prompt_tokens_ratio"] = _ratio(
        found["uncached_prompt_tokens_median_ours"], found["uncached_prompt_tokens_median_peer"]
    )
    found["seconds_ratio_of_medians"] = _ratio(found["seconds_median_ours"], found["seconds_median_peer"])
    ratios = [o.seconds / p.seconds for o, p in zip(ours, peer, strict=True)]
    found["seconds_ratio_median_by_case"] = round(median(ratios), 3)
    own = [1000 * (t.seconds - t.waited_s) for t in ours]
    found["own_ms_median"] = round(median(own), 1)
    found["own_ms_p95"] = round(float(np.percentile(own, 95)), 1)
    return found


def _share(rights: Any) -> float:
    values = list(rights)
    return round(mean(values), 4) if values else 0.0


def _ratio(ours: float, peer: float) -> float:
    return round(ours / peer, 3) if peer else float("inf")


_ROWS = (
    ("right answers", "right"),
    ("  English", "right_en"),
    ("  Chinese", "right_zh"),
    ("answers with every figure true", "answers_all_true"),
    ("uncached prompt tokens a turn, median", "uncached_prompt_tokens_median"),
    ("LLM calls a turn, mean", "llm_calls_mean"),
    ("seconds a turn, median", "seconds_median"),
)
_ALONE = (
    ("right answers above the peer, points", "right_points_above_peer"),
    ("uncached prompt tokens, ours to the peer's", "uncached_prompt_tokens_ratio"),
    ("seconds, ours to the peer's, of medians", "seconds_ratio_of_medians"),
    ("seconds, ours to the peer's, median of cases", "seconds_ratio_median_by_case"),
    ("our own time a turn, median, ms", "own_ms_median"),
    ("our own time a turn, 95th percentile, ms", "own_ms_p95"),
    ("sessions at once", "sessions"),
    ("  errors", "session_errors"),
    ("  cross-talk", "session_crosstalk"),
)


def table(found: Mapping[str, Any]) -> str:
    """The figures as lines for people."""
    lines = [f"{str(found['cases']) + ' cases':<46}{'ours':>10}{'peer':>10}"]
    lines += [f"{name:<46}{found[f'{key}_ours']:>10}{found[f'{key}_peer']:>10}" for name, key in _ROWS]
    return "\n".join([*lines, *(f"{name:<46}{found[key]:>10}" for name, key in _ALONE if key in found)])


# sessions ------------------------------------------------------------------------------------
class ScriptedModel:
    """Has the methods of `LLM` that turns use, as a model that was tuned to plan, and answers at once: the profile, else
    the first choice."""

    plans_in_lines = True

    def text(self, messages: Any, *, schema: Mapping[str, Any], **_: Any) -> tuple[str, Usage]:
        """Return a plan in lines that the grammar allows."""
        allowed = schema["items"]["enum"]
        return json.dumps(
            [next((line for line in allowed if line.startswith("profile ")), allowed[0])]
        ), Usage(1)

    def plan(self, messages: Any, schema: Mapping[str, Any], **_: Any) -> tuple[dict[str, Any], Usage]:
        """Return a plan that the grammar allows."""
        properties = schema["properties"]
        if "calls" not in properties:
            return {name: form["enum"][0] for name, form in properties.items()}, Usage(1)
        forms = [form["properties"] for form in properties["calls"]["items"]["anyOf"]]
        form = next((f for f in forms if f["tool"]["const"] == "profile"), forms[0])
        return {"calls": [{k: v["const"] if "const" in v else v["enum"][0] for k, v in form.items()}]}, Usage(
            1
        )

    def close(self) -> None:
        """Nothing to close."""


def sessions(shop: Shop, how_many: int = SESSIONS, llm: Any = None) -> dict[str, int]:
    """Let so many sessions talk at once, each about a customer of its own, and then about "them".

    Errors are turns that raise or call no tool; cross-talk is a turn whose calls are about anybody else.
    """
    customers = [str(c) for c in list(shop.keys("customer"))[:how_many]]
    together = threading.Barrier(len(customers))
    with tempfile.TemporaryDirectory(prefix="shopkeeper-bench-") as scratch:
        scripted: Any = llm or ScriptedModel()
        agent = Agent(shop, None, llm=scripted, memory=Path(scratch) / "memory.sqlite")

        def talk(customer: str) -> list[Reply | Exception]:
            said: list[Reply | Exception] = []
            for question in (
                f"Tell me about customer {customer}.",
                "When did they last come, and how often?",
            ):
                together.wait(60)
                try:
                    said.append(agent.ask(question, session=f"session-{customer}"))
                except Exception as error:
                    said.append(error)
            return said

        try:
            with ThreadPoolExecutor(len(customers)) as pool:
                talks = list(pool.map(talk, customers))
        finally:
            agent.close()
    errors = crosstalk = 0
    for customer, said in zip(customers, talks, strict=True):
        for reply in said:
            about = set() if isinstance(reply, Exception) else {c for s in reply.steps for c in named(s.args)}
            errors += not about
            crosstalk += bool(about - {customer})
    return {"sessions": len(customers), "session_errors": errors, "session_crosstalk": crosstalk}


def named(args: Mapping[str, Any]) -> list[str]:
    """The customers that a call is about."""
    one = [str(args["customer"])] if args.get("customer") else []
    return one + [str(c) for c in (args.get("filters") or {}).get("customer", ())]


# the command ---------------------------------------------------------------------------------
def run(settings: Settings, *, limit: int | None = None, as_json: bool = False) -> int:
    """Run the bench over the built sample and print its figures. Raises NoPeer, and what `connect` raises."""
    try:
        from eval.peer import Peer
    except ImportError as error:
        raise NoPeer("the peer needs LangChain; install it with: pip install -e '.[dev]'") from error
    cases = evenly(load_cases(Path(str(resources.files("eval"))) / "cases" / "first.jsonl"), limit)
    truth = Truth(ensure_sample_data(settings.cache))
    encoder = MultilingualEncoder()
    shop = Shop.open(settings.shop, encoder=encoder)
    endpoint = connect(settings, _progress)
    try:
        many = sessions(shop)
        with tempfile.TemporaryDirectory(prefix="shopkeeper-bench-") as scratch:
            llm = TimedLLM(endpoint)
            agent = Agent(shop, endpoint, llm=llm, memory=Path(scratch) / "memory.sqlite")
            _progress("Warming our agent's prompts")
            agent.warm()
            ours = run_ours(agent, llm, truth, cases)
            llm.close()
            peer = Peer(shop, Lexicon(shop, encoder), endpoint)
            _progress("Warming the peer's prompt")
            peer.warm()
            theirs = run_peer(peer, truth, cases)
            peer.close()
            agent.close()
    finally:
        endpoint.close()
        shop.close()
    found = figures(ours, theirs) | many
    _keep(settings.var / "eval" / "bench_agent.jsonl", ours, theirs)
    print(json.dumps(found) if as_json else table(found))
    return 0


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _keep(path: Path, ours: Sequence[Turn], theirs: Sequence[Turn]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        for who, turns in (("ours", ours), ("peer", theirs)):
            for t in turns:
                record = {"who": who, "id": t.case["id"], "question": t.case["question"], "wrong": t.wrong}
                record |= {"untrue": t.untrue, "seconds": t.seconds, "reply": t.reply}
                out.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")
    _progress(f"Answers kept in {path}")
