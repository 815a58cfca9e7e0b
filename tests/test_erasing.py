"""A customer is erased everywhere: looked for afterwards in the bytes and the tables of every file of the shop."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver

import cli
from agent.forgetting import MEMORY_FILE, conversations_of
from customers import erasing
from customers.errors import BadInput
from customers.ingest import files, put_back, quality_page
from customers.ingest.inbox import Inbox
from customers.ingest.mapping import guess_mapping
from customers.knowledge.base import KnowledgeBase
from customers.labels.store import LabelStore, person
from customers.labels.values import Unit
from customers.pipeline import STORE
from customers.stores import events, versions
from customers.stores.feedback import FEEDBACK_FILE, FeedbackEvent, FeedbackStore
from customers.stores.notes import NOTES_FILE, NoteStore
from customers.traces import Traces
from tests import shops

GONE, STAYS, SECRET = "zq-7041", "zq-7042", "Sehr geheim 极秘密的话"
HEAD = ["event_id", "event", "会员编号", "time", "sku", "qty", "amount", "review_text"]
START = datetime(2024, 5, 1, 9)
FORK = multiprocessing.get_context("fork")


def _log(path: Path) -> Path:
    """Sales and a review of both customers, rows of both that break a rule, and a line that cannot be split."""
    rows = [[f"{who}-{n}", "purchase", who, f"{START + timedelta(hours=n)}", f"p{n % 9}", "1", "5.00", ""]
            for n in range(40) for who in (GONE, STAYS)]  # fmt: skip
    for who in (GONE, STAYS):
        rows += [
            [f"{who}-r", "review", who, "2024-05-03 10:00:00", "p1", "", "", f"{SECRET} {who}"],
            [f"{who}-big", "purchase", f" {who} ", "2024-05-02 10:00:00", "p1", "70000", "350000", ""],
            [f"{who}-0", "purchase", who, f"{START}", "p0", "1", "5.00", ""],
            [f"{who}-none", "purchase", who, "", "p1", "1", "5.00", ""],
        ]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEAD, *rows])
        file.write("".join(f"broken,purchase,{who},2024-05-02 10:00:00,p1,1\n" for who in (GONE, STAYS)))
    return path


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted shop, built, with two customers more that are kept everywhere."""
    where = tmp_path_factory.mktemp("kept")
    shop = Path(shutil.copytree(shops.built(), where / "shop"))
    log = _log(where / "log.csv")
    files.ingest([log], guess_mapping([log]), shop / STORE, "Planted", add=True)
    put_back.put_back(shop / STORE, "duplicate")
    inbox = Inbox(shop, shop / STORE)
    for folder in ("done", "failed"):
        inbox.accept([_pushed(who) for who in (GONE, STAYS)])
        (shop / "inbox" / folder).mkdir(exist_ok=True)
        (batch,) = inbox.pending()
        os.replace(batch, shop / "inbox" / folder / batch.name)
        (shop / "inbox" / folder / f"{batch.stem}.txt").write_text(f"customer {GONE} is unknown\n")
    inbox.accept([_pushed(who) for who in (GONE, STAYS)])
    with SqliteSaver.from_conn_string(str(shop / MEMORY_FILE)) as memory:
        for who in (GONE, STAYS):
            NoteStore(shop / NOTES_FILE).add(who, f"{SECRET} note on {who}")
            FeedbackStore(shop / FEEDBACK_FILE).record_all(
                [FeedbackEvent(f"f{who}", who, "p1", "never", datetime.now(UTC))]
            )
            labels = LabelStore.of(shop)
            labels.add_units("sentiment", [Unit(f"review:{who}", who, f"{SECRET} {who}")])
            labels.put("sentiment", f"review:{who}", "negative", person("Ann"))
            KnowledgeBase(shop).store.say(
                session=f"s-{who}", customer=who, language="en", question=f"{SECRET} {who}", intent="", label="",
                key="", action="answer", text="Hello",
            )  # fmt: skip
            _remember(memory, f"talk {who}", [f"What should customer {who} get?", SECRET], [who])
        _remember(memory, "weather", ["What sells best?"], [])
    quality_page.write(shop / STORE)
    (shop / "store" / "shop.duckdb.99.partial").write_text(f"a killed run's {GONE}")
    return shop


def _pushed(who: str) -> dict[str, str]:
    return {
        "kind": "browse",
        "customer_id": who,
        "ts": "2024-05-05 10:00:00",
        "product_id": "p1",
        "raw": SECRET,
    }


