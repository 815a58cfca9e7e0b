"""A server with a desk in a process of its own, to be killed: `python -m tests.desk_process URL NAME SHOP`.

Reads one line at a time from standard input. "start" forks a server, whose process id and port are printed;
the imports are done once, in this process.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from api.app import listen, serve
from api.desk.contacts import Contacts
from api.desk.courier import Courier
from api.desk.delivery import Desk
from api.desk.queue import DeskQueue
from api.desk.registry import adapters
from api.desk.routes import desk_router
from tests.desk_world import FAST, KNOWN, STAND_INS, Reply, Scripted, settings_of


@dataclass
class Mortal(Scripted):
    """Is killed once when it has an answer to "die", before anybody else has it; then tells what was asked again."""

    died: Path = Path()

    def answer(self, text: str, **more: Any) -> Reply:
        reply = super().answer(text, **more)
        if text == "die" and not self.died.exists():
            self.died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Reply(f"{reply.text}, asked again") if self.repeated else reply


def main() -> None:
    url, name, shop = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    for line in sys.stdin:
        if line.strip() == "start" and os.fork() == 0:
            _serve(url, name, shop)
            os._exit(0)


def _serve(url: str, name: str, shop: Path) -> None:
    settings = settings_of(STAND_INS[name](), url)
    desks = {name: Desk(adapters({name: settings})[name], settings, Contacts(settings, KNOWN.__contains__))}
    queue = DeskQueue(shop)
    app = FastAPI()
    app.include_router(
        desk_router(desks, queue, Courier(shop, queue, desks, Mortal(died=shop / "died"), 4, FAST))
    )
    listening = listen("127.0.0.1", 0)
    print(os.getpid(), listening.getsockname()[1], flush=True)
    serve(app, listening)


if __name__ == "__main__":
    main()
