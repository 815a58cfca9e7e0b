"""A stand-in for Chatwoot."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

from tests.desk_stand_in import READ_TOKEN, TOKEN, Answer, Missing, Said, StandIn, Talk, hmac_sha256


class ChatwootStandIn(StandIn):
    """Chatwoot 4.17: an agent bot's token may post, show a conversation and toggle its status; a failed
    webhook is sent three times after 429 or 500, and then opens a pending conversation for people."""

    name = "chatwoot"
    retried = (429, 500)

    def begin(self, customer: str | None = None, **contact: Any) -> str:
        number = next(self._ids)
        known = {"id": number, "name": "Jane", "identifier": customer, "email": None, "custom_attributes": {}}
        verified = contact.pop("verified", True)
        self.talks[str(number)] = Talk(str(number), known | {"type": "contact"} | contact)
        self.talks[str(number)].contact["hmac_verified"] = verified
        return str(number)

    def say(self, talk: str, text: str, deliver: bool = True, **more: Any) -> dict[str, Any]:
        said = Said(next(self._ids), "customer", text)
        if self.talks[talk].status in ("resolved", "snoozed"):
            self.talks[talk].status = "pending"
        self.talks[talk].said.append(said)
        document = self._document(talk, said) | more
        if deliver:
            self.deliver(document)
        return document

    def colleague_says(self, talk: str, text: str) -> None:
        said = Said(next(self._ids), "staff", text)
        self.talks[talk].said.append(said)
        self.deliver(self._document(talk, said))

    def _document(self, talk: str, said: Said) -> dict[str, Any]:
        return {
            "event": "message_created", "account": {"id": 1, "name": "Shop"}, "inbox": {"id": 5, "name": "Web"},
            "id": said.id, "content": said.text, "content_type": "text", "content_attributes": {},
            "created_at": "2026-11-27T03:00:00.000Z", "private": said.private, "source_id": None,
            "message_type": "incoming" if said.side == "customer" else "outgoing",
            "sender": self._sender(talk, said), "conversation": self._conversation(talk),
        }  # fmt: skip

    def _sender(self, talk: str, said: Said) -> dict[str, Any]:
        if said.side == "customer":
            return {k: v for k, v in self.talks[talk].contact.items() if k not in ("type", "hmac_verified")}
        kind = "user" if said.side == "staff" else "agent_bot"
        return {"id": 3, "name": kind, "type": kind}

    def _conversation(self, talk: str) -> dict[str, Any]:
        kept = self.talks[talk]
        contact = {k: v for k, v in kept.contact.items() if k != "hmac_verified"}
        return {
            "id": int(talk), "status": kept.status, "inbox_id": 5, "channel": "Channel::WebWidget",
            "messages": [self._message(talk, s) for s in kept.said[-1:]],
            "meta": {"sender": contact, "hmac_verified": kept.contact["hmac_verified"], "assignee": None},
        }  # fmt: skip

    def _message(self, talk: str, said: Said) -> dict[str, Any]:
        sender = self._sender(talk, said)
        return {
            "id": said.id, "content": said.text, "message_type": 0 if said.side == "customer" else 1,
            "content_type": "text", "private": said.private, "content_attributes": said.marks,
            "conversation_id": int(talk), "sender": {"type": "contact"} | sender, "created_at": 1_790_000_000,
        }  # fmt: skip

    def rate(self, talk: str, stars: int) -> None:
        self.deliver({
            "event": "message_updated", "account": {"id": 1}, "id": next(self._ids), "message_type": "template",
            "content_type": "input_csat", "content": "Please rate the conversation", "private": False,
            "content_attributes": {"submitted_values": {"csat_survey_response": {"rating": stars, "feedback_message": ""}}},
            "conversation": self._conversation(talk),
        })  # fmt: skip

    def resolve(self, talk: str) -> None:
        self.talks[talk].status = "resolved"
        self.deliver({"event": "conversation_resolved"} | self._conversation(talk))

    def take(self, talk: str) -> None:
        self.talks[talk].status = "open"
        self.deliver({"event": "conversation_opened"} | self._conversation(talk))

    def give_back(self, talk: str) -> None:
        self.talks[talk].status = "pending"

    def with_colleagues(self, talk: str) -> bool:
        return self.talks[talk].status == "open"

    def signed(self, body: bytes, at: float | None = None) -> dict[str, str]:
        sent = str(int(at if at is not None else time.time()))
        return {
            "X-Chatwoot-Timestamp": sent, "X-Chatwoot-Delivery": str(uuid.uuid4()),
            "X-Chatwoot-Signature": "sha256=" + hmac_sha256(f"{sent}.".encode() + body).hex(),
        }  # fmt: skip

    def undelivered(self, document: dict[str, Any]) -> None:
        talk = str(document.get("conversation", {}).get("id", ""))
        if (
            document["event"] in ("message_created", "message_updated")
            and self.talks[talk].status == "pending"
        ):
            self.talks[talk].status = "open"

    def allowed(self, call: str, headers: Any) -> Answer | None:
        if call == "GET /api":
            return None
        token = headers.get("api_access_token")
        bots = (
            r"POST .*/messages$", r"GET .*/conversations/\d+$", r"POST .*/toggle_status$",
        )  # fmt: skip
        if token == READ_TOKEN or (token == TOKEN and any(re.search(own, call) for own in bots)):
            return None
        return 401, {
            "error": "Access to this endpoint is not authorized for bots"
            if token == TOKEN
            else "Invalid Access Token"
        }

    def api(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Answer:
        if path == "/api":
            return 200, {"version": "4.17.1", "queue_services": "ok", "data_services": "ok"}
        if path == "/api/v1/profile":
            return 200, {"id": 3, "name": "Ann", "accounts": [{"id": 1}]}
        found = re.fullmatch(r"/api/v1/accounts/1/conversations/(\d+)(?:/(messages|toggle_status))?", path)
        if found is None:
            raise Missing(path)
        talk = self.talk(found[1])
        if found[2] == "toggle_status":
            talk.status = body["status"]
            return 200, {
                "payload": {"success": True, "current_status": talk.status, "conversation_id": int(talk.id)}
            }
        if found[2] == "messages" and method == "POST":
            marks = {k: v for k, v in body.get("content_attributes", {}).items() if k == "in_reply_to"}
            said = Said(next(self._ids), "bot", body["content"], bool(body.get("private")), marks)
            talk.said.append(said)
            return 200, self._message(talk.id, said) | {"echo_id": body.get("echo_id")}
        if found[2] == "messages":
            return 200, {"meta": {}, "payload": [self._message(talk.id, s) for s in talk.said[-20:]]}
        return 200, self._conversation(talk.id)
