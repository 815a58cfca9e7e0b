"""What the routers work with, opened once for the process, and what several of them do."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from api.callers import Caller, Callers
from api.erased import Erased
from api.errors import Problem
from api.opened import OpenedAgent
from api.turns import Turn, Turns
from customers.shop import Shop
from customers.stores.feedback import FeedbackStore


@dataclass(frozen=True, slots=True)
class Services:
    """One shop's API: who calls, the agent that answers, the threads it answers in, and what is kept."""

    shop_dir: Path
    callers: Callers
    opened: OpenedAgent
    turns: Turns
    feedback: FeedbackStore
    erased: Erased
    secret: bytes
    """What our own tokens are signed with."""

    def shop(self) -> Shop:
        """Return the shop that is read. Raises Problem 503 while there is none."""
        return self.opened.shop()

    def known(self, customer: str) -> str:
        """Return a customer of the shop. Raises Problem 404 for one that it does not have, or had to forget."""
        if (self.opened.state != "none" and not self.shop().has_customer(customer)) or self.erased.has(
            customer
        ):
            raise Problem(404, "there is no such customer in this shop", code="unknown", param="customer")
        return customer

    def begin(
        self,
        caller: Caller,
        question: str,
        customer: str | None,
        session: str | None,
        role: str | None = None,
    ) -> Turn:
        """Begin to answer; all that can be refused before it is refused here, as a Problem.

        session: a name within this key, this person and this customer, so that no two callers share one.
        """
        scope = caller.scope(customer)
        if scope is not None and scope.role == "merchandiser" and customer is not None:
            raise Problem(
                403, "a merchandiser key asks about groups, not about a customer", code="role", param="customer",
                allowed="leave out the customer, or use a service key",
            )  # fmt: skip
        as_role = scope.role if scope is not None else role or "service"
        if role is not None and role != as_role:
            raise Problem(
                403, f"the key {caller.name!r} asks as {as_role}", code="role", param="role",
                allowed=f"leave out the role, or send {as_role!r}",
            )  # fmt: skip
        if customer is not None:
            self.known(customer)
        agent = self.opened.get()
        thread = session_name(caller, customer, session) if session is not None else None
        return self.turns.begin(
            lambda cancel: agent.stream(question, as_role, customer, thread, cancel, scope)
        )


def customer_mark(customer: str | None) -> str:
    """Return what stands for a customer in names of sessions: they are found by it when all of them must go."""
    return hashlib.sha256((customer or "").encode("utf-8", "surrogatepass")).hexdigest()[:16]


def plain_name(session: str) -> str:
    """Return 32 hex digits that stand for a session's name: itself where it is such digits already."""
    if re.fullmatch(r"[0-9a-f]{32}", session):
        return session
    return hashlib.sha256(session.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def session_name(caller: Caller, customer: str | None, session: str) -> str:
    """Return the agent's name of a caller's session."""
    own = "\0".join((caller.id, caller.user, plain_name(session))).encode("utf-8", "surrogatepass")
    return f"api:{customer_mark(customer)}:{hashlib.sha256(own).hexdigest()[:32]}"
