"""A stand-in desk joined to a running server of ours, whose agent answers from a script."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.app import listen
from api.desk.contacts import Contacts, email_hash
from api.desk.courier import Courier, Patience
from api.desk.delivery import Desk
from api.desk.queue import DeskQueue
from api.desk.registry import adapters
from api.desk.routes import desk_router
from api.desk.settings import DeskSettings
from tests.desk_chatwoot import ChatwootStandIn
from tests.desk_slack import SlackStandIn
from tests.desk_stand_in import READ_TOKEN, SECRET, TOKEN, StandIn
from tests.desk_zendesk import ZendeskStandIn

STAND_INS: dict[str, type[StandIn]] = {s.name: s for s in (ChatwootStandIn, ZendeskStandIn, SlackStandIn)}
FAST = Patience(settle=0.05, first=0.02, longest=0.1, tries=5)
KNOWN = {"1842", "900"}


@dataclass
class Brief:
    about: str

    def text(self, language: str) -> str:
        return f"Brief ({language}): {self.about}"


@dataclass
class Reply:
    text: str
    language: str = "en"
    action: str = "reply"
    brief: Brief | None = None


@dataclass
class Scripted:
    """Answers as the real agent's shape has it: echoes, hands over on "human", fails as it is told."""

    asked: list[tuple[str, str | None, str, bool]] = field(default_factory=list)
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    think: Callable[[str], Any] = lambda text: None

    def answer(
        self, text: str, *, customer: str | None, session: str, assist: bool = False, again: bool = False
    ) -> Reply:
        self.asked.append((text, customer, session, assist))
        if self.failures:
            raise self.failures.pop(0)
        self.think(text)
        if again:
            self.repeated.append(text)
        language = "zh" if "人工" in text else "en"
        if "human" in text or "人工" in text:
            return Reply("A colleague takes over.", language, "handoff", Brief(f"{customer} wants: {text}"))
        return Reply(f"re: {text}", language, "draft" if assist else "reply")

    def feedback(self, session: str, outcome: str, text: str = "") -> None:
        self.outcomes.append((session, f"{outcome}: {text}" if text else outcome))


@dataclass
class World:
    """A stand-in desk, a running server of ours, and what joins them."""

    desk: StandIn
    answers: Scripted
    queue: DeskQueue
    shop: Path
    url: str

    def idle(self) -> None:
        self.desk.wait(lambda: self.queue.health().waiting == 0)

    def converse(self, talk: str, *texts: str) -> list[str]:
        """Say one thing after another, each after the answer to the one before."""
        for text in texts:
            self.desk.say(talk, text)
            self.idle()
        return self.desk.replies(talk)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def settings_of(desk: StandIn, url: str, **more: Any) -> DeskSettings:
    own: dict[str, Any] = {
        "url": url, "account": "1", "user": "bot@example.com", "token": TOKEN, "secret": SECRET,
        "read_token": READ_TOKEN, "staff_channel": SlackStandIn.staff,
    }  # fmt: skip
    return DeskSettings(desk.name, **(own | more))


@contextmanager
def world(
    name: str,
    shop: Path,
    answers: Scripted | None = None,
    works: bool = True,
    patience: Patience = FAST,
    **more: Any,
) -> Iterator[World]:
    shop.mkdir(exist_ok=True)
    desk, answers, queue = STAND_INS[name](), answers or Scripted(), DeskQueue(shop)
    if name == "slack" and "contacts" not in more:
        table = shop / "contacts.csv"
        table.write_text(
            "contact,customer\n" + "".join(f"{email_hash(f'{c}@example.com')},{c}\n" for c in sorted(KNOWN))
        )
        more["contacts"] = table
    with ExitStack() as stack:
        url = stack.enter_context(desk.serving())
        settings = settings_of(desk, url, **more)
        desks = {
            name: Desk(adapters({name: settings})[name], settings, Contacts(settings, KNOWN.__contains__))
        }
        courier = Courier(shop, queue, desks, answers, workers=4, patience=patience) if works else None
        app = FastAPI()
        app.include_router(desk_router(desks, queue, courier))
        base = stack.enter_context(served(app))
        desk.webhooks = f"{base}/desks/{name}"
        yield World(desk, answers, queue, shop, base)
