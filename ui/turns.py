"""Turns: a question is answered in a thread of its own, so that the asker can stop it at any time.

One conversation answers one question after the other, whatever is clicked.
"""

from __future__ import annotations

import queue
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from agent.events import Citation, Event, FactEvent, FinalEvent, Reply, StepEvent, TokenEvent

_END = object()
_WAIT_S = 0.1


@dataclass(slots=True)
class StepLine:
    """One step as the asker sees it: its words, and whether it has ended (with facts and ms)."""

    text: str
    done: bool = False
    facts: int | None = None
    ms: float | None = None


@dataclass(slots=True)
class TurnView:
    """What is known of a turn so far; everything a renderer needs.

    status: "waiting" (for the question before), "running", "done", "stopped" or "failed".
    """

    question: str
    language: str
    status: str = "waiting"
    steps: list[StepLine] = field(default_factory=list)
    text: str = ""
    facts: list[Citation] = field(default_factory=list)
    reply: Reply | None = None
    trouble: str = ""
    """Why the turn failed, where that is for the asker to know; "" for a fault of ours."""

    def take(self, event: Event) -> None:
        """Take in one event of the agent's stream."""
        self.status = "running"
        match event:
            case StepEvent():
                self._step(event)
            case FactEvent():
                self.facts.append(event.citation)
            case TokenEvent():
                self._all_steps_done()
                self.text += event.text
            case FinalEvent():
                self._all_steps_done()
                self.reply, self.text, self.status = event.reply, event.reply.answer, "done"
                self.facts = list(event.reply.citations)
                self.language = event.reply.language

    def _step(self, event: StepEvent) -> None:
        if event.step is None:
            self.steps.append(StepLine(event.text))
            return
        # Parallel steps may end in any order; the text ties an end to its beginning.
        running = [line for line in self.steps if not line.done]
        same = [line for line in running if line.text == event.text] or running
        line = same[0] if same else StepLine(event.text)
        if not same:
            self.steps.append(line)
        line.done, line.facts, line.ms = True, event.step.facts, event.step.ms

    def _all_steps_done(self) -> None:
        for line in self.steps:
            line.done = True


Streaming = Callable[[threading.Event], Iterator[Event]]
"""Begins a turn; it ends early once the event is set."""


class Turn:
    """One run of `stream` in a thread. `stop` ends it at its next event, and sets the event that the
    stream was given, so that what it waits for ends as well. A stream may set that event itself when it
    is through: what it gave until then is read to the end."""

    def __init__(self, stream: Streaming, one_at_a_time: threading.Lock) -> None:
        self._stream, self._lock = stream, one_at_a_time
        self._out: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stopped, self._cancel = threading.Event(), threading.Event()
        threading.Thread(target=self._run, name="turn", daemon=True).start()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        self._stopped.set()
        self._cancel.set()

    def batches(self) -> Iterator[list[Event]]:
        """Yield what has arrived since the last time, until the end or the stop; raise what the
        stream raised. Batches keep a fast stream from redrawing the page at each token."""
        while not self.stopped:
            batch: list[Event] = []
            with suppress(queue.Empty):
                batch.append(self._out.get(timeout=_WAIT_S))
                while True:
                    batch.append(self._out.get_nowait())
            ending = batch.pop() if batch and not _is_event(batch[-1]) else None
            if batch:
                yield batch
            if isinstance(ending, BaseException):
                raise ending
            if ending is _END:
                return

    def _run(self) -> None:
        with self._lock:
            try:
                self._pump()
            except Exception as error:  # handed over to `batches`, which raises it where it is read
                self._out.put(error)
            else:
                self._out.put(_END)

    def _pump(self) -> None:
        if self.stopped:
            return
        events = self._stream(self._cancel)
        try:
            for event in events:
                if self.stopped:
                    return
                self._out.put(event)
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()


def _is_event(item: object) -> bool:
    return isinstance(item, (StepEvent, FactEvent, TokenEvent, FinalEvent))


@dataclass(slots=True)
class Conversation:
    """One browser tab's conversation: its session at the agent, and its turns."""

    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    turns: list[TurnView] = field(default_factory=list)
    current: Turn | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, view: TurnView, stream: Streaming) -> Turn:
        """Start a turn; the one before it is stopped if it still runs."""
        self.stop()
        self.turns.append(view)
        self.current = Turn(stream, self.lock)
        return self.current

    def stop(self) -> None:
        if self.current is not None:
            self.current.stop()


class Conversations:
    """The conversations of all open tabs; the longest unused are forgotten beyond `capacity`."""

    def __init__(self, capacity: int = 200) -> None:
        self._capacity = capacity
        self._by_session: OrderedDict[str, Conversation] = OrderedDict()
        self._lock = threading.Lock()

    def open(self) -> Conversation:
        """Return a new conversation."""
        conversation = Conversation()
        with self._lock:
            self._by_session[conversation.session] = conversation
            while len(self._by_session) > self._capacity:
                self._by_session.popitem(last=False)[1].stop()
        return conversation

    def get(self, session: str | None) -> Conversation:
        """Return a tab's conversation, a new one where it is unknown (we were restarted)."""
        with self._lock:
            found = self._by_session.get(session or "")
            if found is not None:
                self._by_session.move_to_end(found.session)
                return found
        return self.open()

    def close(self, session: str | None) -> None:
        """Stop and forget a conversation."""
        with self._lock:
            found = self._by_session.pop(session or "", None)
        if found is not None:
            found.stop()
