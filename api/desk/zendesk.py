"""Zendesk: event webhooks in, ticket comments out, a tag for the tickets that colleagues have taken over.

Signatures: https://developer.zendesk.com/documentation/webhooks/verifying/. Events: ticket.created,
ticket.comment_added, ticket.tags_changed, ticket.status_changed
(https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events). What we post carries custom
metadata, which the ticket's audits give back.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from api.desk.base import Challenge, Contact, DeskEvent, Look, Part, Posted, Side
from api.desk.errors import Unreadable
from api.desk.fields import at, items, text, whole
from api.desk.http import DeskClient
from api.desk.settings import DeskSettings
from api.desk.signatures import base64_digest, header, refuse_old, refuse_wrong, unix_seconds

HANDED_OVER = "shopkeeper_handed_over"
"""The tag of tickets that are with colleagues; whoever takes it off gives the ticket back."""

_ANSWERS = "shopkeeper_answers"
_MOST_PAGES = 10


class Zendesk:
    """The adapter of one Zendesk account."""

    name = "zendesk"
    keeps_turn = True

    def __init__(self, settings: DeskSettings) -> None:
        self._settings = settings
        self._http = DeskClient(self.name, settings.url, {}, (f"{settings.user}/token", settings.token))
        self._me_lock, self._me = threading.Lock(), ""

    def verify(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        sent = header(headers, "x-zendesk-webhook-signature-timestamp")
        shown = header(headers, "x-zendesk-webhook-signature")
        refuse_wrong(base64_digest(self._settings.secret, sent.encode() + body), shown)
        refuse_old(unix_seconds(sent), now)

    def sign(self, body: bytes, now: float) -> dict[str, str]:
        sent = str(int(now))
        signature = base64_digest(self._settings.secret, sent.encode() + body)
        return {
            "X-Zendesk-Webhook-Signature-Timestamp": sent,
            "X-Zendesk-Webhook-Signature": signature,
        }

    def read(self, headers: Mapping[str, str], document: Mapping[str, Any]) -> DeskEvent | Challenge | None:
        kind = text(document, "type").removeprefix("zen:event-type:ticket.")
        ticket, event = str(whole(document, "detail", "id")), text(document, "id")
        if kind not in ("created", "comment_added", "tags_changed", "status_changed"):
            return None
        if ticket == "0" or not event:
            raise Unreadable("an event without its id or its ticket's")
        if kind == "comment_added":
            return self._comment(document, ticket)
        if kind == "created":
            return DeskEvent(f"event:{event}", ticket, "nudge")
        if kind == "tags_changed" and HANDED_OVER in items(document, "event", "tags_removed"):
            return DeskEvent(f"event:{event}", ticket, "returned")
        if kind == "status_changed" and text(document, "event", "current").lower() == "solved":
            return DeskEvent(f"event:{event}", ticket, "resolved")
        return None

    def _comment(self, document: Mapping[str, Any], ticket: str) -> DeskEvent | None:
        comment = at(document, "event", "comment")
        order, author = whole(comment, "id"), str(whole(comment, "author", "id"))
        if not order:
            raise Unreadable("a comment without its id")
        if at(comment, "is_public") is not True:
            return None
        key, said = f"comment:{order}", text(comment, "body")
        if at(comment, "author", "is_staff") is True:
            return None if author == self._myself() else DeskEvent(key, ticket, "staff", order, said)
        return DeskEvent(key, ticket, "message", order, said, Contact(author))

    def _myself(self) -> str:
        """Return the bot's own user id, asked for once."""
        with self._me_lock:
            if not self._me:
                self._me = text(self._http.call("GET", "/api/v2/users/me.json"), "user", "id")
            return self._me

    def look(self, conversation: str) -> Look:
        ticket = at(self._ticket(conversation), "ticket")
        requester, me = text(ticket, "requester_id"), self._myself()
        messages = [m for audit in self._audits(conversation) for m in _posted(audit, requester, me)]
        return Look(self._ours(ticket), tuple(messages))

    def _audits(self, ticket: str) -> list[Any]:
        found: list[Any] = []
        params = {"page[size]": "100"}
        for _ in range(_MOST_PAGES):
            page = self._http.call("GET", f"/api/v2/tickets/{ticket}/audits.json", params=params)
            found += items(page, "audits")
            if at(page, "meta", "has_more") is not True:
                break
            params["page[after]"] = text(page, "meta", "after_cursor")
        return found

    def bots_turn(self, conversation: str) -> bool:
        return self._ours(at(self._ticket(conversation), "ticket"))

    def _ours(self, ticket: Any) -> bool:
        return HANDED_OVER not in items(ticket, "tags") and text(ticket, "assignee_id") in (
            "",
            self._myself(),
        )

    def who(self, event: DeskEvent) -> Contact | None:
        author = event.contact.id if event.contact else ""
        author = author or text(self._ticket(event.conversation), "ticket", "requester_id")
        user = at(self._http.call("GET", f"/api/v2/users/{author}.json"), "user")
        return Contact(
            id=author,
            identifier=text(user, "external_id"),
            attribute=text(user, "user_fields", self._settings.attribute),
            email=text(user, "email"),
            verified=at(user, "verified") is True,
        )

    def send(self, conversation: str, part: Part) -> None:
        comment = {"body": part.text, "public": part.kind == "reply"}
        self._change(conversation, {"comment": comment, "metadata": {_ANSWERS: part.answers}})

    def hand_over(self, conversation: str) -> None:
        self._http.call("PUT", f"/api/v2/tickets/{conversation}/tags.json", json={"tags": [HANDED_OVER]})
        self._change(conversation, {"status": "open"})

    def check(self) -> list[str]:
        user = at(self._http.call("GET", "/api/v2/users/me.json"), "user")
        name, role = text(user, "name"), text(user, "role")
        if role not in ("agent", "admin"):
            return [f"Zendesk at {self._settings.url}: MEND the user {self._settings.user} is no agent"]
        return [f"Zendesk at {self._settings.url}, as {name} ({role})"]

    def close(self) -> None:
        self._http.close()

    def _ticket(self, ticket: str) -> Any:
        return self._http.call("GET", f"/api/v2/tickets/{ticket}.json")

    def _change(self, ticket: str, change: dict[str, Any]) -> None:
        self._http.call("PUT", f"/api/v2/tickets/{ticket}.json", json={"ticket": change})


def _posted(audit: Any, requester: str, me: str) -> list[Posted]:
    answers = text(audit, "metadata", "custom", _ANSWERS)
    found = []
    for event in items(audit, "events"):
        if text(event, "type") == "Comment" and (order := whole(event, "id")):
            author = text(event, "author_id") or text(audit, "author_id")
            side: Side = "customer" if author == requester else "bot" if author == me else "staff"
            private = at(event, "public") is not True
            found.append(Posted(f"comment:{order}", order, side, text(event, "body"), private, answers))
    return found
