"""A stand-in for Zendesk."""

from __future__ import annotations

import base64
import re
import time
import uuid
from typing import Any

from tests.desk_stand_in import TOKEN, Answer, Missing, Said, StandIn, Talk, hmac_sha256


class ZendeskStandIn(StandIn):
    """Zendesk: signed event webhooks, sent again after 409, 429 and 503; comments by changing a ticket."""

    name = "zendesk"
    retried = (409, 429, 503)
    waits = 12.0
    bot, agent = 900, 901

    def begin(self, customer: str | None = None, **contact: Any) -> str:
        number = next(self._ids)
        user = {
            "id": number + 50_000,
            "name": "Jane",
            "external_id": customer,
            "email": None,
            "verified": True,
            "user_fields": {},
        }
        self.talks[str(number)] = Talk(str(number), user | contact, status="new")
        return str(number)

    def say(self, talk: str, text: str, deliver: bool = True) -> dict[str, Any]:
        said = Said(next(self._ids), "customer", text)
        self.talks[talk].said.append(said)
        document = self._comment(talk, said)
        if deliver:
            self.deliver(document)
        return document

    def open_ticket(self, talk: str, text: str) -> None:
        """The customer's first words, told of as a new ticket without its comment's id."""
        self.talks[talk].said.append(Said(next(self._ids), "customer", text))
        self.deliver(self._event(talk, "created", {}))

    def colleague_says(self, talk: str, text: str) -> None:
        said = Said(next(self._ids), "staff", text)
        self.talks[talk].said.append(said)
        self.deliver(self._comment(talk, said))

    def _event(self, talk: str, kind: str, event: dict[str, Any]) -> dict[str, Any]:
        kept = self.talks[talk]
        return {
            "account_id": 1, "id": str(uuid.uuid4()), "subject": f"zen:ticket:{talk}", "time": "2026-11-27T03:00:00Z",
            "type": f"zen:event-type:ticket.{kind}", "zendesk_event_version": "2022-11-06", "event": event,
            "detail": {"id": talk, "status": kept.status.upper(), "tags": kept.tags, "requester_id": str(kept.contact["id"])},
        }  # fmt: skip

    def _comment(self, talk: str, said: Said) -> dict[str, Any]:
        author = {"id": str(self._author(talk, said)), "is_staff": said.side != "customer", "name": said.side}
        comment = {"id": str(said.id), "body": said.text, "is_public": not said.private, "author": author}
        return self._event(talk, "comment_added", {"comment": comment})

    def _author(self, talk: str, said: Said) -> int:
        return {"customer": self.talks[talk].contact["id"], "bot": self.bot, "staff": self.agent}[said.side]

    def rate(self, talk: str, stars: int) -> None:
        """The adapter reads no ratings of Zendesk's."""

    def resolve(self, talk: str) -> None:
        self.talks[talk].status = "solved"
        self.deliver(self._event(talk, "status_changed", {"current": "SOLVED", "previous": "OPEN"}))

    def take(self, talk: str) -> None:
        self.talks[talk].contact["assignee"] = self.agent

    def give_back(self, talk: str) -> None:
        self.talks[talk].contact["assignee"] = None
        if self.talks[talk].tags:
            self.talks[talk].tags = []
            self.deliver(
                self._event(
                    talk, "tags_changed", {"tags_added": [], "tags_removed": ["shopkeeper_handed_over"]}
                )
            )

    def with_colleagues(self, talk: str) -> bool:
        return "shopkeeper_handed_over" in self.talks[talk].tags and self.talks[talk].status == "open"

    def signed(self, body: bytes, at: float | None = None) -> dict[str, str]:
        sent = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at if at is not None else time.time()))
        return {
            "X-Zendesk-Webhook-Signature-Timestamp": sent, "X-Zendesk-Webhook-Id": "01HOOK",
            "X-Zendesk-Webhook-Signature": base64.b64encode(hmac_sha256(sent.encode() + body)).decode(),
        }  # fmt: skip

    def allowed(self, call: str, headers: Any) -> Answer | None:
        expected = "Basic " + base64.b64encode(f"bot@example.com/token:{TOKEN}".encode()).decode()
        return (
            None
            if headers.get("authorization") == expected
            else (401, {"error": "Couldn't authenticate you"})
        )

    def api(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Answer:
        if path == "/api/v2/users/me.json":
            return 200, {"user": {"id": self.bot, "name": "Shop bot", "role": "agent"}}
        if found := re.fullmatch(r"/api/v2/users/(\d+)\.json", path):
            users = [t.contact for t in self.talks.values() if str(t.contact["id"]) == found[1]]
            if not users:
                raise Missing(path)
            return 200, {"user": users[0]}
        found = re.fullmatch(r"/api/v2/tickets/(\d+)(?:/(audits|tags))?\.json", path)
        if found is None:
            raise Missing(path)
        talk = self.talk(found[1])
        if found[2] == "tags":
            talk.tags = sorted({*talk.tags, *body["tags"]})
            return 200, {"tags": talk.tags}
        if found[2] == "audits":
            return 200, self._audits(talk, query)
        if method == "PUT":
            self._change(talk, body["ticket"])
        return 200, {"ticket": {
            "id": int(talk.id), "status": talk.status, "tags": talk.tags, "requester_id": talk.contact["id"],
            "assignee_id": talk.contact.get("assignee"),
        }}  # fmt: skip

    def _audits(self, talk: Talk, query: dict[str, str]) -> dict[str, Any]:
        """Two comments a page, so that paging is used."""
        after = int(query.get("page[after]", "0"))
        page = talk.said[after : after + 2]
        audits = [
            {"id": s.id + 1_000_000, "author_id": self._author(talk.id, s), "metadata": {"system": {}, "custom": s.marks},
             "events": [{"id": s.id, "type": "Comment", "body": s.text, "public": not s.private, "author_id": self._author(talk.id, s)}]}
            for s in page
        ]  # fmt: skip
        more = after + 2 < len(talk.said)
        return {"audits": audits, "meta": {"has_more": more, "after_cursor": str(after + 2)}}

    def _change(self, talk: Talk, change: dict[str, Any]) -> None:
        talk.status = change.get("status", talk.status)
        if comment := change.get("comment"):
            said = Said(
                next(self._ids), "bot", comment["body"], not comment["public"], change.get("metadata", {})
            )
            talk.said.append(said)
