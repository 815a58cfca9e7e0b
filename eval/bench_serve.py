"""`shopkeeper bench serve`: many conversations at once with the real server, against a scripted model.

    load generator + scripted model (this process)  --HTTP-->  `shopkeeper serve` (a process of its own)

Each conversation is about a customer of its own: a colleague reads, thinks, and asks the next thing. What is
measured is our own time a request: all of it but what the model took, which the scripted model knows. Each answer
must rest on facts, all of them that customer's, and be word for word the one that the same question got when it was
asked alone. Afterwards more is asked at once than the server takes.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import uvicorn

from agent.errors import AgentError
from customers.shop import Shop
from eval.bench_serve_model import MODEL, Delays, ScriptedModel, customers_in
from settings import Settings

CONVERSATIONS, MINUTES, THINK_S = 200, 2.0, 15.0
AT_ONCE, WAITING = 64, 256
"""The server's own defaults; with more threads at work, its event loop waits long for its turn."""
SMALL, BURST = (8, 32), 400
"""A server that takes so many at once and lets so many wait, and how many are asked of it at once."""
OWN_MEDIAN_MS, OWN_P99_MS, FLAT = 60.0, 250.0, 0.05
"""What is to be kept: our own time a request, and how much memory may grow from the second third to the last."""
QUESTIONS = (
    "Tell me about customer {}.",
    "How much has customer {} spent, and on how many trips?",
    "What should we offer customer {} with the next order?",
    "顾客{}最常买什么？",
    "How often does customer {} come, and when did they last?",
    "给顾客{}推荐三样商品",
)
_READY_S = 600.0


class BenchFailed(AgentError):
    """The server could not be started, or ended while it was measured."""


@dataclass(slots=True)
class Asked:
    """One request: milliseconds in all and without the model's; what went wrong, "" nothing; whether its answer was
    held against the one that was given alone."""

    total_ms: float
    own_ms: float
    wrong: str = ""
    compared: bool = False


@dataclass(slots=True)
class Measured:
    """All requests, and the server's memory in MB each second."""

    asked: list[Asked] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    seconds: float = 0.0


# the server ----------------------------------------------------------------------------------
@contextmanager
def scratch_shop(shop: Path) -> Iterator[Path]:
    """A shop with the same data whose memory, notes and queue are its own."""
    with tempfile.TemporaryDirectory(prefix="shopkeeper-bench-") as folder:
        made = Path(folder) / "shop"
        made.mkdir()
        for part in ("store", "versions", "CURRENT"):
            (made / part).symlink_to((shop / part).resolve())
        yield made


