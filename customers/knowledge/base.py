"""The knowledge of one shop put together: what ships, what the shop loaded, and what its conversations taught.

shop/knowledge.sqlite              what was loaded and said (`store`)
shop/knowledge/FINGERPRINT/        made anew from it when it changed: the questions' vectors in Chroma, and the model
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from customers.encoder import MultilingualEncoder
from customers.knowledge import reading, starter, templates
from customers.knowledge.intents import IntentModel, fingerprint
from customers.knowledge.store import KNOWLEDGE_FILE, WORKED, KnowledgeStore, Outcome, Said
from customers.knowledge.values import (
    Inquiry,
    Intent,
    Language,
    Loaded,
    Template,
    intent_of,
    language_of,
    masked,
)
from customers.ports import TextEncoder
from customers.stores.vectors import VectorStore

SURE = 0.7
"""The confidence from which a question is answered without a person."""
IN_SCOPE = 0.5
SAME = 0.95
"""From this cosine on, a question is one that is known."""
ALIKE = 0.85
"""From this cosine on, what failed for one question is not said to the other."""
ANSWERED = 0.8
"""From this cosine on, the answer to a past question answers a new one."""
_COLLECTION = "inquiries"
_FOLDER = "knowledge"
_MAKING, _MAKING_S = ".making-", 3600.0
"""What a folder is called while it is made, and after how many seconds nobody makes it any more."""
_NEAREST = 8
_LEARNED_AT_ONCE = 25
"""The model is made anew once so many more answers worked; until then their questions are known, not learnt from."""
_PERSONAL = re.compile(
    r"\d{3,}|[\w.+-]+@[\w-]+\.\w+|^\s*(?:dear|hi|hello|hey)\s+(?:mr|mrs|ms|dr)?\.?\s*[A-Z][a-z]+"
    r"|[\u3400-\u9fff]{1,3}(?:先生|女士|小姐)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A question in the index, and where it is from."""

    id: str
    source: str
    inquiry: Inquiry


@dataclass(frozen=True, slots=True)
class Similar:
    """A known question near to the one asked; `similarity` is the cosine of their vectors."""

    entry: Entry
    similarity: float


@dataclass(frozen=True)
class Recognised:
    """What a question is about. confidence: the chance (0..1) that it is in scope and about `intent`; `labels` are that
    intent's, with their shares; `near` the nearest known questions."""

    text: str
    language: Language
    intent: str
    confidence: float
    in_scope: float
    labels: dict[str, float]
    near: tuple[Similar, ...] = ()
    vector: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros(0, np.float32), compare=False, repr=False
    )

    @property
    def label(self) -> str:
        """The likeliest answer."""
        return max(self.labels, key=lambda label: self.labels[label])

    @property
    def sure(self) -> bool:
        return self.confidence >= SURE


@dataclass(frozen=True)
class _Index:
    """What was made of the knowledge at one time."""

    revision: str
    entries: dict[str, Entry]
    model: IntentModel
    vectors: VectorStore
    failures: list[tuple[NDArray[np.float32], str]]
    learned: list[tuple[NDArray[np.float32], Entry]] = field(default_factory=list)


