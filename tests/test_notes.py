"""Notes on customers: kept whole whatever happens, and erased without trace."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.errors import BadInput
from customers.stores.notes import MOST_CHARS, MOST_NOTES, NOTES_FILE, NoteRefused, NoteStore, clean
from customers.values import Note, NoteKind

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def store(tmp_path: Path) -> NoteStore:
    return NoteStore(tmp_path / NOTES_FILE)


def files(store: NoteStore) -> bytes:
    """All bytes of the store's files: the file, its log, and whatever else bears its name."""
    return b"".join(p.read_bytes() for p in sorted(store.path.parent.glob("*")) if p.is_file())


def full(store: NoteStore, kinds: dict[NoteKind, int]) -> None:
    """Fill customer 1's notes up, straight in the file (200 calls would take their time)."""
    store.add("1", "first")
    rows = [("1", "2026-01-01T00:00:00+00:00", kind, '["p1"]' if kind == "offered" else "x", "")
            for kind, n in kinds.items() for _ in range(n)]  # fmt: skip
    with sqlite3.connect(store.path) as con:
        con.executemany(
            "INSERT INTO notes (customer_id, written, kind, text, session) VALUES (?,?,?,?,?)", rows
        )
    con.close()


# the store -----------------------------------------------------------------------------------
def test_reading_makes_no_file(store: NoteStore):
    assert store.of("1") == []
    assert store.count("1") == 0
    assert store.erase_customer("1") == store.erase_session("s") == 0
    assert not store.erase(1)
    assert not list(store.path.parent.iterdir())


def test_a_note_comes_back_as_it_was_given(tmp_path: Path):
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    store = NoteStore(tmp_path / NOTES_FILE, clock=lambda: now)
    kept = store.add("88", "喜欢燕麦奶，对坚果过敏 🥜", session="s1")
    assert kept == Note(kept.id, "88", now, "note", "喜欢燕麦奶，对坚果过敏 🥜", (), "s1")
    offered = store.add("88", kind="offered", products=["p1", "商品 2"])
    handed = store.add("88", "wants her money back", kind="handoff")
    store.add("99", "somebody else")
    again = NoteStore(store.path)
    assert again.of("88") == [handed, offered, kept]
    assert again.of("88", kinds=["note", "handoff"]) == [handed, kept]
    assert again.of("88", limit=1) == [handed]
    assert again.of("88", kinds=[]) == []
    assert (offered.products, offered.text, again.count("88")) == (("p1", "商品 2"), "", 3)
    assert kept.day == now.astimezone().date()


def test_the_local_day_is_the_clock_s_own_zone(tmp_path: Path):
    east = datetime.fromisoformat("2026-03-02T01:00:00+08:00")
    note = NoteStore(tmp_path / NOTES_FILE, clock=lambda: east).add("1", "x")
    assert note.written == east
    assert note.written.utcoffset() == timedelta(0)


def test_only_its_owner_can_read_the_file(store: NoteStore):
    before = os.umask(0)
    try:
        store.add("1", "x")
        held = sqlite3.connect(store.path)  # keeps the log and its index in being
        held.execute("SELECT * FROM notes").fetchall()
        store.add("1", "y")
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in store.path.parent.iterdir()}
    held.close()
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


def test_numbers_of_erased_notes_are_not_given_again(store: NoteStore):
    first = store.add("1", "a")
    assert store.erase(first.id)
    assert not store.erase(first.id)
    assert store.add("1", "b").id > first.id


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\u200b\u202e\ufeff"])
def test_an_empty_note_is_refused(store: NoteStore, text: str):
    with pytest.raises(NoteRefused, match="empty") as refused:
        store.add("1", text)
    assert refused.value.why == "empty"
    assert isinstance(refused.value, BadInput)
    assert not store.path.exists()


def test_a_note_has_an_end(store: NoteStore):
    assert store.add("1", "长" * MOST_CHARS).text == "长" * MOST_CHARS
    with pytest.raises(NoteRefused, match="501 characters; write at most 500"):
        store.add("1", "x" * (MOST_CHARS + 1))
    with pytest.raises(NoteRefused, match="at most 500"):
        store.add("1", kind="offered", products=[f"p{i}" for i in range(200)])
    with pytest.raises(NoteRefused, match="empty"):
        store.add("1", kind="offered")