@asynccontextmanager
async def scripted(model: ScriptedModel) -> AsyncIterator[str]:
    """Serve the scripted model on this event loop; yields its base URL."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = uvicorn.Server(uvicorn.Config(model.app(), log_level="error", access_log=False))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def served(
    shop: Path, model_url: str, at_once: int = AT_ONCE, waiting: int = WAITING
) -> AsyncIterator[tuple[httpx.AsyncClient, psutil.Process]]:
    """Start `shopkeeper serve` as anybody would; yields a client with its key, and its process."""
    key, port = secrets.token_urlsafe(16), _free_port()
    env = os.environ | {"SHOPKEEPER_API_KEY": key, "SHOPKEEPER_VAR": str(shop.parent)}
    command = [sys.executable, "-m", "cli", "serve", "--shop", str(shop), "--port", str(port)]
    command += ["--url", model_url, "--model", MODEL, "--at-once", str(at_once), "--waiting", str(waiting)]
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=told, cwd=Path(__file__).parents[1]
        )
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"},
                timeout=120.0, limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            ) as client:  # fmt: skip
                try:
                    await _ready(client, process)
                    yield client, psutil.Process(process.pid)
                except (BenchFailed, httpx.HTTPError) as error:
                    told.seek(0)
                    last = told.read().decode(errors="replace").strip().splitlines()[-1:] or [str(error)]
                    raise BenchFailed(
                        f"`shopkeeper serve` failed ({error}); it last said: {last[0]}"
                    ) from error
        finally:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, 30)
            except subprocess.TimeoutExpired:
                process.kill()


async def _ready(client: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _READY_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise BenchFailed("it ended at once")
        try:
            if (await client.get("/ready")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.2)
    raise BenchFailed(f"it was not ready within {_READY_S:.0f} s")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


# the load ------------------------------------------------------------------------------------
class Load:
    """Asks, checks and measures. alone: the answers of those (customer, question) that were asked alone."""

    def __init__(self, client: httpx.AsyncClient, model: ScriptedModel) -> None:
        self._client, self._model = client, model
        self.alone: dict[tuple[str, int], str] = {}

    async def ask(self, customer: str, question: int, session: str | None = None) -> tuple[Asked, str]:
        """Ask one question about a customer; return how it went, and the answer."""
        waited, begun = self._model.waited[customer], time.perf_counter()
        asked = {"question": QUESTIONS[question].format(customer), "customer": customer, "role": "service"}
        try:
            answer = await self._client.post(
                "/v1/ask", json=asked | ({"session": session} if session else {})
            )
        except httpx.HTTPError as error:
            return Asked(0.0, 0.0, type(error).__name__), ""
        total = time.perf_counter() - begun
        own = total - (self._model.waited[customer] - waited)
        timed = Asked(1000 * total, 1000 * own)
        if answer.status_code != 200:
            timed.wrong = f"status {answer.status_code}"
            return timed, ""
        reply = answer.json()
        timed.compared = (customer, question) in self.alone
        timed.wrong = self._fault(customer, question, reply)
        return timed, reply["answer"]

    def _fault(self, customer: str, question: int, reply: Mapping[str, Any]) -> str:
        """What is wrong with a reply: no facts, somebody else's, or not what was answered alone."""
        about = {c for step in reply["steps"] for c in _named(step["args"])}
        told = (reply["answer"], *(citation["fact"] for citation in reply["citations"]))
        if (about | {c for text in told for c in customers_in(text)}) - {customer}:
            return "cross-talk"
        if customer not in about or not reply["citations"]:
            return "no facts"
        before = self.alone.get((customer, question))
        return "" if before in (None, reply["answer"]) else "another answer than alone"

    async def converse(self, customer: str, until: float, think_s: float, measured: Measured) -> None:
        """One conversation after another about a customer, until the time is over."""
        await asyncio.sleep(random.uniform(0, think_s))
        while time.monotonic() < until:
            session = secrets.token_hex(8)
            for question in random.sample(range(len(QUESTIONS)), len(QUESTIONS)):
                timed, _ = await self.ask(customer, question, session)
                measured.asked.append(timed)
                # People take at least a few seconds, mostly some, and now and then long.
                await asyncio.sleep(think_s * (0.3 + min(random.expovariate(1 / 0.7), 4.0)))
                if time.monotonic() >= until:
                    return


def _named(args: Mapping[str, Any]) -> list[str]:
    one = [str(args["customer"])] if args.get("customer") else []
    return one + [str(c) for c in (args.get("filters") or {}).get("customer", ())]


async def _watch(process: psutil.Process, measured: Measured, until: float) -> None:
    begun, cpu = time.monotonic(), process.cpu_times()
    while time.monotonic() < until:
        measured.memory.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(1.0)
    after = process.cpu_times()
    measured.cpu_s = after.user + after.system - cpu.user - cpu.system
    measured.seconds = time.monotonic() - begun


async def overload(load: Load, customers: Sequence[str]) -> dict[str, Any]:
    """Ask many times as much at once as a small server takes; then ask a few times more."""
    client = load._client
    asked = [
        {"question": QUESTIONS[0].format(c), "customer": c, "role": "service"}
        for c in (customers[i % len(customers)] for i in range(BURST))
    ]
    answers = await asyncio.gather(*(client.post("/v1/ask", json=a) for a in asked), return_exceptions=True)
    codes = Counter(a.status_code if isinstance(a, httpx.Response) else type(a).__name__ for a in answers)
    refused = [a for a in answers if isinstance(a, httpx.Response) and a.status_code == 429]
    again = [await load.ask(customers[0], 0) for _ in range(5)]
    return {
        "overload_requests": BURST,
        "overload_answered": codes.pop(200, 0),
        "overload_refused_429": codes.pop(429, 0),
        "overload_without_retry_after": sum("retry-after" not in a.headers for a in refused),
        "overload_other": sum(codes.values()),
        "overload_faults": {str(kind): n for kind, n in codes.items()},
        "recovered": all(not timed.wrong for timed, _ in again),
        "recovered_own_ms": round(float(np.median([timed.own_ms for timed, _ in again])), 1),
    }


