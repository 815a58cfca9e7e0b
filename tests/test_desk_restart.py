"""A server that is killed (kill -9) anywhere loses no message and posts no answer twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.desk.queue import DeskQueue
from tests.desk_stand_in import StandIn
from tests.desk_world import STAND_INS

ROOT = Path(__file__).parents[1]


class Server:
    """Our server in a process of its own, started again after each kill."""

    def __init__(self, desk: StandIn, url: str, shop: Path) -> None:
        self._desk, self._pid = desk, 0
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.desk_process", url, desk.name, str(shop)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def start(self) -> None:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write("start\n")
        self._zygote.stdin.flush()
        pid, port = self._zygote.stdout.readline().split()
        self._pid = int(pid)
        self._desk.webhooks = f"http://127.0.0.1:{port}/desks/{self._desk.name}"

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        self.kill()
        self._zygote.kill()
        self._zygote.communicate()


@contextmanager
def killable(name: str, shop: Path) -> Iterator[tuple[StandIn, Server, DeskQueue]]:
    shop.mkdir()
    desk = STAND_INS[name]()
    with desk.serving() as url:
        server = Server(desk, url, shop)
        server.start()
        try:
            yield desk, server, DeskQueue(shop)
        finally:
            server.close()


def deliver_until_taken(desk: StandIn, document: dict) -> None:
    while desk.deliver(document) != 200:
        time.sleep(0.05)


def killing_at(server: Server, moment: int, killed: threading.Event) -> Callable[[str, bool], bool]:
    """Kill the server at the given moment: 0 before the first call of the API took effect, 1 after it, ..."""
    left = [moment]

    def on_call(call: str, done: bool) -> bool:
        left[0] -= 1
        if left[0] == -1:
            server.kill()
            killed.set()
            return True
        return False

    return on_call


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(STAND_INS))
def test_killed_at_any_call_of_a_handover_it_goes_on_where_it_was(name: str, tmp_path: Path):
    with killable(name, tmp_path / "shop") as (desk, server, queue):
        # Each moment for one desk; for the others every third, which reaches each kind of call.
        for moment in range(0, 40, 1 if name == "chatwoot" else 3):
            talk, killed = desk.begin("1842"), threading.Event()
            desk.on_call = killing_at(server, moment, killed)
            desk.say(talk, "a human please")
            desk.wait(lambda killed=killed: killed.is_set() or queue.health().waiting == 0, 20)
            desk.on_call = lambda call, done: False
            if killed.is_set():
                server.start()
            desk.wait(lambda: queue.health().waiting == 0, 20)
            assert desk.replies(talk) == ["A colleague takes over."], f"killed at {moment}"
            assert len(desk.notes(talk)) == 1, f"killed at {moment}"
            assert desk.with_colleagues(talk), f"killed at {moment}"
            if not killed.is_set():
                break
        assert moment >= 8, "there were calls to be killed at"
        assert queue.health().dead == 0


@pytest.mark.slow
def test_killed_when_the_agent_has_answered_it_is_asked_again_and_the_customer_answered_once(tmp_path: Path):
    shop = tmp_path / "shop"
    with killable("chatwoot", shop) as (desk, server, queue):
        talk = desk.begin("1842")
        desk.say(talk, "hello")
        desk.wait(lambda: queue.health().waiting == 0, 20)
        desk.say(talk, "die")
        desk.wait((shop / "died").exists, 20)
        server.start()
        desk.wait(lambda: queue.health().waiting == 0, 20)
        assert desk.replies(talk) == ["re: hello", "re: die, asked again"]


@pytest.mark.slow
def test_killed_again_and_again_under_traffic_it_answers_all_once_and_in_order(tmp_path: Path):
    with killable("slack", tmp_path / "shop") as (desk, server, queue):
        talks = [desk.begin("1842") for _ in range(5)]

        def chat(talk: str) -> None:
            for i in range(4):
                deliver_until_taken(desk, desk.say(talk, f"{talk} {i}", deliver=False))

        threads = [threading.Thread(target=chat, args=(talk,)) for talk in talks]
        for thread in threads:
            thread.start()
        chance = random.Random(7)
        for _ in range(4):
            time.sleep(chance.uniform(0.05, 0.4))
            server.kill()
            server.start()
        for thread in threads:
            thread.join(30)
        desk.wait(lambda: queue.health().waiting == 0, 30)
        for talk in talks:
            assert desk.replies(talk) == [f"re: {talk} {i}" for i in range(4)]
