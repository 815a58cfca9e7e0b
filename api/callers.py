"""Who is calling: the key they show, what its role may do, how often, and for which person of an Open WebUI.

An Authorization header with a Bearer key is the only proof. Open WebUI can add who of its users asks, signed
(`X-OpenWebUI-User-Jwt`, HS256): it is believed where its secret is set here and the signature is right, never
from its plain headers; it tells users of one key apart and gives nobody a right.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

import jwt
from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.errors import Problem
from api.key_store import Key, KeyStore, Role
from tools.scope import Scope

USER_HEADER = "x-openwebui-user-jwt"
KNOWN_SECONDS = 1.0
"""How long a key is known without looking into the store again: a revoked one lives that long at most."""
_MOST_KNOWN = 1000
_LEEWAY_SECONDS = 30
MAY: Mapping[Role, str] = {
    "service": "a service key asks about the one customer that each call names: ask, profile, recommendations,"
    " feedback, export",
    "merchandiser": "a merchandiser key asks about groups: ask, segments, audiences, campaigns, figures",
    "push": "a push key sends events and feedback",
    "admin": "an admin key may call everything",
}
"""What each role may do, as denials say it."""
_BEARER = HTTPBearer(auto_error=False, description="A key from `shopkeeper keys add`, or the shop's own")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls. `id` is the key's, `user` a person behind it whose name is proven ("" for none)."""

    id: str
    name: str
    role: Role
    purpose: str
    per_minute: int = 0
    user: str = ""

    def scope(self, customer: str | None) -> Scope | None:
        """Return what one call may see; None for everything. Raises Problem where a customer is missing."""
        if self.role == "admin":
            return None
        if self.role == "merchandiser":
            return Scope("merchandiser")
        if self.role == "service" and customer is None:
            raise Problem(
                403, "a service key names the customer on each call", code="customer_needed", param="customer",
                allowed="name the customer: `customer` in the body, `metadata.customer`, or X-Shopkeeper-Customer",
            )  # fmt: skip
        if self.role == "service":
            return Scope("service", customer)
        raise denied(self, "service", "merchandiser", "admin")


def denied(caller: Caller, *roles: Role) -> Problem:
    """Return the refusal of a call that another role may make."""
    may = " or ".join(roles)
    return Problem(
        403, f"the key {caller.name!r} is a {caller.role} key, and this is for {may} keys",
        code="role", allowed=MAY[caller.role],
    )  # fmt: skip


OWNER = Caller("owner", "owner", "admin", "the shop's own key")
"""Whoever shows the key of the settings or of var/api-key."""


@dataclass(slots=True)
class Buckets:
    """Tokens that calls are paid from, a bucket a key: full at one minute's worth, filled evenly."""

    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, key_id: str, per_minute: int) -> float:
        """Pay for one call; return 0, or the seconds until one can be paid for."""
        if not per_minute:
            return 0.0
        now = self.clock()
        left, then = self._left.get(key_id, (float(per_minute), now))
        left = min(float(per_minute), left + (now - then) * per_minute / 60)
        paid = left >= 1
        self._left[key_id] = (left - 1 if paid else left, now)
        return 0.0 if paid else (1 - left) * 60 / per_minute


class Callers:
    """Knows callers by their headers. key: the shop's own, for everything. secret: Open WebUI's, if any."""

    def __init__(
        self,
        key: str,
        store: KeyStore,
        secret: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key, self._store, self._secret, self._clock = key.encode(), store, secret, clock
        self._buckets = Buckets(clock)
        self._known: dict[str, tuple[float, Key | None]] = {}

    async def identify(self, headers: Mapping[str, str]) -> Caller:
        """Return who shows these headers, and count the call. Raises Problem 401 or 429."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        shown = shown.strip()
        # Both are compared in full, whatever the scheme, so that time tells nothing of the key.
        own = hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), self._key)
        if scheme.lower() != "bearer" or not shown:
            raise _unknown()
        caller = OWNER if own else await self._of_store(shown)
        if caller is None:
            raise _unknown()
        wait = self._buckets.take(caller.id, caller.per_minute)
        if wait:
            raise Problem(
                429, f"the key {caller.name!r} may call {caller.per_minute} times a minute",
                code="rate_limit", headers={"Retry-After": str(math.ceil(wait))},
                allowed=f"call again in {math.ceil(wait)} s",
            )  # fmt: skip
        return replace(caller, user=self._user(headers))

    async def _of_store(self, shown: str) -> Caller | None:
        now = self._clock()
        until, key = self._known.get(shown, (-math.inf, None))
        if until <= now:
            key = await asyncio.to_thread(self._store.find, shown)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            if key is not None:  # what is no key is not kept, or guesses would fill the memory
                self._known[shown] = (now + KNOWN_SECONDS, key)
            else:
                self._known.pop(shown, None)
        return Caller(key.id, key.name, key.role, key.purpose, key.per_minute) if key else None

    def _user(self, headers: Mapping[str, str]) -> str:
        token = headers.get(USER_HEADER)
        if not self._secret or not token:
            return ""
        try:
            claims = jwt.decode(
                token, self._secret, algorithms=["HS256"], leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "sub"], "verify_aud": False},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            raise Problem(
                401, "the user that Open WebUI names is not proven: its token is expired or signed with another secret",
                code="user_token", allowed="send a fresh token signed with the shared secret, or none",
            ) from error  # fmt: skip
        return str(claims["sub"])[:200]

    def require(self, *roles: Role) -> Callable[..., Awaitable[Caller]]:
        """Return a dependency that lets through whose key has one of these roles; admin keys always."""

        async def caller(
            request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
        ) -> Caller:
            found = request.state.caller = await self.identify(request.headers)
            if found.role not in (*roles, "admin"):
                raise denied(found, *roles)
            return found

        return caller


def _unknown() -> Problem:
    return Problem(
        401, "show the API key: Authorization: Bearer KEY", code="key",
        headers={"WWW-Authenticate": "Bearer"}, allowed="a key from `shopkeeper keys add`",
    )  # fmt: skip
