"""The stage that every trial of a process plays on: one agent, the kept replies, the ground that scorers stand on."""

from __future__ import annotations

import atexit
import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from agent import Agent
from agent.endpoint import Endpoint
from agent.prompts import Prompts
from agent.serving import connect
from customers.encoder import MultilingualEncoder
from customers.shop import Shop
from customers.stores import versions
from download import ensure_sample_data
from eval.cases import USERS, Case
from eval.records import Result
from eval.replies import Identity, Played, Replies, code_digest, folder_digest
from eval.scorers.ground import Ground
from eval.shadow import shadow
from eval.truth import Truth
from settings import Settings

PARALLEL = 8
"""Trials at once where the server is not our llama.cpp, which has a slot for one turn."""


class Asked(Protocol):
    """What a stage needs of an agent (`agent.Agent`). Planting notes needs its `shop.notes` too."""

    shop: Any

    def ask(self, question: str, role: str, customer: str | None, session: str | None) -> Any: ...

    def forget(self, session: str) -> None: ...


class Actor(Protocol):
    """Who talks in place of a case's turns, and judges what comes of it (`eval.users.User`)."""

    @property
    def digest(self) -> str: ...

    def play(self, ask: Callable[[str], dict[str, Any]], epoch: int) -> Played: ...


class Stage:
    """Plays cases. Safe to use from several threads.

    agent: answers. renamed: an agent over a copy of the data in which the cases' product names are planted, where any
    case plants some. workers: trials at once; a case with notes planted plays alone.
    """

    def __init__(
        self,
        agent: Asked,
        identity: Identity,
        ground: Ground,
        replies: Replies,
        *,
        workers: int = 1,
        renamed: Asked | None = None,
    ) -> None:
        self.identity, self.ground, self.workers = identity, ground, workers
        self.done: dict[tuple[str, str, int], Result] = {}
        """Trials that need not be played again: (suite, case, epoch) -> result."""
        self.heard: Callable[[Result], None] = lambda _: None
        """Told of every result as it comes; called from one thread at a time."""
        self.actors: dict[str, Actor] = {}
        """Who talks in the cases of `users`, by the case's id."""
        self.agent = agent
        self._renamed, self._replies = renamed, replies
        self._gate, self._permits = threading.Lock(), threading.Semaphore(workers)
        self._run = uuid.uuid4().hex[:8]

    def play(self, case: Case, epoch: int) -> Played:
        """Ask the turns of a case (of each of its parts) in a session that is forgotten afterwards, or return what was
        kept of asking them before. A trial that breaks off says so in `failed`; nothing is raised."""
        if case.parts:
            return _joined([self.play(part, epoch) for part in case.parts])
        actor = self.actors.get(case.id) if case.suite == USERS else None
        key = self.identity.key(actor.digest if actor else case.digest, epoch)
        kept = self._replies.find(key)
        if kept is not None and (actor or len(kept.replies) == len(case.turns)):
            return kept
        with self._place(alone=bool(case.plant.get("notes"))):
            played = self._asked(case, f"eval-{self._run}-{case.suite}-{case.id}-{epoch}", actor, epoch)
        self._replies.keep(key, played)
        return played

    @contextmanager
    def _place(self, alone: bool) -> Iterator[None]:
        """Hold one of the places, or all of them; they are taken one taker at a time, so two cannot block each other."""
        wanted = self.workers if alone else 1
        with self._gate:
            for _ in range(wanted):
                self._permits.acquire()
        try:
            yield
        finally:
            self._permits.release(wanted)

    def _asked(self, case: Case, session: str, actor: Actor | None, epoch: int) -> Played:
        replies: list[dict[str, Any]] = []
        spent, agent = 0.0, self.agent

        def ask(question: str) -> dict[str, Any]:
            nonlocal spent
            began = time.perf_counter()
            replies.append(agent.ask(question, case.role, case.customer, session).to_dict())
            spent += time.perf_counter() - began
            return replies[-1]

        try:
            agent = self._agent_for(case)
            with _planted(agent, case.plant.get("notes", ())):
                if actor is not None:
                    return actor.play(ask, epoch)
                for turn in case.turns:
                    ask(turn["question"])
        except Exception as error:  # a trial that breaks off is counted apart; the others go on
            return Played(replies, spent, f"{type(error).__name__}: {error}")
        finally:
            agent.forget(session)
            for customer in _noted(replies):
                agent.shop.notes.erase_customer(customer)
        return Played(replies, spent)

    def _agent_for(self, case: Case) -> Asked:
        if not case.plant.get("product_names"):
            return self.agent
        if self._renamed is None:
            raise ValueError("this stage was opened without the product names that the case plants")
        return self._renamed


