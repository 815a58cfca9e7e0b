"""Feedback on recommendations: kept once, obeyed at once, erased without a trace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from customers.errors import BadInput
from customers.stores.feedback import DISMISSED_DAYS, FeedbackEvent, FeedbackStore

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path / "feedback.sqlite", lambda: NOW)


def event(
    key: str, action: Any, product: str = "p1", days: float = 0, customer: str = "c1", **more
) -> FeedbackEvent:
    return FeedbackEvent(key, customer, product, action, NOW - timedelta(days=days), **more)


def test_reading_makes_no_file(store: FeedbackStore) -> None:
    assert (store.of("c1"), store.log(), store.turned_down("c1"), store.counts(), store.count("c1")) == (
        [],
        [],
        {},
        {},
        0,
    )
    assert store.erase_customer("c1") == 0
    assert not store.path.exists()


def test_an_event_comes_back_as_it_was_given(store: FeedbackStore) -> None:
    given = event("e1", "clicked", session="s", context={"rank": 2, "chance": 0.25})
    assert store.record(given)
    assert store.of("c1") == [given]
    assert store.counts() == {"clicked": 1}


def test_the_same_event_again_changes_nothing(store: FeedbackStore) -> None:
    assert store.record(event("e1", "clicked"))
    assert not store.record(event("e1", "clicked"))
    assert store.count("c1") == 1


def test_an_id_belongs_to_one_event_and_a_batch_is_kept_whole_or_not(store: FeedbackStore) -> None:
    store.record(event("e1", "clicked"))
    with pytest.raises(BadInput, match="e1"):
        store.record_all([event("e2", "shown"), event("e1", "never")])
    assert store.count("c1") == 1


def test_never_holds_until_it_is_taken_back(store: FeedbackStore) -> None:
    store.record(event("e1", "never", days=400))
    assert store.turned_down("c1") == {"p1": ("never", NOW - timedelta(days=400))}
    assert store.never("p1") == ["c1"]
    store.record(event("e2", "again", days=1))
    assert store.turned_down("c1") == {}
    assert store.never("p1") == []


def test_a_dismissal_ends_after_its_days_and_never_weakens_a_never(store: FeedbackStore) -> None:
    store.record_all(
        [event("e1", "dismissed", "old", days=DISMISSED_DAYS + 1), event("e2", "dismissed", "new", days=1)]
    )
    store.record_all([event("e3", "never", "both", days=3), event("e4", "dismissed", "both", days=2)])
    assert {product: action for product, (action, _) in store.turned_down("c1").items()} == {
        "new": "dismissed", "both": "never",
    }  # fmt: skip


def test_times_are_ordered_across_zones(store: FeedbackStore) -> None:
    east = datetime(2026, 5, 1, 19, tzinfo=timezone(timedelta(hours=8)))  # 11:00 UTC
    store.record(FeedbackEvent("e2", "c1", "p1", "again", NOW))
    store.record(FeedbackEvent("e1", "c1", "p1", "never", east))
    assert [e.id for e in store.log()] == ["e1", "e2"]
    assert store.turned_down("c1") == {}
    assert [e.id for e in store.log(since=NOW)] == ["e2"]


def test_erasing_leaves_nothing_of_a_customer_in_the_file(store: FeedbackStore) -> None:
    store.record_all([event(f"e{n}", "shown", f"secret-{n}") for n in range(50)])
    store.record(event("other", "shown", customer="c2"))
    assert store.erase_customer("c1") == 50
    assert (store.count("c1"), store.count("c2")) == (0, 1)
    left = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    assert b"secret-" not in left


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"key": ""}, "id"),
        ({"product": " "}, "product_id"),
        ({"customer": "c" * 300}, "300 characters"),
        ({"action": "liked"}, "liked"),
        ({"context": {"chance": 0}}, "chance"),
        ({"context": {"x": float("nan")}}, "plain JSON"),
        ({"context": {"x": "y" * 3000}}, "at most"),
    ],
)
def test_what_is_no_event_is_refused_in_one_line(store: FeedbackStore, wrong: dict, said: str) -> None:
    given: dict[str, Any] = {"key": "e1", "action": "shown"} | wrong
    with pytest.raises(BadInput, match=said) as caught:
        store.record(event(**given))
    assert "\n" not in str(caught.value)
    assert not store.path.exists()