def _remember(memory: SqliteSaver, session: str, said: list[str], customers: list[str]) -> None:
    values = {"messages": [HumanMessage(text) for text in said], "memory": {"customers": customers}}
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = values
    memory.put({"configurable": {"thread_id": session, "checkpoint_ns": ""}}, checkpoint, {}, {})


@pytest.fixture
def shop(loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this test's own, in a `var` of its own."""
    monkeypatch.setenv("SHOPKEEPER_VAR", str(tmp_path / "var"))
    return Path(shutil.copytree(loaded, tmp_path / "var" / "shop"))


def texts_of(path: Path) -> Iterator[str]:
    """What a file holds: its bytes, and what stands packed in it."""
    yield path.read_bytes().decode("utf-8", "replace")
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as con:
            for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                yield str(con.execute(f'SELECT * FROM "{table}"').fetchall())
    elif path.suffix == ".sqlite":
        con = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        yield "\n".join(con.iterdump())
        con.close()
    elif path.suffix == ".parquet":
        yield str(pq.read_table(path).to_pylist())
    elif path.suffix == ".npz":
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                found = packed.read(name)
                yield found.decode("utf-8", "replace") + found.decode("utf-32-le", "replace")


def holding(shop: Path, *words: str) -> set[str]:
    """The files under a folder that hold one of some words."""
    return {
        str(path.relative_to(shop))
        for path in sorted(shop.rglob("*"))
        if path.is_file() and any(word in text for text in texts_of(path) for word in words)
    }


def erase(shop: Path, *more: str) -> int:
    return cli.main(["erase", GONE, "--yes", "--shop", str(shop), *more])


@pytest.mark.slow
def test_no_file_holds_an_erased_customer(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = holding(shop, GONE, f"{SECRET} {GONE}")
    assert before >= {
        str(STORE), "store/shop.duckdb.99.partial", "store/quality.html", "notes.sqlite", "feedback.sqlite",
        "labels.sqlite", "knowledge.sqlite", MEMORY_FILE,
    }  # fmt: skip
    others = {table: _count(shop, table, STAYS) for table in ("events", "rejected", "waived")}
    assert all(others.values())

    assert erase(shop, "--keep-builds", "--purpose", "asked by mail") == 0
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["complete"]  # the build is from before this customer came
    assert receipt["purpose"] == "asked by mail"
    gone = receipt["erased"]
    assert gone["store"] == 40 + 1 + 1  # sales, the review, and the row that was put back
    assert gone["kept_aside"] == 4  # a large one, one without a time, a broken line, and one put back
    assert gone["report_examples"] >= 3
    assert {k: gone[k] for k in ("inbox", "notes", "feedback", "labels", "inquiries", "conversations")} == {
        "inbox": 3, "notes": 1, "feedback": 1, "labels": 1, "inquiries": 1, "conversations": 1,
    }  # fmt: skip
    assert holding(shop.parent, GONE, f"{SECRET} {GONE}") == set()  # all of var
    assert {table: _count(shop, table, STAYS) for table in others} == others
    assert holding(shop, STAYS) >= {
        str(STORE),
        "notes.sqlite",
        "labels.sqlite",
        MEMORY_FILE,
        "store/quality.html",
    }
    assert conversations_of(shop, STAYS) == {f"talk {STAYS}"}

    assert erase(shop) == 0  # again: the same receipt, and nothing more to do
    assert json.loads(capsys.readouterr().out)["receipt"] == receipt["receipt"]
    assert cli.main(["erase", "nobody", "--yes", "--shop", str(shop)]) == 2
    assert "nothing is kept of customer 'nobody'" in capsys.readouterr().err


def _count(shop: Path, table: str, who: str) -> int:
    with duckdb.connect(str(shop / STORE), read_only=True) as con:
        column = "customer_id" if table == "events" else '"row"'
        (row,) = con.execute(f"SELECT count(*) FROM {table} WHERE contains({column}, ?)", [who]).fetchall()
    return int(row[0])


@pytest.mark.slow
def test_builds_are_made_anew_without_an_erased_customer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A planted customer, whose number is found only in columns: as text it is also a count."""
    shop = Path(shutil.copytree(shops.built(), tmp_path / "shop"))
    assert cli.main(["erase", "3", "--yes", "--shop", str(shop)]) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["complete"]
    assert receipt["remaining"] == {}
    assert [path.name for path in (shop / "versions").iterdir()] == ["0002"]
    assert erasing.remaining(shop, "3") == {}
    with duckdb.connect(str(shop / "versions" / "0002" / "shop.duckdb"), read_only=True) as con:
        assert con.execute("SELECT count(DISTINCT customer_id) FROM events").fetchall() == [
            (shops.CUSTOMERS - 1,)
        ]


def test_what_is_kept_is_handed_out(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "kept.json"
    assert cli.main(["export", GONE, "--shop", str(shop), "--out", str(out)]) == 0
    told = json.loads(out.read_text(encoding="utf-8"))
    assert out.stat().st_mode & 0o077 == 0
    assert {one["rule"] for one in told["kept_aside"]} == {
        "absurd_quantity",
        "missing_time",
        "malformed_line",
    }
    assert [len(told[name]) for name in ("inbox", "notes", "feedback", "labels")] == [3, 1, 1, 1]
    assert told["labels"][0]["labels"][0]["label"] == "negative"
    assert STAYS not in out.read_text(encoding="utf-8")
    capsys.readouterr()
    assert cli.main(["export", "3", "--shop", str(shop)]) == 0  # one that the build knows
    told = json.loads(capsys.readouterr().out)
    assert {event["customer_id"] for event in told["records"]["events"]} == {"3"}
    assert cli.main(["export", "nobody", "--shop", str(shop)]) == 2


def test_erasing_asks_first(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = holding(shop, GONE)
    assert cli.main(["erase", GONE, "--shop", str(shop)]) == 2
    assert "--yes" in capsys.readouterr().err
    assert holding(shop, GONE) == before


def test_a_store_or_an_inbox_in_use_refuses_with_nothing_changed(shop: Path) -> None:
    before = erasing.remaining(shop, GONE)
    with events.lock(shop / STORE), pytest.raises(BadInput, match="in use"):
        erasing.erase(shop, GONE)
    with versions.build_lock(shop), pytest.raises(BadInput, match="build"):
        erasing.erase(shop, GONE)
    with Inbox(shop, shop / STORE)._applying(), pytest.raises(BadInput, match="being brought in"):
        erasing.erase(shop, GONE)
    assert erasing.remaining(shop, GONE) == before


@pytest.mark.slow
def test_an_erasure_killed_at_any_moment_is_ended_by_the_next(loaded: Path, tmp_path: Path) -> None:
    for n, wait in enumerate((0.05, 0.2, 0.5, 1.0)):
        shop = Path(shutil.copytree(loaded, tmp_path / str(n)))
        others = erasing.remaining(shop, STAYS)
        process = FORK.Process(target=erasing.erase, args=(shop, GONE))
        process.start()
        time.sleep(wait)
        if process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        erasing.erase(shop, GONE)
        assert holding(shop, GONE) <= {MEMORY_FILE, f"{MEMORY_FILE}-wal"}
        assert erasing.remaining(shop, STAYS) == others


def test_what_a_killed_run_had_committed_is_not_lost(shop: Path) -> None:
    """The log of a store that was not closed is written back before the store is written anew."""
    process = FORK.Process(target=_commit_and_die, args=(shop / STORE,))
    process.start()
    process.join()
    assert Path(f"{shop / STORE}.wal").exists()
    erasing.erase(shop, GONE)
    with duckdb.connect(str(shop / STORE), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM names WHERE key = 'kept'").fetchall() == [(1,)]


def _commit_and_die(store: Path) -> None:
    con = duckdb.connect(str(store))
    con.execute("INSERT INTO names VALUES ('category', 'kept', 'Kept', '保留')")
    os.kill(os.getpid(), signal.SIGKILL)


@given(st.text(min_size=1, max_size=12).filter(lambda t: t == t.strip() != ""), st.text(max_size=12))
@settings(max_examples=150, deadline=None)
def test_a_pushed_line_is_its_customers_alone(customer: str, other: str) -> None:
    traces = Traces(customer, {})
    assert traces.line(json.dumps({"customer_id": customer, "text": other}, ensure_ascii=False))
    assert traces.line(json.dumps({"customer_id": other, "text": customer})) == (
        other.strip() in (customer, f"{customer}.0" if customer.isdecimal() else customer)
    )


def test_a_row_is_its_customers_by_the_column_that_its_source_names() -> None:
    traces = Traces("7", {"log.csv": "会员", "products.csv": None})
    assert traces.row("log.csv", "duplicate", {"会员": " 7.0", "qty": "1"})
    assert not traces.row("log.csv", "duplicate", {"会员": "8", "qty": "7"})
    assert not traces.row("products.csv", "duplicate", {"sku": "7"})
    assert traces.row("old.csv", "duplicate", {"who": "7"})  # how it was read is not known
    assert traces.row("log.csv", "robot", {"customer_id": "7"})
    assert traces.row("log.csv", "malformed_line", "x,7,y")
    assert not traces.row("log.csv", "malformed_line", "x,77")
