"""Agent: the composition root. Opens a shop, finds a model server, and answers questions."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast, get_args

from langgraph.checkpoint.sqlite import SqliteSaver

from agent.errors import BadQuestion
from agent.events import Event, FinalEvent, Reply, Role
from agent.graph import build_graph
from agent.lexicon import Lexicon
from agent.link import Linker
from agent.llm import LLM
from agent.notes import leave_notes
from agent.plan import Planner
from agent.prompts import Prompts, default_prompts
from agent.serving import Endpoint, connect
from agent.steps import Steps
from agent.turn import Services, Turn
from customers.encoder import MultilingualEncoder
from customers.knowledge import KnowledgeBase
from customers.shop import Shop
from settings import Settings
from tools.scope import Scope

MAX_QUESTION = 2000


class Agent:
    """Answers questions about one shop's customers. Safe to use from several threads; the turns of
    one session run one after the other.

    shop: the data that it answers from. endpoint: the model server, or None to answer without one
    (plans then come from the examples alone). answer_form: "clauses" or "prose"; "" takes what the
    model's catalogue entry says.
    """

    def __init__(
        self,
        shop: Shop,
        endpoint: Endpoint | None,
        *,
        prompts: Prompts | None = None,
        memory: Path | None = None,
        llm: LLM | None = None,
        answer_form: str = "",
    ) -> None:
        self.shop, self.endpoint = shop, endpoint
        self._opened_shop = self._released = False
        self._made_with: dict[str, Any] = {"prompts": prompts, "memory": memory, "answer_form": answer_form}
        prompts = prompts or default_prompts()
        encoder = MultilingualEncoder()
        self._lexicon = lexicon = Lexicon(shop, encoder)
        self._llm = llm or (LLM(endpoint) if endpoint else None)
        self._planner = Planner(shop, encoder, prompts)
        self._prompts = prompts
        form = answer_form or (endpoint.answer_form if endpoint else "clauses")
        linker = Linker(shop, lexicon)
        self._steps = Steps(
            Services(
                shop,
                lexicon,
                linker,
                self._planner,
                prompts,
                self._llm,
                self._knowledge_at_hand,
                form == "prose",
            )
        )
        self._alone = build_graph(self._steps)
        self._database: sqlite3.Connection | None = None
        self._sessions: Any = None
        if memory is not None:
            self._database = sqlite3.connect(memory, check_same_thread=False)
            self._database.execute("PRAGMA secure_delete = ON")  # deleted text is overwritten with zeros
            self._sessions = build_graph(self._steps, SqliteSaver(self._database))
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @classmethod
    def open(
        cls,
        shop: Settings | Path | str | None = None,
        *,
        on_progress: Callable[[str], None] | None = None,
        share: bool = False,
    ) -> Agent:
        """Open a built shop with the model server that the settings name: a URL, one that is running,
        or a local one that is started (and stopped by `close`). share: let other processes use a
        server started here.

        Raises NotBuilt when the shop has no build, LLMUnavailable when no server can be had.
        """
        settings = shop if isinstance(shop, Settings) else Settings()
        if isinstance(shop, str | Path):
            settings = replace(settings, shop=Path(shop))
        opened = Shop.open(settings.shop, encoder=MultilingualEncoder())
        opened.explore(settings.exploration)
        endpoint = connect(settings, on_progress, share=share)
        memory = settings.shop / "memory.sqlite"
        agent = cls(opened, endpoint, memory=memory, answer_form=settings.answer_form)
        agent._opened_shop = True
        try:
            agent.warm()
        except BaseException:
            agent.close()  # a model server that was started for it must not be left behind
            raise
        return agent

    def renewed(self) -> Agent:
        """Return an agent like this one over the shop's current build, with the same model server and sessions. This
        one goes on answering from its own build until `release`. Raises NotBuilt."""
        opened = Shop.open(self.shop.folder, encoder=MultilingualEncoder())
        opened.explore(self.shop.exploration)
        agent = Agent(opened, self.endpoint, llm=self._llm, **self._made_with)
        agent._opened_shop, agent._locks = True, self._locks
        try:
            agent.warm()
        except BaseException:
            agent.release()
            raise
        return agent

    def warm(self) -> None:
        """Load the models, encode the names, and have the server hold the stable beginnings of the prompts, so that no
        question pays for either."""
        self._lexicon.vectors()
        if self.endpoint is None or not self.endpoint.planner:
            self._planner.fit()  # a tuned planner leaves the examples for when it does not answer
        self.shop.load()
        if self.endpoint is None:
            return
        advise = self._prompts.fill("advise_system")
        planning = self._planner.tuned_system if self.endpoint.planner else self._planner.system
        self.endpoint.warm(
            {
                "plan": [{"role": "system", "content": planning}],
                "answer": [{"role": "system", "content": advise}],
            }
        )

    @cached_property
    def knowledge(self) -> KnowledgeBase:
        """What the shop knows of its customers' questions; read when first needed."""
        return KnowledgeBase(self.shop.folder)

    def _knowledge_at_hand(self) -> KnowledgeBase | None:
        """The knowledge, unless it would have to be made first: no question waits for that."""
        return self.knowledge if self.knowledge.at_hand else None

    @property
    def model(self) -> str:
        """The name of the model that answers, "" without one."""
        return self.endpoint.model if self.endpoint else ""

    def ask(
        self,
        question: str,
        role: str = "service",
        customer: str | None = None,
        session: str | None = None,
        cancel: threading.Event | None = None,
        scope: Scope | None = None,
    ) -> Reply:
        """Answer a question. Raises BadQuestion for one that cannot be taken at all, Cancelled once `cancel`
        is set. `scope` limits what is looked up; what lies outside is refused."""
        for event in self.stream(question, role, customer, session, cancel, scope):
            if isinstance(event, FinalEvent):
                return event.reply
        raise RuntimeError("a turn ended without a reply")

    async def aask(
        self, question: str, role: str = "service", customer: str | None = None, session: str | None = None
    ) -> Reply:
        """Answer a question without blocking the event loop; cancelling the task withdraws it."""
        cancel = threading.Event()
        try:
            return await asyncio.to_thread(self.ask, question, role, customer, session, cancel)
        except asyncio.CancelledError:
            cancel.set()
            raise

    def stream(
        self,
        question: str,
        role: str = "service",
        customer: str | None = None,
        session: str | None = None,
        cancel: threading.Event | None = None,
        scope: Scope | None = None,
    ) -> Iterator[Event]:
        """Yield the turn's events as they happen; the last one is a FinalEvent. Closing the generator, or
        setting `cancel` from another thread, withdraws the question: the model stops computing, and what is
        left of the stream raises Cancelled. `scope` as for `ask`."""
        turn = self._turn(question, role, customer)
        turn.scope = scope
        turn.cancel = cancel or turn.cancel
        remember = session is not None and self._sessions is not None
        turn.session = session if session is not None and remember else ""
        graph: Any = self._sessions if remember else self._alone
        thread = session if session is not None else uuid.uuid4().hex
        begun = time.perf_counter()
        with self._one_at_a_time(session):
            running = graph.stream(
                {}, {"configurable": {"thread_id": thread}}, context=turn, stream_mode="custom", durability="exit"
            ) if remember else graph.stream({}, context=turn, stream_mode="custom")  # fmt: skip
            try:
                final = None
                for event in running:
                    if isinstance(event, FinalEvent):
                        final = event  # handed out once the session is saved
                    else:
                        yield event
                if final is not None:
                    leave_notes(self.shop.notes, turn)
                    yield _whole(final, begun)
            finally:
                turn.cancel.set()
                running.close()

    def _turn(self, question: str, role: str, customer: str | None) -> Turn:
        text = " ".join(question.split())
        if not text:
            raise BadQuestion("the question is empty: ask something.")
        if len(text) > MAX_QUESTION:
            raise BadQuestion(f"the question has {len(text)} characters; ask in at most {MAX_QUESTION}.")
        if role not in get_args(Role):
            raise BadQuestion(f"unknown role {role!r}: use service or merchandiser.")
        if customer is not None and not self.shop.has_customer(customer):
            raise BadQuestion(f"there is no customer {customer!r} in this shop: check the number.")
        return Turn(
            text, cast(Role, role), customer, emit=lambda _: None, cancel=threading.Event(), memory={}
        )

    @contextmanager
    def _one_at_a_time(self, session: str | None) -> Iterator[None]:
        if session is None:
            yield
            return
        with self._locks[session]:
            yield

    def forget(self, session: str) -> None:
        """Erase what a session remembers, and what it left in the notes on its own account. Notes that
        staff asked for stay with their customer."""
        self.shop.notes.erase_session(session)
        if self._sessions is not None:
            saver = self._sessions.checkpointer
            saver.delete_thread(session)
            with saver.lock:  # what was deleted still stands in the write-ahead log until it is emptied
                saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Stop the model server if this agent started it, and close the files that it opened."""
        if self.endpoint is not None:
            self.endpoint.close()
        self.release()

    def release(self) -> None:
        """Close the files that it opened, and leave the model server to others."""
        if self._released:
            return
        self._released = True
        if self._database is not None:
            self._database.close()
        if "knowledge" in self.__dict__:
            self.knowledge.close()
        if self._opened_shop:
            self.shop.close()

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _whole(event: FinalEvent, begun: float) -> FinalEvent:
    total = round(1000 * (time.perf_counter() - begun), 1)
    return FinalEvent(replace(event.reply, timings_ms=event.reply.timings_ms | {"total": total}))
