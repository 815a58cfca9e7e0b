"""The bench's table as people read it."""

from __future__ import annotations

from eval.bench_profiles import MEANINGS, render


def test_rows_of_one_task_stand_together_with_figures_below_each_other_and_told():
    rows = [
        {"part": "p", "task": "churn", "cut": "2017-10-02", "model": "trees", "rows": 2461, "brier": 0.06543},
        {"part": "p", "task": "churn", "cut": "2017-10-02", "model": "a rule", "rows": 2461, "brier": float("nan")},
        {"part": "p", "task": "value", "cut": "2017-10-02", "model": "ridge", "mae": 1234.5},
        {"part": "p: more", "model": "k=5", "noise": None},
    ]  # fmt: skip
    lines = render("p", rows, 61.0).splitlines()
    assert lines[:2] == ["", "p (61 s)"]
    at = lines.index("p, churn, from 2017-10-02")
    assert lines[at + 1 : at + 4] == [
        "         rows   brier",
        "trees   2,461  0.0654",
        "a rule  2,461       –",
    ]
    assert "ridge  1,234" in lines or "ridge  1,235" in lines
    assert lines[lines.index("p: more") + 2] == "k=5      –"
    assert sum("brier: " in line for line in lines) == 1
    assert not any(line.startswith("  rows:") for line in lines)


def test_a_part_that_measured_nothing_says_so():
    assert "nothing to measure" in render("deep", [], 0.2)


def test_every_meaning_is_one_line():
    assert all(meaning and "\n" not in meaning for meaning in MEANINGS.values())