def _noted(replies: list[dict[str, Any]]) -> set[str]:
    """The customers on whom a turn wrote a note, which a session leaves behind."""
    return {
        str(step["args"].get("customer"))
        for reply in replies
        for step in reply.get("steps", ())
        if step["tool"] == "add_note"
    }


def _joined(parts: list[Played]) -> Played:
    return Played(
        [reply for part in parts for reply in part.replies],
        sum(part.seconds for part in parts),
        "; ".join(part.failed for part in parts if part.failed),
        all(part.cached for part in parts),
    )


@contextmanager
def _planted(agent: Asked, notes: Iterable[Mapping[str, str]]) -> Iterator[None]:
    """Notes stand while the case is played. All notes on their customers go afterwards, those too that a turn wrote."""
    given = list(notes)
    try:
        for note in given:
            agent.shop.notes.add(str(note["customer"]), note["text"])
        yield
    finally:
        for customer in {str(note["customer"]) for note in given}:
            agent.shop.notes.erase_customer(customer)


# opening -------------------------------------------------------------------------------------
@contextmanager
def opened(
    settings: Settings,
    *,
    prompts: Path | None = None,
    product_names: Mapping[str, str] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> Iterator[Stage]:
    """Open the real agent over a shadow of the shop, and the stage around it.

    Raises what `Agent.open` raises, and PromptError for a folder of prompts that lacks a file.
    """
    told = prompts or Path(str(resources.files("prompts")))
    read, version = Prompts(told), versions.current(settings.shop)
    own = settings.var.resolve() / "eval" / "shops" / uuid.uuid4().hex[:8]
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, own, ignore_errors=True)
        endpoint = connect(settings, on_progress)
        stack.callback(endpoint.close)
        agent = stack.enter_context(_agent(settings, endpoint, read, own / "shop", None))
        renamed = None
        if product_names:
            renamed = stack.enter_context(_agent(settings, endpoint, read, own / "renamed", product_names))
        info = agent.shop.info
        form = settings.answer_form or endpoint.answer_form
        identity = Identity(
            model=endpoint.model,
            model_print="|".join((endpoint.model_print or endpoint.base_url, endpoint.planner, form)),
            prompts=str(told),
            prompts_digest=folder_digest(told),
            build=_build_id(version),
            code=code_digest(),
        )
        ground = Ground(
            (info.first_day.isoformat(), info.last_day.isoformat()),
            lambda: Truth(ensure_sample_data(settings.cache)),
        )
        workers = 1 if endpoint.llama else PARALLEL
        kept = Replies(settings.var.resolve() / "eval" / "cache")
        yield Stage(agent, identity, ground, kept, workers=workers, renamed=renamed)


@contextmanager
def _agent(
    settings: Settings, endpoint: Endpoint, prompts: Prompts, folder: Path, names: Mapping[str, str] | None
) -> Iterator[Agent]:
    shop = Shop.open(shadow(settings.shop, folder, names), encoder=MultilingualEncoder())
    try:
        agent = Agent(shop, endpoint, prompts=prompts, memory=folder / "memory.sqlite", answer_form=settings.answer_form)  # fmt: skip
        agent.warm()
        yield agent
    finally:
        shop.close()


def _build_id(version: Path) -> str:
    """The build's fingerprint, of its data and its code, and its number."""
    about = json.loads((version / "manifest.json").read_text(encoding="utf-8"))
    return f"{about['fingerprint']}-{version.name}"


# the process's own ---------------------------------------------------------------------------
_current: list[Stage] = []
_opening = threading.Lock()


@contextmanager
def using(stage: Stage) -> Iterator[Stage]:
    """Make a stage the one that this process's trials play on."""
    _current.append(stage)
    try:
        yield stage
    finally:
        _current.remove(stage)


def current(open_one: Callable[[], AbstractContextManager[Stage]]) -> Stage:
    """Return this process's stage; without one, open one (`open_one` returns its context) that closes with the process."""
    with _opening:
        if not _current:
            stack = ExitStack()
            _current.append(stack.enter_context(open_one()))
            atexit.register(stack.close)
        return _current[-1]


def planted_names(cases: Iterable[Case]) -> dict[str, str]:
    """Return the product names that cases plant, all together. Raises ValueError where two plant different ones on one
    product: they would stand in one copy of the data."""
    names: dict[str, str] = {}
    for case in cases:
        parts = case.parts or (case,)
        for product, name in (pair for p in parts for pair in p.plant.get("product_names", {}).items()):
            if names.setdefault(str(product), name) != name:
                raise ValueError(
                    f"{case.id} plants another name on product {product} than an earlier case; choose another product"
                )
    return names