class KnowledgeBase:
    """What a shop knows of its customers' questions. Safe to use from several threads.

    folder: the shop's directory. The first question waits while the index is made (some ten seconds), unless an earlier
    process made it.
    """

    def __init__(self, folder: Path, encoder: TextEncoder | None = None) -> None:
        self.folder, self.store = folder, KnowledgeStore(folder / KNOWLEDGE_FILE)
        self._encoder = encoder or MultilingualEncoder()
        self._lock = threading.RLock()
        self._made: _Index | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    # what is known -------------------------------------------------------------------------
    def load(self, path: Path, *, faq: bool = False) -> Loaded:
        """Read a file and keep what it holds, in place of an earlier file of that name. Raises BadInput."""
        loaded = reading.read(path, faq=faq)
        self.store.load(path.name, loaded)
        return loaded

    def forget(self, source: str) -> int:
        """Erase what a file held, and what was made of it; return how many rows."""
        return self._without_index(self.store.forget(source))

    def erase_customer(self, customer: str) -> int:
        """Erase a customer's inquiries, what was said to them and what was made of it; return how many rows."""
        return self._without_index(self.store.erase_customer(customer))

    def erase_session(self, session: str) -> int:
        """Erase what was said in a conversation and what was made of it; return how many rows."""
        return self._without_index(self.store.erase_session(session))

    def _without_index(self, erased: int) -> int:
        """Make the index anew where something in it was erased; it holds vectors, no words."""
        with self._lock:
            kept = {e.id for e in (*_starter_entries(), *self._loaded())} if erased and self._made else set()
            if self._made is not None and kept == self._made.entries.keys():
                self._learn(self._made)
            elif erased:
                self.close()
                shutil.rmtree(self.folder / _FOLDER, ignore_errors=True)
        return erased

    def intent(self, key: str) -> Intent:
        """Return what is known of an intent; one of the shop's own has its name for a title."""
        words = key.replace("_", " ")
        return starter.intents().get(key) or Intent(
            key, {"en": words, "zh": words}, {"en": "Take it up with the customer.", "zh": "与顾客沟通处理。"}
        )

    def slots(self, language: Language) -> dict[str, str]:
        """Return what the shop states of itself, as slots."""
        return {
            f"policy.{key}": policy[language]
            for key, policy in self.store.policies().items()
            if policy[language]
        }

    @property
    def at_hand(self) -> bool:
        """Whether questions are recognised without anything being made first."""
        return self._made is not None or any((self.folder / _FOLDER).glob("*/model.npz"))

    # questions -----------------------------------------------------------------------------
    def recognise(self, text: str, language: Language | None = None) -> Recognised:
        """Return what a question is about."""
        index = self._index()
        vector = self._encoder.encode([masked(text)])
        scores = index.model.scores([masked(text)], vector)
        scope = float(index.model.in_scope(scores)[0])
        shares = dict(
            zip(map(str, index.model.labels_), map(float, index.model.shares(scores)[0]), strict=True)
        )
        near = self._near(index, vector[0])
        known = {s.entry.inquiry.label for s in near if s.similarity >= SAME and s.entry.inquiry.label}
        if len(known) == 1 and (label := known.pop()):
            shares = {k: 0.05 * share for k, share in shares.items()}
            shares[label] = shares.get(label, 0.0) + 0.95
            scope = max(scope, 0.95)
        by_intent: dict[str, float] = {}
        for label, share in shares.items():
            by_intent[intent_of(label)] = by_intent.get(intent_of(label), 0.0) + share
        intent = max(by_intent, key=lambda k: by_intent[k])
        labels = {k: share for k, share in shares.items() if intent_of(k) == intent}
        return Recognised(
            text,
            language or language_of(text),
            intent,
            scope * by_intent[intent],
            scope,
            labels,
            tuple(near),
            vector[0],
        )

    def replies(self, asked: Recognised, tried: Collection[str] = ()) -> list[Template]:
        """Return the replies that suit, the best first, without those that were tried in vain here or failed for a
        question like this."""
        failed = {key for vector, key in self._index().failures if float(vector @ asked.vector) >= ALIKE}
        own = self.store.templates()
        return templates.ranked(
            [*own, *starter.templates()], asked.labels, self.store.records(), language=asked.language,
            own={t.key for t in own}, barred={*tried, *failed},
        )  # fmt: skip

    def answered(self, asked: Recognised, *, for_all: bool) -> list[Similar]:
        """Return the past questions like this one whose answers are known, the nearest first. for_all: only answers
        that may be said to anybody: meant for everybody, or proven and without anything personal."""
        failed = {key for vector, key in self._index().failures if float(vector @ asked.vector) >= ALIKE}
        return [
            s
            for s in asked.near
            if s.similarity >= ANSWERED
            and s.entry.inquiry.answer
            and s.entry.inquiry.good is not False
            and s.entry.inquiry.language == asked.language
            and s.entry.id not in failed
            and (not for_all or is_general(s.entry.inquiry))
        ]

    # what came of it -----------------------------------------------------------------------
    def settle(self, session: str, outcome: Outcome, final: str = "") -> Said | None:
        """Note what came of a conversation's latest answer, and learn from it at once. final: what a person sent."""
        with self._lock:
            said = self.store.settle(session, outcome, final)
            if said is not None and self._made is not None:
                self._learn(self._made)
            return said

    def close(self) -> None:
        """Release the files."""
        with self._lock:
            if self._made is not None:
                self._made.vectors.close()
                self._made = None
            if self._scratch is not None:
                self._scratch.cleanup()
                self._scratch = None

    # the index -----------------------------------------------------------------------------
    def _index(self) -> _Index:
        revision = self.store.revision()
        with self._lock:
            if self._made is None or self._made.revision != revision:
                # The one before is left to those who are reading it.
                self._made = self._make(revision)
                self._learn(self._made)
            return self._made

    def _make(self, revision: str) -> _Index:
        entries = {e.id: e for e in (*_starter_entries(), *self._loaded())}
        texts = [e.inquiry.text for e in entries.values()]
        labels = [f"{e.id} {e.inquiry.label}" for e in entries.values()]
        home = self._home() / fingerprint(texts, labels)
        if not (home / "model.npz").is_file():
            self._write(home, list(entries.values()))
        model = IntentModel.load(home / "model.npz", self._encoder)
        return _Index(revision, entries, model, VectorStore(home / "chroma"), [])

    def _write(self, home: Path, entries: Sequence[Entry]) -> None:
        """Make vectors and model in a folder of their own, and put it in place whole; the ones before go."""
        fresh = Path(tempfile.mkdtemp(prefix=_MAKING, dir=home.parent))
        try:
            texts = [masked(e.inquiry.text) for e in entries]
            vectors = self._encoder.encode(texts)
            labelled = [i for i, e in enumerate(entries) if e.inquiry.label]
            outside = [o.text for o in starter.outside()]
            model = IntentModel(self._encoder).fit(
                [texts[i] for i in labelled],
                [entries[i].inquiry.label for i in labelled],
                outside,
                vectors=np.concatenate([vectors[labelled], self._encoder.encode(outside)]),
            )
            model.save(fresh / "model.npz")
            store = VectorStore(fresh / "chroma")
            keys, told = (
                [e.id for e in entries],
                [{"source": e.source, "label": e.inquiry.label} for e in entries],
            )
            store.write(_COLLECTION, keys, vectors, told)
            store.close()
            for old in home.parent.iterdir():
                making = old.name.startswith(_MAKING) and time.time() - old.stat().st_mtime < _MAKING_S
                if old.is_dir() and not making:
                    shutil.rmtree(old, ignore_errors=True)
            if not home.exists():
                os.replace(fresh, home)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _home(self) -> Path:
        """The folder of the index: the shop's, or a passing one where that cannot be written."""
        home = self.folder / _FOLDER
        try:
            home.mkdir(parents=True, exist_ok=True)
            if os.access(home, os.W_OK):
                return home
        except OSError:
            pass
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="shopkeeper-knowledge-")
        return Path(self._scratch.name)

    def _loaded(self) -> list[Entry]:
        loaded = [Entry(f"i{i}", source, inquiry) for i, source, inquiry in self.store.inquiries()]
        worked = self.store.learned()
        return [*loaded, *map(_learned, worked[: len(worked) // _LEARNED_AT_ONCE * _LEARNED_AT_ONCE])]

    def _learn(self, index: _Index) -> None:
        """Take in what worked as known questions, and what failed as barred."""
        worked, failed = self.store.learned(), self.store.failures()
        known, barred = (
            self._encoder.encode([masked(s.question) for s in said]) for said in (worked, failed)
        )
        index.learned[:] = zip(known, map(_learned, worked), strict=True)
        index.failures[:] = zip(barred, (s.key for s in failed), strict=True)

    def _near(self, index: _Index, vector: NDArray[np.float32]) -> list[Similar]:
        found = [
            Similar(index.entries[n.key], n.similarity)
            for n in index.vectors.nearest(_COLLECTION, vector, _NEAREST)
        ]
        found += [Similar(entry, float(own @ vector)) for own, entry in index.learned]
        return sorted(found, key=lambda s: -s.similarity)[:_NEAREST]

    @cached_property
    def intents(self) -> list[str]:
        """The intents that are known, in the starter set's order and then by name."""
        own = sorted(
            {intent_of(i.label) for _, _, i in self.store.inquiries() if i.label} - set(starter.intents())
        )
        return [*starter.intents(), *own]


def is_general(inquiry: Inquiry) -> bool:
    """Whether an answer may be said to anybody: the shop says so, or it helped and holds nothing of one customer
    (numbers, addresses, a salutation by name)."""
    return inquiry.faq or (inquiry.good is True and is_plain(inquiry.answer))


def is_plain(answer: str) -> bool:
    """Whether an answer holds nothing of one customer."""
    return not _PERSONAL.search(answer)


def _starter_entries() -> list[Entry]:
    return [Entry(f"s{n}", starter.SOURCE, inquiry) for n, inquiry in enumerate(starter.inquiries())]


def _learned(said: Said) -> Entry:
    """A question whose answer worked, with its label; where a person sent words of their own, with those, which nobody
    has rated yet."""
    worked = said.outcome in WORKED
    past = said.text if said.key[:1] in ("i", "l") and said.key[1:].isdigit() else ""
    inquiry = Inquiry(
        said.question, language_of(said.question), said.label if worked else "", said.final or past, said.customer,
        good=True if worked else None,
    )  # fmt: skip
    return Entry(f"l{said.id}", "learned", inquiry)
