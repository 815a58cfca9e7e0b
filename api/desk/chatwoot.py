"""Chatwoot: an agent bot that answers while a conversation is pending and hands over by opening it.

Webhooks: https://developers.chatwoot.com/api-reference/webhook-verification and the agent bot's events
(message_created, message_updated, conversation_opened, conversation_resolved ...). The bot's token may post
messages, change the status and show a conversation; reading all messages takes a colleague's token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.desk.base import Challenge, Contact, DeskEvent, Look, Part, Posted, Side
from api.desk.errors import DeskRefused, Unreadable
from api.desk.fields import at, items, text, whole
from api.desk.http import DeskClient
from api.desk.settings import DeskSettings
from api.desk.signatures import header, hex_digest, refuse_old, refuse_wrong, unix_seconds

_BOTS = "pending"
_INCOMING = ("incoming", "0")
_OUTGOING = ("outgoing", "template", "1", "3")


class Chatwoot:
    """The adapter of one Chatwoot account."""

    name = "chatwoot"
    keeps_turn = True

    def __init__(self, settings: DeskSettings) -> None:
        self._settings = settings
        self._account = settings.account
        self._bot = DeskClient(self.name, settings.url, {"api_access_token": settings.token})
        self._reader = (
            DeskClient(self.name, settings.url, {"api_access_token": settings.read_token})
            if settings.read_token
            else None
        )

    def verify(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        sent = header(headers, "x-chatwoot-timestamp")
        shown = header(headers, "x-chatwoot-signature")
        refuse_wrong("sha256=" + hex_digest(self._settings.secret, sent.encode() + b"." + body), shown)
        refuse_old(unix_seconds(sent), now)

    def sign(self, body: bytes, now: float) -> dict[str, str]:
        sent = str(int(now))
        signature = hex_digest(self._settings.secret, sent.encode() + b"." + body)
        return {"X-Chatwoot-Timestamp": sent, "X-Chatwoot-Signature": f"sha256={signature}"}

    def read(self, headers: Mapping[str, str], document: Mapping[str, Any]) -> DeskEvent | Challenge | None:
        kind = text(document, "event")
        if kind not in ("message_created", "message_updated", "conversation_resolved"):
            return None
        if (account := text(document, "account", "id")) and account != self._account:
            raise Unreadable(f"the webhook is of account {account}, not {self._account}")
        if kind == "conversation_resolved":
            return self._resolved(headers, document)
        conversation, order = str(whole(document, "conversation", "id")), whole(document, "id")
        if conversation == "0" or not order:
            raise Unreadable("a message without its id or its conversation's")
        if kind == "message_updated":
            return _rated(document, conversation, order)
        return self._message(document, conversation, order)

    def _message(self, document: Mapping[str, Any], conversation: str, order: int) -> DeskEvent | None:
        if at(document, "private") is True:
            return None
        said, key = text(document, "content"), f"message:{order}"
        if text(document, "message_type") in _INCOMING:
            return DeskEvent(key, conversation, "message", order, said, self._contact(document))
        if text(document, "message_type") in _OUTGOING and text(document, "sender", "type") == "user":
            return DeskEvent(key, conversation, "staff", order, said)
        return None

    def _contact(self, document: Mapping[str, Any]) -> Contact:
        talk, sender = at(document, "conversation"), at(document, "sender")
        known = at(talk, "meta", "sender") or sender
        verified = (
            at(talk, "meta", "hmac_verified") is True or at(talk, "contact_inbox", "hmac_verified") is True
        )
        return Contact(
            id=text(known, "id") or text(sender, "id"),
            identifier=text(known, "identifier") or text(sender, "identifier"),
            attribute=text(known, "custom_attributes", self._settings.attribute),
            email=text(known, "email") or text(sender, "email"),
            verified=verified,
        )

    def _resolved(self, headers: Mapping[str, str], document: Mapping[str, Any]) -> DeskEvent:
        conversation = str(whole(document, "id"))
        if conversation == "0":
            raise Unreadable("a conversation without its id")
        last = max((whole(message, "id") for message in items(document, "messages")), default=0)
        # The event has no id of its own; what was last said when it was closed tells one closing from another.
        key = f"resolved:{conversation}:{last or text(headers, 'x-chatwoot-delivery')}"
        return DeskEvent(key, conversation, "resolved", last)

    def look(self, conversation: str) -> Look:
        shown = self._bot.call("GET", self._path(conversation))
        messages = items(shown, "messages")
        if self._reader is not None:
            messages = items(self._reader.call("GET", self._path(conversation, "messages")), "payload")
        return Look(text(shown, "status") == _BOTS, tuple(filter(None, map(_posted, messages))))

    def bots_turn(self, conversation: str) -> bool:
        return text(self._bot.call("GET", self._path(conversation)), "status") == _BOTS

    def who(self, event: DeskEvent) -> Contact | None:
        if event.contact is not None:
            return event.contact
        return self._contact({"conversation": self._bot.call("GET", self._path(event.conversation))})

    def send(self, conversation: str, part: Part) -> None:
        answered = int(part.answers.partition(":")[2])
        message = {
            "content": part.text,
            "message_type": "outgoing",
            "private": part.kind == "note",
            "echo_id": f"{part.answers}:{part.kind}",
            "content_attributes": {"in_reply_to": answered},
        }
        self._bot.call("POST", self._path(conversation, "messages"), json=message)

    def hand_over(self, conversation: str) -> None:
        self._bot.call("POST", self._path(conversation, "toggle_status"), json={"status": "open"})

    def check(self) -> list[str]:
        version = text(self._bot.call("GET", "/api"), "version")
        told = [f"Chatwoot {version or 'of unknown version'} at {self._settings.url}"]
        try:
            self._bot.call("GET", self._path("0"))
        except DeskRefused as error:
            if " answered 404 " not in str(error):
                raise
        told.append(f"the bot's token may show conversations of account {self._account}")
        if self._reader is None:
            told.append("no read_token: after a crash only a conversation's last message can be looked up")
        else:
            name = text(self._reader.call("GET", "/api/v1/profile"), "name")
            told.append(f"read_token is {name or 'a colleague'}'s")
        return told

    def close(self) -> None:
        self._bot.close()
        if self._reader is not None:
            self._reader.close()

    def _path(self, conversation: str, *more: str) -> str:
        return "/".join((f"/api/v1/accounts/{self._account}/conversations/{conversation}", *more))


def _rated(document: Mapping[str, Any], conversation: str, order: int) -> DeskEvent | None:
    """A customer's answer to the satisfaction survey, 1 to 5."""
    rating = whole(document, "content_attributes", "submitted_values", "csat_survey_response", "rating")
    if not 1 <= rating <= 5:
        return None
    return DeskEvent(f"rated:{order}:{rating}", conversation, "rated", order, score=(rating - 1) / 4)


def _posted(message: Any) -> Posted | None:
    kind, order = text(message, "message_type"), whole(message, "id")
    if not order or kind not in (*_INCOMING, *_OUTGOING):
        return None
    sender = text(message, "sender_type") or text(message, "sender", "type")
    side: Side = (
        "customer" if kind in _INCOMING else "bot" if sender.lower() in ("agentbot", "agent_bot") else "staff"
    )
    answers = whole(message, "content_attributes", "in_reply_to")
    return Posted(
        f"message:{order}", order, side, text(message, "content"), at(message, "private") is True,
        f"message:{answers}" if answers else "",
    )  # fmt: skip