def test_what_was_offered_makes_room_first(store: NoteStore):
    full(store, {"note": MOST_NOTES - 3, "offered": 2})
    assert store.count("1") == MOST_NOTES
    oldest, newer = store.of("1", kinds=["offered"])[::-1]
    store.add("1", "one more")
    assert [n.id for n in store.of("1", kinds=["offered"])] == [newer.id]
    store.add("1", "and another")
    assert store.of("1", kinds=["offered"]) == []
    with pytest.raises(NoteRefused, match="200 notes") as refused:
        store.add("1", "too many")
    assert refused.value.why == "full"
    assert store.count("1") == MOST_NOTES
    assert store.of("1")[-1].text == "first"
    store.add("2", "another customer has room")
    assert oldest.id < newer.id


def test_erasing_by_customer_and_by_session(store: NoteStore):
    for customer, session in (("1", "a"), ("1", "b"), ("2", "a"), ("2", ""), ("3", "")):
        store.add(customer, f"{customer} in {session}", session=session)
    assert store.erase_session("") == 0
    assert store.erase_session("a") == 2
    assert store.erase_customer("2") == 1
    assert [n.text for c in "123" for n in store.of(c)] == ["1 in b", "3 in"]


@pytest.mark.parametrize("seed", range(6))
def test_erased_text_is_nowhere_in_the_files(store: NoteStore, seed: int):
    """Notes of many lengths, so that pages split and rows move, while another reader keeps the log in being."""
    chance = random.Random(seed)
    held: sqlite3.Connection | None = None
    notes = []
    for i in range(40):
        text = f"geheim{i:02d}过敏 " + "y" * chance.randrange(0, 450)
        notes.append(store.add(str(chance.randrange(5)), text, session=f"s{i % 4}"))
        if held is None:
            held = sqlite3.connect(store.path)
            held.execute("SELECT count(*) FROM notes").fetchall()
    assert all(n.text[:10].encode() in files(store) for n in notes)
    for note in chance.sample(notes, 12):
        store.erase(note.id)
    store.erase_customer("1")
    store.erase_session("s3")
    left = {n.id for customer in range(5) for n in store.of(str(customer))}
    data = files(store)
    for note in notes:
        assert (note.text[:10].encode() in data) == (note.id in left)
    assert held is not None
    held.close()


def test_what_made_room_is_gone_with_the_customer(store: NoteStore):
    offered = store.add("1", kind="offered", products=["secretproduct"])
    full(store, {"note": MOST_NOTES - 2})
    store.add("1", "x")
    assert offered.id not in {n.id for n in store.of("1")}
    store.erase_customer("1")
    assert b"secretproduct" not in files(store)


def test_threads_lose_nothing(store: NoteStore):
    def work(customer: int) -> list[int]:
        return [store.add(str(customer), f"{customer}-{i}").id for i in range(10)]

    with ThreadPoolExecutor(8) as pool:
        ids = [i for made in pool.map(work, range(8)) for i in made]
    assert len(set(ids)) == 80
    for customer in range(8):
        assert [n.text for n in store.of(str(customer))] == [f"{customer}-{i}" for i in reversed(range(10))]


def _write_and_erase(path: Path, customer: str, gate: Any) -> None:
    store = NoteStore(path)
    gate.wait()  # both make the file at once
    for i in range(15):
        note = store.add(customer, f"{customer}-{i}")
        if i % 3 == 0:
            store.erase(note.id)


