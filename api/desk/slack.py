"""Slack: direct messages to the bot, and threads in channels where it is mentioned.

Signatures: https://docs.slack.dev/authentication/verifying-requests-from-slack. Events: message.im,
app_mention, reaction_added. What we post carries message metadata, which conversations.history and
conversations.replies give back. Slack keeps no turn: the queue does, and a :robot_face: on the first message
of a thread (or on any of a direct conversation) gives it back to the bot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from api.desk.base import Challenge, Contact, DeskEvent, Look, Part, Posted, Side
from api.desk.errors import DeskBusy, DeskRefused, Unreadable
from api.desk.fields import at, items, text
from api.desk.http import DeskClient
from api.desk.settings import DeskSettings
from api.desk.signatures import header, hex_digest, refuse_old, refuse_wrong, unix_seconds

_MARK = "shopkeeper_answer"
_WRITTEN = ("", "file_share", "thread_broadcast")
_LATER = ("ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout")
_SCORES = {"+1": 1.0, "thumbsup": 1.0, "-1": 0.0, "thumbsdown": 0.0}
_BACK = "robot_face"


class Slack:
    """The adapter of one Slack app in one workspace."""

    name = "slack"
    keeps_turn = False

    def __init__(self, settings: DeskSettings) -> None:
        self._settings = settings
        self._http = DeskClient(self.name, settings.url, {"Authorization": f"Bearer {settings.token}"})

    def verify(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        sent, shown = header(headers, "x-slack-request-timestamp"), header(headers, "x-slack-signature")
        refuse_wrong("v0=" + hex_digest(self._settings.secret, b"v0:" + sent.encode() + b":" + body), shown)
        refuse_old(unix_seconds(sent), now)

    def sign(self, body: bytes, now: float) -> dict[str, str]:
        sent = str(int(now))
        signature = hex_digest(self._settings.secret, b"v0:" + sent.encode() + b":" + body)
        return {"X-Slack-Request-Timestamp": sent, "X-Slack-Signature": f"v0={signature}"}

    def read(self, headers: Mapping[str, str], document: Mapping[str, Any]) -> DeskEvent | Challenge | None:
        if text(document, "type") == "url_verification":
            return Challenge({"challenge": text(document, "challenge")})
        event = at(document, "event")
        if text(document, "type") != "event_callback" or text(event, "bot_id"):
            return None
        if text(event, "type") == "reaction_added":
            return _reaction(text(document, "event_id"), event)
        direct = text(event, "type") == "message" and text(event, "channel_type") == "im"
        if not (direct or text(event, "type") == "app_mention") or text(event, "subtype") not in _WRITTEN:
            return None
        channel, ts = text(event, "channel"), text(event, "ts")
        if channel == self._settings.staff_channel:
            return None
        if not channel or not _order(ts):
            raise Unreadable("a message without its channel or its ts")
        thread = text(event, "thread_ts") or ts
        return DeskEvent(
            f"message:{ts}", channel if direct else f"{channel}:{thread}", "message", _order(ts),
            _plain(text(event, "text")), Contact(text(event, "user")),
        )  # fmt: skip

    def look(self, conversation: str) -> Look:
        channel, _, thread = conversation.partition(":")
        asked = {"channel": channel, "limit": "100", "include_all_metadata": "true"}
        name = "conversations.replies" if thread else "conversations.history"
        said = self._call("GET", name, params=asked | ({"ts": thread} if thread else {}))
        staff = {**asked, "channel": self._settings.staff_channel}
        briefs = items(self._call("GET", "conversations.history", params=staff), "messages")
        messages = [_posted(m, private=False) for m in items(said, "messages")]
        messages += [
            _posted(m, private=True) for m in briefs
            if text(m, "metadata", "event_payload", "conversation") == conversation
        ]  # fmt: skip
        return Look(True, tuple(sorted(filter(None, messages), key=lambda m: m.order)))

    def bots_turn(self, conversation: str) -> bool:
        return True

    def who(self, event: DeskEvent) -> Contact | None:
        if event.contact is None or not event.contact.id:
            return None
        user = at(self._call("GET", "users.info", params={"user": event.contact.id}), "user")
        # Slack has confirmed a member's e-mail; a guest of another workspace may have none.
        return Contact(event.contact.id, email=text(user, "profile", "email"), verified=True)

    def send(self, conversation: str, part: Part) -> None:
        channel, _, thread = conversation.partition(":")
        message: dict[str, Any] = {
            "channel": channel if part.kind == "reply" else self._settings.staff_channel,
            "text": _escaped(part.text),
            "metadata": {
                "event_type": _MARK,
                "event_payload": {"answers": part.answers, "conversation": conversation},
            },
        }
        if part.kind == "reply" and thread:
            message["thread_ts"] = thread
        self._call("POST", "chat.postMessage", json=message)

    def hand_over(self, conversation: str) -> None:
        """Nothing to do: the brief in the staff channel tells the team, and the queue keeps the bot silent."""

    def check(self) -> list[str]:
        told = self._call("POST", "auth.test")
        self._call(
            "GET", "conversations.history", params={"channel": self._settings.staff_channel, "limit": "1"}
        )
        where = text(told, "team") or "a workspace"
        return [
            f"Slack workspace {where}, as {text(told, 'user')}; briefs go to {self._settings.staff_channel}"
        ]

    def close(self) -> None:
        self._http.close()

    def _call(self, method: str, name: str, **request: Any) -> Any:
        """Call a method of the Web API, whose errors come with status 200 and "ok": false."""
        answer = self._http.call(method, f"/{name}", **request)
        if at(answer, "ok") is True:
            return answer
        reason = re.sub(r"\W", "", text(answer, "error"))[:60] or "no reason"
        if reason in _LATER:
            raise DeskBusy(f"slack answered {reason} ({name})")
        raise DeskRefused(
            f"slack answered {reason} ({name}): see https://docs.slack.dev/reference/methods/{name}"
        )


def _order(ts: str) -> int:
    """A ts such as 1531420618.000100 as an integer of microseconds, 0 where it is none."""
    return int(ts.replace(".", "")) if re.fullmatch(r"\d{9,11}\.\d{6}", ts, re.ASCII) else 0


def _plain(said: str) -> str:
    """Return what was written, without mentions and Slack's escapes."""
    said = re.sub(r"<(?:@|#|!)[^>]*>", "", said)
    said = re.sub(r"<(?:mailto:|tel:)?([^|>]+)(?:\|[^>]*)?>", r"\1", said)
    return said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _escaped(said: str) -> str:
    return said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _reaction(event_id: str, event: Any) -> DeskEvent | None:
    channel, ts, reaction = text(event, "item", "channel"), text(event, "item", "ts"), text(event, "reaction")
    if not event_id or not channel or not _order(ts):
        return None
    direct = channel.startswith("D")
    conversation = channel if direct else f"{channel}:{ts}"
    if reaction == _BACK:
        return DeskEvent(f"event:{event_id}", conversation, "returned", _order(ts))
    if reaction in _SCORES and direct:
        return DeskEvent(f"event:{event_id}", conversation, "rated", _order(ts), score=_SCORES[reaction])
    return None


def _posted(message: Any, private: bool) -> Posted | None:
    ts = text(message, "ts")
    if not _order(ts) or text(message, "subtype") not in (*_WRITTEN, "bot_message"):
        return None
    answers = text(message, "metadata", "event_payload", "answers")
    side: Side = "bot" if answers or text(message, "bot_id") else "customer"
    return Posted(f"message:{ts}", _order(ts), side, _plain(text(message, "text")), private, answers)
