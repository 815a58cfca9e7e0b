"""Labelled texts to train on, without torch: reviews of a shop or a CSV file, and the simulator's wordings.

Copies of a text are never on both sides of a split, nor are two texts made of the same wording: what a test
measures is how a model takes words that it was not trained on.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from customers.errors import BadInput

Task = Literal["reviews", "inquiries"]
TASKS: tuple[Task, ...] = ("reviews", "inquiries")
SHARES = (0.6, 0.15, 0.25)
GOOD_BAD = ["bad", "good"]
_LEAST = 40
_THINGS = {
    "en": ("lamp", "frying pan", "phone case", "tea set", "running shoe", "backpack", "desk", "kettle"),
    "zh": ("台灯", "平底锅", "手机壳", "茶具", "跑鞋", "背包", "书桌", "水壶"),
}
_WEEKDAYS = {"en": ("Monday", "Thursday", "Saturday"), "zh": ("周一", "周四", "周六")}


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts, the number of each one's class in `classes`, and rows of train, dev and test, ascending."""

    texts: list[str]
    label: NDArray[np.int64]
    classes: list[str]
    train: NDArray[np.int64]
    dev: NDArray[np.int64]
    test: NDArray[np.int64]
    source: str

    def part(self, rows: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
        """Texts and labels of some rows."""
        return [self.texts[i] for i in rows], self.label[rows]


def split(
    texts: Sequence[str],
    label: Sequence[int],
    classes: list[str],
    group: Sequence[int],
    source: str,
    seed: int = 0,
) -> Labelled:
    """Split whole groups into train, dev and test, class by class. Raises BadInput where a class would be
    missing from one of them."""
    labels, groups = np.asarray(label, dtype=np.int64), np.asarray(group)
    chance = np.random.default_rng(seed)
    part = np.zeros(len(labels), dtype=np.int64)
    for kind in range(len(classes)):
        # A group goes where its first text's class sends it.
        own = np.array(
            [g for g in np.unique(groups[labels == kind]) if labels[np.argmax(groups == g)] == kind]
        )
        chance.shuffle(own)
        ends = np.ceil(np.cumsum(SHARES)[:2] * len(own)).astype(int)
        for number, chosen in enumerate(np.split(own, ends)):
            part[np.isin(groups, chosen)] = number
    train, dev, test = (np.flatnonzero(part == number) for number in range(3))
    if any(len(np.unique(labels[found])) < len(classes) for found in (train, dev, test)):
        raise BadInput(f"{source}: a class has too few different texts to split; label more of each")
    return Labelled(list(texts), labels, classes, train, dev, test, source)


def shop_reviews(store: Path, language: str | None = None, limit: int = 8000) -> Labelled:
    """A shop's reviews with stars: 4 and 5 good, 1 and 2 bad. Raises BadInput where there are too few."""
    from customers.features.sentiment.labelled import duplicate_groups
    from customers.features.sentiment.reading import language_of
    from customers.stores.events import open_store

    opened = open_store(store)
    try:
        rows = opened.backend.con.execute(
            "SELECT text, rating FROM events WHERE kind = 'review' AND length(trim(text)) > 0 AND rating <> 3"
            " AND rating BETWEEN 1 AND 5 ORDER BY hash(event_id) LIMIT ?",
            [8 * limit],
        ).fetchall()
    finally:
        opened.close()
    kept = [(t, int(stars > 3)) for t, stars in rows if language is None or language_of(t) == language][
        :limit
    ]
    if len(kept) < _LEAST:
        raise BadInput(f"{store}: {len(kept)} reviews with text and stars; training needs {_LEAST} at least")
    found = [text for text, _ in kept]
    return split(
        found, [y for _, y in kept], GOOD_BAD, duplicate_groups(found).tolist(), "the shop's reviews"
    )


def from_csv(path: Path, seed: int = 0) -> Labelled:
    """A CSV file with a text and a label in words, or reviews with stars. Raises BadInput where it is not so."""
    from customers.features.sentiment.labelled import duplicate_groups, read_reviews

    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            header = next(csv.reader(handle), [])
            handle.seek(0)
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read as a CSV file in UTF-8 ({error})") from error
    lower = {name.strip().lower(): name for name in header}
    if "text" in lower and "label" in lower:
        pairs = [(row[lower["text"]], row[lower["label"]]) for row in rows]
        kept = [
            (text.strip(), label.strip())
            for text, label in pairs
            if (text or "").strip() and (label or "").strip()
        ]
        classes = sorted({label for _, label in kept})
        found = [text for text, _ in kept]
        labels = [classes.index(label) for _, label in kept]
    else:
        reviews = read_reviews(path, "en")
        clear = np.flatnonzero(~np.isnan(reviews.positive))
        classes, found = GOOD_BAD, [reviews.texts[i] for i in clear]
        labels = reviews.positive[clear].astype(int).tolist()
    if len(found) < _LEAST or len(classes) < 2:
        raise BadInput(
            f"{path}: {len(found)} texts of {len(classes)} classes; it needs {_LEAST} of two at least"
        )
    return split(found, labels, classes, duplicate_groups(found).tolist(), path.name, seed)


def simulated(task: Task, language: str = "en", rows: int = 1200, seed: int = 0) -> Labelled:
    """Reviews or inquiries put together from the simulator's wordings; each wording is in one part only."""
    from customers.simulate import texts as said

    chance = np.random.default_rng(seed)
    if task == "inquiries":
        classes = said.intents()
        banks = {n: said.questions()[intent, language] for n, intent in enumerate(classes)}
    else:
        classes = GOOD_BAD
        phrases = said.phrases()
        banks = {n: [*phrases[language, s], *phrases[language, 2 * s]] for n, s in enumerate((-1, 1))}
    label: list[int] = []
    group: list[int] = []
    found: list[str] = []
    pools = {n: _pools(bank, chance) for n, bank in banks.items()}
    for part, share in enumerate(SHARES):
        for n in range(len(classes)):
            for _ in range(max(2, round(share * rows / len(classes)))):
                found.append(_worded(task, language, pools, n, part, chance))
                label.append(n)
                group.append(part)
    labels, parts = np.array(label), np.array(group)
    order = chance.permutation(len(found))
    texts = [found[i] for i in order]
    train, dev, test = (np.flatnonzero(parts[order] == part) for part in range(3))
    return Labelled(texts, labels[order], classes, train, dev, test, f"simulated {task} ({language})")


def _pools(bank: Sequence[str], chance: np.random.Generator) -> list[list[str]]:
    """The wordings of a class for train, dev and test; each gets one at least."""
    order = [str(bank[i]) for i in chance.permutation(len(bank))]
    dev, test = max(1, round(SHARES[1] * len(order))), max(1, round(SHARES[2] * len(order)))
    return [order[dev + test :], order[:dev], order[dev : dev + test]]


def _worded(
    task: Task, language: str, pools: dict, label: int, part: int, chance: np.random.Generator
) -> str:
    def one(options: Sequence[str]) -> str:
        return options[int(chance.integers(len(options)))]

    text = one(pools[label][part])
    if task == "reviews":
        and_, but = ("。", "，但是") if language == "zh" else (". ", ", but ")
        draw = chance.random()
        if draw < 0.3:
            text = one(pools[1 - label][part]) + but + text
        elif draw < 0.7:
            text = text + and_ + one(pools[label][part])
    fills = {"thing": one(_THINGS[language]), "type": one(_THINGS[language]), "n": str(chance.integers(2, 10)),
             "order": f"{chance.integers(10**7, 10**8)}", "weekday": one(_WEEKDAYS[language])}  # fmt: skip
    for name, value in fills.items():
        text = text.replace(f"{{{name}}}", value)
    return text
