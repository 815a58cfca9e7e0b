"""A stand-in for Slack."""

from __future__ import annotations

import time
import uuid
from typing import Any

from tests.desk_stand_in import TOKEN, Answer, Said, StandIn, Talk, hmac_sha256


def escaped(text: str) -> str:
    """What Slack makes of a text that people write."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class SlackStandIn(StandIn):
    """Slack: events sent again up to three times with X-Slack-Retry-Num, Web API errors with status 200."""

    name = "slack"
    waits = 3.0
    staff = "C0STAFF"
    first_id = 1_790_000_000_000_100

    def begin(self, customer: str | None = None, thread: bool = False, **contact: Any) -> str:
        number = next(self._ids)
        channel = f"{'C' if thread else 'D'}0{number % 100_000}"
        user = {
            "id": f"U{number % 100_000}",
            "profile": {"email": contact.get("email") or (f"{customer}@example.com" if customer else "")},
        }
        talk = Talk(channel, user)
        self.talks[channel] = talk
        return channel

    def say(self, talk: str, text: str, deliver: bool = True, **more: Any) -> dict[str, Any]:
        said = Said(self._ts(), "customer", text)
        self.talks[talk].said.append(said)
        document = self._event(talk, said) if talk.startswith("D") else self._mention(talk, said)
        document["event"] |= more
        if deliver:
            self.deliver(document)
        return document

    def _ts(self) -> str:
        number = str(next(self._ids))
        return f"{number[:-6]}.{number[-6:]}"

    def _wrapped(self, event: dict[str, Any]) -> dict[str, Any]:
        return {
            "token": "x", "team_id": "T1", "api_app_id": "A1", "type": "event_callback", "event": event,
            "event_id": f"Ev{uuid.uuid4().hex[:10].upper()}", "event_time": 1_790_000_000,
        }  # fmt: skip

    def _event(self, talk: str, said: Said) -> dict[str, Any]:
        user = self.talks[talk].contact["id"]
        return self._wrapped({
            "type": "message", "channel": talk, "user": user, "text": escaped(said.text), "ts": said.id,
            "event_ts": said.id, "channel_type": "im",
        })  # fmt: skip

    def _mention(self, talk: str, said: Said) -> dict[str, Any]:
        first = self.talks[talk].said[0].id
        event = {
            "type": "app_mention",
            "channel": talk,
            "user": self.talks[talk].contact["id"],
            "ts": said.id,
        }
        event |= {"text": f"<@UBOT> {escaped(said.text)}", "event_ts": said.id}
        return self._wrapped(event | ({} if first == said.id else {"thread_ts": first}))

    def colleague_says(self, talk: str, text: str) -> None:
        """Slack tells a bot of no colleague's message in a customer's direct conversation with it."""

    def react(self, talk: str, name: str) -> None:
        said = self.talks[talk].said[0 if talk.startswith("C") else -1]
        item = {"type": "message", "channel": talk, "ts": said.id}
        self.deliver(
            self._wrapped({"type": "reaction_added", "user": "UANN", "reaction": name, "item": item})
        )

    def rate(self, talk: str, stars: int) -> None:
        self.react(talk, "+1" if stars > 3 else "-1")

    def resolve(self, talk: str) -> None:
        """Slack closes nothing."""

    def take(self, talk: str) -> None:
        """Slack keeps no turn."""

    def give_back(self, talk: str) -> None:
        self.react(talk, "robot_face")

    def with_colleagues(self, talk: str) -> bool:
        return bool(self.notes(talk))

    def signed(self, body: bytes, at: float | None = None) -> dict[str, str]:
        sent = str(int(at if at is not None else time.time()))
        return {
            "X-Slack-Request-Timestamp": sent,
            "X-Slack-Signature": "v0=" + hmac_sha256(f"v0:{sent}:".encode() + body).hex(),
        }  # fmt: skip

    def again(self, attempt: int) -> dict[str, str]:
        return {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": "http_error"} if attempt else {}

    def allowed(self, call: str, headers: Any) -> Answer | None:
        return (
            None
            if headers.get("authorization") == f"Bearer {TOKEN}"
            else (200, {"ok": False, "error": "invalid_auth"})
        )

    def api(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Answer:
        name = path.rpartition("/")[2]
        if name == "auth.test":
            return 200, {"ok": True, "team": "Shop", "user": "shopkeeper", "user_id": "UBOT"}
        if name == "users.info":
            users = [t.contact for t in self.talks.values() if t.contact["id"] == query["user"]]
            return 200, {"ok": True, "user": users[0]} if users else {"ok": False, "error": "user_not_found"}
        if name == "chat.postMessage":
            return 200, self._post(body)
        if name in ("conversations.history", "conversations.replies"):
            return 200, self._history(query["channel"])
        return 200, {"ok": False, "error": "unknown_method"}

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        """A message for the staff channel is kept with the conversation that its metadata names."""
        private = body["channel"] == self.staff
        place = body["metadata"]["event_payload"]["conversation"] if private else body["channel"]
        talk = self.talks.get(place.partition(":")[0])
        if talk is None:
            return {"ok": False, "error": "channel_not_found"}
        if not private and talk.id.startswith("C") and body.get("thread_ts") != talk.said[0].id:
            return {"ok": False, "error": "thread_not_found"}
        said = Said(self._ts(), "bot", body["text"], private, body["metadata"])
        talk.said.append(said)
        return {"ok": True, "channel": body["channel"], "ts": said.id}

    def _history(self, channel: str) -> dict[str, Any]:
        if channel == self.staff:
            kept = [s for t in self.talks.values() for s in t.said if s.private]
        elif channel in self.talks:
            kept = [s for s in self.talks[channel].said if not s.private]
        else:
            return {"ok": False, "error": "channel_not_found"}
        messages = [
            {"type": "message", "ts": s.id, "text": s.text}
            | ({"bot_id": "B1", "metadata": s.marks} if s.side == "bot" else {"user": "U1"})
            for s in reversed(kept)
        ]
        return {"ok": True, "messages": messages}
