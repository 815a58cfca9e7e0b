"""What the deep models are given, and what measures them; no torch is needed for it."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.deep import extra, sequences, wordings
from customers.deep.command import render
from customers.deep.recipe import Recipe
from customers.deep.report import report
from customers.errors import BadInput

START = date(2024, 1, 1)


def held(rows: list[tuple[str, int, str, str, int]], categories: tuple[str, ...] = ("A", "B")):
    """Sequences from (customer, day after START, kind, category, count)."""
    table = pd.DataFrame(rows, columns=["customer_id", "day", "kind", "category", "n"])
    table["day"] += (START - date(1970, 1, 1)).days
    return sequences.sequences(table, list(categories))


def day(number: int) -> date:
    return START + timedelta(days=number)


ROWS = [
    ("ann", 0, "purchase", "A", 1),
    ("ann", 5, "browse", "B", 3),
    ("ann", 5, "purchase", "A", 2),
    ("bob", 9, "purchase", "B", 1),
    ("ann", 12, "purchase", "B", 1),
]


def test_sessions_hold_the_newest_last_and_nothing_of_later_days():
    cells, ages = sequences.sessions_at(held(ROWS), np.array([0, 1]), day(9), length=3, cells=2)
    # Cells: 1 + kind * 2 + category, with the kinds "purchase" and "browse".
    assert cells.tolist() == [[[0, 0], [1, 0], [4, 1]], [[0, 0], [0, 0], [2, 0]]]
    assert ages.tolist() == [[-1, 9, 4], [-1, -1, 0]]


def test_a_full_session_keeps_its_most_frequent_cells():
    cells, _ = sequences.sessions_at(held(ROWS), np.array([0]), day(9), length=1, cells=1)
    assert cells.tolist() == [[[4]]]


def test_series_count_events_by_bin_and_outcomes_lie_after_the_cut():
    data, who = held(ROWS), np.array([0, 1])
    series = np.expm1(sequences.series_at(data, who, day(9), bins=3, width=4))
    assert series.shape == (2, 2, 2, 3)
    assert np.round(series[0, 0, 0]).tolist() == [1, 2, 0]  # ann's purchases of A
    assert np.round(series[0, 1, 1]).tolist() == [0, 3, 0]  # ann's looks at B
    assert sequences.bought_after(data, who, day(9)).tolist() == [[0, 1], [0, 0]]
    assert sequences.bought_after(data, who, day(9), days=2).tolist() == [[0, 0], [0, 0]]
    assert sequences.seen_by(data, day(8)).tolist() == [0]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["u", "v", "w"]), st.integers(0, 60), st.sampled_from(["purchase", "browse"]),
            st.sampled_from(["A", "B"]), st.integers(1, 4),
        ),
        min_size=1, max_size=30,
    ),
    st.integers(0, 60),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_what_comes_after_the_cut_changes_no_input(rows, cut):
    rows = [*rows, ("u", 0, "purchase", "A", 1), ("u", 0, "browse", "A", 1)]
    early = held([row for row in rows if row[1] <= cut])
    late = held(rows)
    who = np.arange(len(early.customers))
    same = np.array([late.customers.index(key) for key in early.customers])
    for a, b in zip(
        sequences.sessions_at(early, who, day(cut)), sequences.sessions_at(late, same, day(cut)), strict=True
    ):
        assert np.array_equal(a, b)
    assert np.array_equal(
        sequences.series_at(early, who, day(cut)), sequences.series_at(late, same, day(cut))
    )


def test_sequences_are_saved_and_read_again(tmp_path):
    data = held(ROWS)
    data.save(tmp_path / "kept.npz")
    again = sequences.Sequences.load(tmp_path / "kept.npz")
    assert again.customers == data.customers
    assert again.kinds == ["purchase", "browse"]
    for name in ("customer", "day", "kind", "category", "count"):
        assert np.array_equal(getattr(again, name), getattr(data, name))


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 200)), min_size=60, max_size=200), st.integers(0, 9)
)
@settings(max_examples=40, deadline=None)
def test_a_group_of_copies_is_in_one_part_only(pairs, seed):
    pairs = [*pairs, *((n % 2, 300 + n) for n in range(40))]
    found = wordings.split(
        [str(g) for _, g in pairs], [y for y, _ in pairs], ["no", "yes"], [g for _, g in pairs], "x", seed
    )
    parts = [{pairs[i][1] for i in rows} for rows in (found.train, found.dev, found.test)]
    assert sum(len(part) for part in parts) == len(set.union(*parts))
    assert len(found.train) + len(found.dev) + len(found.test) == len(pairs)


@pytest.mark.parametrize("task", wordings.TASKS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_wording_of_the_test_was_trained_on(task, language):
    found = wordings.simulated(task, language, rows=240, seed=1)
    known = set(found.part(found.train)[0])
    assert not known & set(found.part(found.test)[0])
    for rows in (found.train, found.dev, found.test):
        assert set(found.label[rows]) == set(range(len(found.classes)))
    assert not any("{" in text for text in found.texts)
    assert wordings.simulated(task, language, rows=240, seed=1).texts == found.texts


def test_a_csv_file_with_labels_in_words(tmp_path):
    path = tmp_path / "labels.csv"
    lines = [f"where is parcel {n * 7919} of mine,delivery" for n in range(30)]
    lines += [f"money back for {n * 104729} now please,refund" for n in range(30)]
    path.write_text("text,label\n" + "\n".join(lines), encoding="utf-8")
    found = wordings.from_csv(path)
    assert found.classes == ["delivery", "refund"]
    assert len(found.texts) == 60


@pytest.mark.parametrize(
    ("text", "said"),
    [("text,label\nhello,a\n", "1 texts of 1 classes"), ("", "no column"), (None, "cannot be read")],
)
def test_a_csv_file_that_cannot_be_trained_on(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        wordings.from_csv(path)


def test_the_report_of_known_answers():
    found = report(np.array([0, 0, 1, 1]), np.array([[2.0, 0], [0, 1], [0, 3], [0, 2]]), ["bad", "good"])
    assert found.figures() == {"accuracy": 0.75, "macro_f1": 0.7333, "roc_auc": 1.0, "pr_auc": 1.0}
    assert "bad" in found.table
    assert report(np.array([], dtype=int), np.zeros((0, 2)), ["bad", "good"]).figures() == {}


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch": 0}, {"rate": -1.0}, {"augment": 2.0}])
def test_a_recipe_out_of_bounds_says_so(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        Recipe(**wrong)


def test_without_torch_one_line_says_how_to_mend_it():
    with pytest.raises(BadInput, match=r"pip install 'shopkeeper\[deep\]'"):
        extra.require(("no_such_package_at_all",))
    with pytest.raises(BadInput, match=r"config\.json"):
        extra.encoder_folder(Path("/no/such/folder"))


def test_the_command_line_does_not_load_torch():
    code = "import sys, cli; cli._parser(); import customers.deep.command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_table_shows_the_model_beside_its_bar():
    about = {
        "name": "conv", "trained": 1234, "seconds": 5.0, "best_epoch": 3,
        "test": {"pr_auc": 0.5}, "plain": {"pr_auc": 0.4}, "both": {"pr_auc": 0.6},
    }  # fmt: skip
    assert render(about).splitlines()[2:] == [
        "| held out | pr_auc |", "|---|---|", "| this model | 0.5000 |", "| plain features | 0.4000 |",
        "| both together | 0.6000 |",
    ]  # fmt: skip
