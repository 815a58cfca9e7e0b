"""Carries a conversation through the stand-in Chatwoot with the real server and the real agent, and prints it.

    python -m tests.desk_transcript --shop var/complete-journey --customer 1842 --language en

Everything goes over HTTP as it does with a real desk: signed webhooks in, the API out. The desk's answers need no
language model, so none is started.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agent import Agent
from api.app import create_app
from api.desk.mount import desk_routers
from api.desk.queue import DeskQueue
from customers.encoder import MultilingualEncoder
from customers.shop import Shop
from eval.bench_serve import scratch_shop
from settings import Settings
from tests.desk_chatwoot import ChatwootStandIn
from tests.desk_stand_in import READ_TOKEN, SECRET, TOKEN
from tests.desk_world import served

LINES = {
    "en": (
        "Hello!",
        "Can you recommend something for me?",
        "What do you know about the weather tomorrow?",
        "The last delivery came broken and I am really annoyed. Let me talk to a human.",
        "Are you still there?",
    ),
    "zh": (
        "你好！",
        "能给我推荐点什么吗？",
        "明天天气怎么样？",
        "上次送来的东西是坏的，我很生气！我要找人工客服。",
        "还在吗？",
    ),
}
WAIT_S = 120.0


def carry(shop: Path, customer: str, lines: Sequence[str]) -> tuple[str, bool]:
    """Return the conversation as Markdown, and whether it ended with colleagues, who have a brief."""
    desk = ChatwootStandIn()
    with (
        scratch_shop(shop) as scratch,
        desk.serving() as url,
        tempfile.TemporaryDirectory() as folder,
    ):
        file = Path(folder) / "desks.toml"
        file.write_text(
            f'[chatwoot]\nurl = "{url}"\naccount = 1\n'
            f'token = "{TOKEN}"\nread_token = "{READ_TOKEN}"\nsecret = "{SECRET}"\n'
        )
        agent = Agent(Shop.open(scratch, encoder=MultilingualEncoder()), None)
        app = create_app(scratch, secrets.token_hex(16), opener=lambda: agent, routers=desk_routers(file))
        with served(app) as base:
            desk.webhooks = f"{base}/desks/chatwoot"
            queue, talk = DeskQueue(scratch), desk.begin(customer)
            for line in lines:
                desk.say(talk, line)
                desk.wait(lambda: queue.health().waiting == 0, WAIT_S)
        agent.close()
    return _markdown(desk, talk), desk.with_colleagues(talk) and len(desk.notes(talk)) == 1


def _markdown(desk: ChatwootStandIn, talk: str) -> str:
    kept, told = desk.talks[talk], []
    for said in kept.said:
        who = {"customer": "Customer", "bot": "Note for colleagues" if said.private else "Shopkeeper"}[
            said.side
        ]
        told.append(f"**{who}**\n\n" + "\n".join(f"> {line}".rstrip() for line in said.text.splitlines()))
    slowest = max(ms for _, ms in desk.webhook_answers)
    told.append(
        f"The conversation is now `{kept.status}`; each webhook was acknowledged within {slowest:.0f} ms."
    )
    return "\n\n".join(told)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shop", type=Path, default=Settings().shop)
    parser.add_argument("--customer", required=True)
    parser.add_argument("--language", choices=sorted(LINES), default="en")
    args = parser.parse_args(argv)
    told, handed_over = carry(args.shop, args.customer, LINES[args.language])
    print(told)
    return 0 if handed_over else 1


if __name__ == "__main__":
    sys.exit(main())