def test_two_processes_lose_nothing(store: NoteStore):
    gate = FORK.Barrier(3)
    writers = [FORK.Process(target=_write_and_erase, args=(store.path, c, gate)) for c in ("a", "b", "c")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [w.exitcode for w in writers] == [0, 0, 0]
    for customer in ("a", "b", "c"):
        assert [n.text for n in store.of(customer)] == [
            f"{customer}-{i}" for i in reversed(range(15)) if i % 3
        ]


WRITER = """
import sys
from pathlib import Path
from customers.stores.notes import NoteStore
store = NoteStore(Path(sys.argv[1]))
for i in range(10_000):
    note = store.add("1" if i % 2 else "2", f"note {i} " + "x" * (i * 37 % 400))
    if i % 5 == 0:
        store.erase(note.id)
        print("erased", note.id, flush=True)
    else:
        print("kept", note.id, flush=True)
    if i % 150 == 149:
        store.erase_customer("1"), store.erase_customer("2")
        print("cleared", note.id, flush=True)
"""


@pytest.mark.parametrize("after", [1, 6, 23, 60])
def test_a_killed_writer_leaves_the_file_whole(store: NoteStore, after: int):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store.path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert writer.stdout is not None
    said = [writer.stdout.readline().split() for _ in range(after)]
    time.sleep(random.Random(after).random() / 100)
    writer.send_signal(signal.SIGKILL)
    # The last line may have been cut short with its writer.
    said += [line.split() for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    writer.stdout.close()
    writer.wait()
    have = {n.id for customer in "12" for n in store.of(customer)}
    kept = {int(n) for what, n in said if what == "kept"}
    erased = {int(n) for what, n in said if what == "erased"}
    assert kept <= have
    assert not erased & have
    assert len(have - kept) <= 1  # the one that was written when the writer died
    assert store.add("3", "life goes on").id > max(have | erased)
    con = sqlite3.connect(store.path)
    assert con.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    con.close()


def test_a_file_that_was_only_begun_counts_as_none(store: NoteStore):
    store.path.touch()
    assert store.of("1") == []
    assert store.erase_customer("1") == 0
    assert store.add("1", "x").text == "x"


def test_a_damaged_file_is_told_with_the_way_to_mend_it(store: NoteStore):
    store.path.write_bytes(b"this is no database " * 100)
    for ask in (lambda: store.of("1"), lambda: store.add("1", "x"), lambda: store.erase(1)):
        with pytest.raises(NoteRefused, match=r"damaged .* move it away") as refused:
            ask()
        assert refused.value.why == "unreadable"


def test_a_file_of_a_newer_version_is_left_alone(store: NoteStore):
    store.add("1", "x")
    con = sqlite3.connect(store.path)
    con.execute("PRAGMA user_version = 9")
    con.close()
    for ask in (lambda: store.of("1"), lambda: store.add("1", "x")):
        with pytest.raises(NoteRefused, match="update Shopkeeper"):
            ask()


def _as_guest(run: Callable[[], str]) -> str:
    """What `run` says in a process without root's rights, for which a read-only folder is read-only."""
    mine, theirs = FORK.Pipe()

    def guest() -> None:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        theirs.send(run())

    process = FORK.Process(target=guest)
    process.start()
    said = mine.recv() if mine.poll(60) else "nothing"
    process.join()
    return said


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that any user of this machine can reach, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="notes-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def _told(run: Callable[[], object]) -> str:
    try:
        return str(run())
    except NoteRefused as error:
        return f"{error.why}: {error}"


@pytest.mark.parametrize("had", [True, False])
def test_a_read_only_folder_is_read_and_not_written(public: Path, had: bool):
    store = NoteStore(public / NOTES_FILE)
    if had:
        store.add("1", "prefers oat milk")
        if os.geteuid() == 0:
            os.chown(store.path, 65534, 65534)
        store.path.chmod(0o400)
    public.chmod(0o555)
    read = _as_guest(lambda: _told(lambda: [n.text for n in store.of("1")]))
    assert read == ("['prefers oat milk']" if had else "[]")
    wrote = _as_guest(lambda: _told(lambda: store.add("1", "more")))
    assert wrote.startswith("read_only: ")
    assert "right to write" in wrote
    assert _as_guest(lambda: _told(lambda: store.erase_customer("1"))).startswith(
        "read_only: " if had else "0"
    )


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec=None), max_size=60), customer=st.text(min_size=1, max_size=8))
def test_any_text_is_kept_as_its_clean_self_or_refused(store: NoteStore, text: str, customer: str):
    if not clean(text):
        with pytest.raises(NoteRefused):
            store.add(customer, text)
        return
    note = store.add(customer, text)
    assert store.of(customer, limit=1) == [note]
    assert note.text == clean(text) == clean(note.text)
    assert len(note.text.splitlines()) == 1
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(c) for c in note.text}
    store.erase(note.id)
