"""The desks of a shop, put into its application: settings, queue, courier and routes, and the live agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter

from agent import Agent
from agent.desk import DeskAgent, DeskReply
from api.desk.contacts import Contacts
from api.desk.courier import Courier
from api.desk.delivery import Desk
from api.desk.errors import NotYet
from api.desk.queue import DeskQueue
from api.desk.registry import adapters
from api.desk.routes import desk_router
from api.desk.settings import DeskSettings, read_settings
from api.services import Services

WORKERS = 8
"""Conversations that are answered at once."""


def desk_routers(file: Path) -> Callable[[Services], list[APIRouter]]:
    """Return what adds the desks of a file to an application; nothing where the file is not there.

    Raises BadInput for a file, or a table of contacts, that cannot be used.
    """
    settings = read_settings(file)
    if not settings:
        return lambda _: []
    return lambda services: [_router(settings, services)]


def _router(settings: dict[str, DeskSettings], services: Services) -> APIRouter:
    answers = LiveAnswers(services)
    desks = {
        name: Desk(adapter, settings[name], Contacts(settings[name], answers.known))
        for name, adapter in adapters(settings).items()
    }
    queue = DeskQueue(services.shop_dir)
    return desk_router(desks, queue, Courier(services.shop_dir, queue, desks, answers, WORKERS))


class LiveAnswers:
    """The process's agent as the desks ask it; while it is being opened, they wait."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._made: tuple[Agent, DeskAgent] | None = None

    def known(self, customer: str) -> bool:
        """Return whether the shop knows a customer, and has not had to forget them. Raises NotYet."""
        return self._agent().shop.has_customer(customer) and not self._services.erased.has(customer)

    def answer(
        self, text: str, *, customer: str | None, session: str, assist: bool = False, again: bool = False
    ) -> DeskReply:
        agent = self._desk_agent()
        return agent.answer(text, customer=customer, session=session, assist=assist, again=again)

    def feedback(self, session: str, outcome: str, text: str = "") -> None:
        self._desk_agent().feedback(session, outcome, text)

    def _agent(self) -> Agent:
        agent = self._services.opened.agent
        if agent is None:
            self._services.opened.retry()
            raise NotYet("the agent is not open yet")
        return agent

    def _desk_agent(self) -> DeskAgent:
        agent = self._agent()
        if self._made is None or self._made[0] is not agent:
            self._made = (agent, DeskAgent(agent))
        return self._made[1]
