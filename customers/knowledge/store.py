"""What a shop loaded and what its conversations taught, in one small SQLite file beside the builds.

    shop/knowledge.sqlite     made by the first load or answer, readable by its owner only

How it is opened, and how what is erased leaves no trace, stands in `customers.stores.sqlite`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from customers.errors import BadInput
from customers.knowledge.values import Inquiry, Loaded, Policy, Record, Template
from customers.stores.sqlite import SqliteFile

KNOWLEDGE_FILE = "knowledge.sqlite"
_VERSION = 1
_SCHEMA = (
    "CREATE TABLE inquiries (id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, text TEXT NOT NULL,"
    " language TEXT NOT NULL, label TEXT NOT NULL, answer TEXT NOT NULL, customer TEXT NOT NULL, faq INTEGER NOT NULL,"
    " good INTEGER)",
    "CREATE TABLE templates (id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, key TEXT NOT NULL,"
    " label TEXT NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL, human INTEGER NOT NULL, rank INTEGER NOT NULL)",
    "CREATE TABLE policies (key TEXT PRIMARY KEY, source TEXT NOT NULL, en TEXT NOT NULL, zh TEXT NOT NULL)",
    "CREATE TABLE said (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, session TEXT NOT NULL,"
    " customer TEXT NOT NULL, language TEXT NOT NULL, question TEXT NOT NULL, intent TEXT NOT NULL,"
    " label TEXT NOT NULL, key TEXT NOT NULL, action TEXT NOT NULL, text TEXT NOT NULL,"
    " outcome TEXT NOT NULL DEFAULT '', final TEXT NOT NULL DEFAULT '')",
    "CREATE INDEX said_in ON said (session, id)",
    "CREATE INDEX said_of ON said (key, outcome)",
)
_INQUIRY = "text, language, label, answer, customer, faq, good"

Outcome = Literal["good", "sent", "bad", "changed", "resolved"]
"""good, bad: rated so. sent: a person sent our draft as it was. changed: they sent other words. resolved: the
conversation was closed, which says nothing of the answer."""
WORKED: tuple[Outcome, ...] = ("good", "sent")
FAILED: tuple[Outcome, ...] = ("bad", "changed")


@dataclass(frozen=True, slots=True)
class Said:
    """One answer that was given or drafted: to what, by which reply, and what came of it."""

    id: int
    at: datetime
    session: str
    customer: str
    language: str
    question: str
    intent: str
    label: str
    key: str
    action: str
    text: str
    outcome: str = ""
    final: str = ""


class KnowledgeStore:
    """The knowledge of one shop. Safe to use from several threads and processes; nothing is held open."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path, self._clock = path, clock
        self._file = SqliteFile(path, _SCHEMA, _VERSION)

    # loads ---------------------------------------------------------------------------------
    def load(self, source: str, loaded: Loaded) -> None:
        """Keep what a file held under its name, in place of what an earlier one of that name held."""
        with self._file.writing() as con:
            for table in ("inquiries", "templates", "policies"):
                con.execute(f"DELETE FROM {table} WHERE source = ?", [source])
            con.executemany(
                f"INSERT INTO inquiries (source, {_INQUIRY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (source, i.text, i.language, i.label, i.answer, i.customer, i.faq, i.good)
                    for i in loaded.inquiries
                ],
            )
            con.executemany(
                "INSERT INTO templates (source, key, label, language, text, human, rank) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(source, t.key, t.label, t.language, t.text, t.human, t.rank) for t in loaded.templates],
            )
            con.executemany(
                "INSERT OR REPLACE INTO policies (key, source, en, zh) VALUES (?, ?, ?, ?)",
                [(p.key, source, p.en, p.zh) for p in loaded.policies],
            )

    def sources(self) -> list[tuple[str, int, int, int, int]]:
        """Return (file, inquiries, of these labelled, templates, policies) of what was loaded."""
        return [
            (str(source), int(inquiries), int(labelled), int(templates), int(policies))
            for source, inquiries, labelled, templates, policies in self._file.rows(
                "SELECT source, sum(i), sum(l), sum(t), sum(p) FROM ("
                "SELECT source, 1 i, label <> '' l, 0 t, 0 p FROM inquiries UNION ALL "
                "SELECT source, 0, 0, 1, 0 FROM templates UNION ALL SELECT source, 0, 0, 0, 1 FROM policies)"
                " GROUP BY source ORDER BY source"
            )
        ]

    def revision(self) -> str:
        """Return what changes with every load and erasure of loaded inquiries."""
        rows = self._file.rows("SELECT count(*), coalesce(max(id), 0) FROM inquiries")
        return "-".join(map(str, rows[0])) if rows else ""

    def inquiries(self) -> list[tuple[str, str, Inquiry]]:
        """Return (id, file, inquiry) of all that were loaded, in order."""
        rows = self._file.rows(f"SELECT id, source, {_INQUIRY} FROM inquiries ORDER BY id")
        return [
            (
                str(i),
                source,
                Inquiry(
                    text, language, label, answer, customer, bool(faq), None if good is None else bool(good)
                ),
            )
            for i, source, text, language, label, answer, customer, faq, good in rows
        ]

    def templates(self) -> list[Template]:
        rows = self._file.rows("SELECT key, label, language, text, human, rank FROM templates ORDER BY id")
        return [
            Template(key, label, language, text, bool(human), rank)
            for key, label, language, text, human, rank in rows
        ]

    def policies(self) -> dict[str, Policy]:
        return {
            row[0]: Policy(*row) for row in self._file.rows("SELECT key, en, zh FROM policies ORDER BY key")
        }

    def forget(self, source: str) -> int:
        """Erase what a file held; return how many rows."""
        return self._erase([(t, "source", source) for t in ("inquiries", "templates", "policies")])

    def erase_customer(self, customer: str) -> int:
        """Erase a customer's inquiries and all that was said to them; return how many rows."""
        return (
            self._erase([("inquiries", "customer", customer), ("said", "customer", customer)])
            if customer
            else 0
        )

    def erase_session(self, session: str) -> int:
        """Erase what was said in a conversation; return how many rows."""
        return self._erase([("said", "session", session)])

    def _erase(self, what: list[tuple[str, str, str]]) -> int:
        if not self.path.exists():
            return 0
        with self._file.writing() as con:
            count = sum(
                con.execute(f"DELETE FROM {t} WHERE {c} = ?", [value]).rowcount for t, c, value in what
            )
        self._file.scrub()
        return count

    # what was said -------------------------------------------------------------------------
    def say(
        self, *, session: str, customer: str, language: str, question: str, intent: str, label: str, key: str,
        action: str, text: str,
    ) -> int:  # fmt: skip
        """Note an answer, given or drafted; return its number."""
        row = (
            self._clock().astimezone(UTC).isoformat(),
            session,
            customer,
            language,
            question,
            intent,
            label,
            key,
            action,
            text,
        )
        with self._file.writing() as con:
            made = con.execute(
                "INSERT INTO said (at, session, customer, language, question, intent, label, key, action, text)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid
        assert made is not None
        return made

    def unsay(self, said: Said) -> None:
        """Take back an answer that never reached anybody."""
        with self._file.writing() as con:
            con.execute("DELETE FROM said WHERE id = ?", [said.id])

    def settle(self, session: str, outcome: Outcome, final: str = "") -> Said | None:
        """Note what came of a conversation's latest answer; return it, or None where nothing was said. A rating
        stands over what a later closing says."""
        if outcome not in get_args(Outcome):
            raise BadInput(f"there is no outcome {outcome!r}; take one of {', '.join(get_args(Outcome))}")
        if not (told := self.of(session)):
            return None
        latest = told[-1]
        if outcome != "resolved" or not latest.outcome:
            with self._file.writing() as con:
                con.execute(
                    "UPDATE said SET outcome = ?, final = ? WHERE id = ?", [outcome, final, latest.id]
                )
        return latest

    def of(self, session: str) -> list[Said]:
        """Return what was said in a conversation, in order."""
        return self._said("session = ?", [session])

    def learned(self) -> list[Said]:
        """Return the answers that worked, and those that a person replaced by words that are known, in order."""
        return self._said(
            f"outcome IN ({_marks(WORKED)}) OR (outcome = 'changed' AND final <> '')", [*WORKED]
        )

    def failures(self) -> list[Said]:
        """Return the answers that failed, in order."""
        return self._said(f"outcome IN ({_marks(FAILED)})", [*FAILED])

    def records(self) -> dict[str, Record]:
        """Return how often each reply worked and failed, by its key."""
        rows = self._file.rows(
            f"SELECT key, sum(outcome IN ({_marks(WORKED)})), sum(outcome IN ({_marks(FAILED)})) FROM said"
            " WHERE key <> '' AND outcome <> '' GROUP BY key",
            [*WORKED, *FAILED],
        )
        return {key: Record(int(worked), int(failed)) for key, worked, failed in rows}

    def _said(self, where: str, params: list[str]) -> list[Said]:
        rows = self._file.rows(
            "SELECT id, at, session, customer, language, question, intent, label, key, action, text, outcome, final"
            f" FROM said WHERE {where} ORDER BY id",
            params,
        )
        return [Said(row[0], datetime.fromisoformat(row[1]), *row[2:]) for row in rows]


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))