# the figures ---------------------------------------------------------------------------------
def figures(measured: Measured, conversations: int, minutes: float) -> dict[str, Any]:
    """Return what was measured; times in milliseconds, memory in MB."""
    wrong = Counter(a.wrong for a in measured.asked if a.wrong)
    fine = [a for a in measured.asked if not a.wrong] or [Asked(0.0, 0.0)]
    own, total = [a.own_ms for a in fine], [a.total_ms for a in fine]
    third = max(1, len(measured.memory) // 3)
    middle, last = (
        float(np.median(part or [0.0]))
        for part in (measured.memory[third : 2 * third], measured.memory[2 * third :])
    )
    return {
        "conversations": conversations,
        "minutes": minutes,
        "requests": len(measured.asked),
        "held_against_alone": sum(a.compared for a in measured.asked),
        "requests_per_s": round(len(measured.asked) / max(measured.seconds, 1e-9), 1),
        "errors": sum(wrong.values()) - wrong["cross-talk"],
        "crosstalk": wrong["cross-talk"],
        "faults": dict(wrong),
        "own_ms_median": round(float(np.median(own)), 1),
        "own_ms_p95": round(float(np.percentile(own, 95)), 1),
        "own_ms_p99": round(float(np.percentile(own, 99)), 1),
        "total_ms_median": round(float(np.median(total)), 1),
        "cpu_share_of_a_core": round(measured.cpu_s / max(measured.seconds, 1e-9), 3),
        "cpu_ms_per_request": round(1000 * measured.cpu_s / max(1, len(measured.asked)), 1),
        "memory_mb_middle_third": round(middle, 1),
        "memory_mb_last_third": round(last, 1),
        "memory_growth": round(last / middle - 1, 4) if middle else 0.0,
    }


def kept(found: Mapping[str, Any]) -> dict[str, bool]:
    """Which of the promises hold."""
    return {
        "no error, no cross-talk": not found["errors"] and not found["crosstalk"],
        f"our own time: median at most {OWN_MEDIAN_MS:.0f} ms": found["own_ms_median"] <= OWN_MEDIAN_MS,
        f"our own time: p99 at most {OWN_P99_MS:.0f} ms": found["own_ms_p99"] <= OWN_P99_MS,
        "memory flat": found["memory_growth"] <= FLAT,
        "overload is refused with 429 and Retry-After, and passes": bool(
            found["overload_refused_429"] and found["recovered"]
            and not found["overload_without_retry_after"] and not found["overload_other"]
        ),
    }  # fmt: skip


def table(found: Mapping[str, Any]) -> str:
    """The figures as lines for people."""
    lines = [f"{name.replace('_', ' '):<34}{value!s:>14}" for name, value in found.items()]
    return "\n".join(
        [*lines, *(f"{'kept  ' if ok else 'MISSED'}  {what}" for what, ok in kept(found).items())]
    )


# the command ---------------------------------------------------------------------------------
def run(
    settings: Settings, *, conversations: int = CONVERSATIONS, minutes: float = MINUTES,
    think_s: float = THINK_S, delays: Delays | None = None, as_json: bool = False,
) -> int:  # fmt: skip
    """Measure the server over a built shop and print the figures; 1 where a promise is missed.

    Raises NotBuilt, BenchFailed.
    """
    opened = Shop.open(settings.shop)
    try:
        customers = [str(c) for c in opened.customer_ids()]
    finally:
        opened.close()
    chosen = random.Random(0).sample(customers, min(conversations, len(customers)))
    found = asyncio.run(_measure(settings.shop, chosen, minutes, think_s, delays or Delays()))
    print(json.dumps(found) if as_json else table(found))
    return 0 if all(kept(found).values()) else 1


async def _measure(
    shop: Path, customers: Sequence[str], minutes: float, think_s: float, delays: Delays
) -> dict[str, Any]:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # the server goes with us
    model, measured = ScriptedModel(Delays((0.0, 0.0), 0.0)), Measured()
    with scratch_shop(shop) as scratch:
        async with scripted(model) as url, served(scratch, url) as (client, process):
            load = Load(client, model)
            _say("Each question about each customer, alone")
            for customer in customers:
                for question in range(len(QUESTIONS)):
                    _, load.alone[customer, question] = await load.ask(customer, question)
            model.delays = delays
            _say(f"{len(customers)} conversations at once for {minutes:g} minutes")
            until = time.monotonic() + 60 * minutes
            await asyncio.gather(
                _watch(process, measured, until),
                *(load.converse(customer, until, think_s, measured) for customer in customers),
            )
            found = figures(measured, len(customers), minutes)
        async with scripted(model) as url, served(scratch, url, *SMALL) as (client, _):
            _say("More than it takes")
            found |= await overload(Load(client, model), customers)
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
