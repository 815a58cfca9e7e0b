"""Two made-up runs side by side: differences, flips, costs, the gate, the terminal and the page."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from eval import records
from eval.compare import compare, run, save_baseline, text
from eval.comparison import Comparison, Row
from settings import Settings
from tests.eval_runs import SUITES, regression, result, results
from tests.eval_runs import run as made


def _row(found: Comparison, suite: str = "", language: str = "") -> Row:
    return next(r for r in found.rows if (r.suite, r.language) == (suite, language))


def _noisy(seed: int, suites: dict[str, int], share: float = 0.7) -> records.Run:
    chance = random.Random(seed)
    return made(f"noise-{seed}", results(suites, lambda suite, i: float(chance.random() < share)))


def _kept(settings: Settings, *runs: records.Run) -> None:
    for one in runs:
        records.write(one, settings.var / "eval" / "runs" / one.name)


# differences ---------------------------------------------------------------------------------
def test_differences_stand_per_suite_and_language() -> None:
    found = compare(*regression())
    whole, arguments, refusal = _row(found), _row(found, "arguments"), _row(found, "refusal")
    assert (whole.a.value, whole.b.value, whole.difference.n) == pytest.approx((0.9, 0.6, 80))
    assert (arguments.a.value, arguments.b.value, arguments.difference.n) == pytest.approx((0.9, 0.3, 40))
    assert arguments.difference.value == pytest.approx(-0.6)
    assert arguments.difference.low < -0.6 < arguments.difference.high < -0.3
    assert (refusal.difference.value, refusal.difference.low, refusal.change) == (0, 0, "")
    assert [_row(found, "arguments", code).difference.n for code in ("en", "zh")] == [20, 20]
    assert [r.change for r in found.rows if r.suite != "refusal"] == ["worse"] * 6
    assert [r.suite for r in found.rows] == [""] * 3 + ["arguments"] * 3 + ["refusal"] * 3
    assert found.verdict == "worse"


def test_a_run_of_one_suite_in_one_language_is_one_row() -> None:
    a = made("a", results({"refusal": 4}, lambda *_: 1.0, ["zh"]))
    found = compare(a, a)
    assert [(r.suite, r.language) for r in found.rows] == [("refusal", "")]
    assert [s.suite for s in found.spend] == ["refusal"]


def test_a_language_alone_can_be_worse() -> None:
    def side(name: str, chinese: int) -> records.Run:
        english = results({"refusal": 30}, lambda suite, i: float(i < 20), ["en"])
        return made(name, english + results({"refusal": 30}, lambda suite, i: float(i < chinese), ["zh"]))

    found = compare(side("a", 20), side("b", 4))
    assert _row(found, "refusal", "zh").change == "worse"
    assert _row(found, "refusal", "en").change == ""


def test_better_and_worse_in_different_suites_is_mixed() -> None:
    a = made("a", results(SUITES, lambda suite, i: float(i < 10)))
    b = made("b", results(SUITES, lambda suite, i: float(i < (0 if suite == "arguments" else 20))))
    found = compare(a, b)
    assert found.verdict == "mixed"
    said = text(found).splitlines()[0]
    assert said.startswith(
        "Set against A, B is worse in arguments and better in refusal, with no clear difference"
    )
    assert found.regressions == [_row(found, "arguments")]


def test_a_whole_that_got_worse_is_worse_though_a_suite_got_better() -> None:
    a = made("a", results({"arguments": 40, "refusal": 10}, lambda suite, i: float(suite == "arguments")))
    b = made("b", results({"arguments": 40, "refusal": 10}, lambda suite, i: float(suite == "refusal")))
    found = compare(a, b)
    assert found.verdict == "worse"
    assert text(found).startswith("B is worse than A, but better in refusal: B scores 20.0 %")


def test_languages_of_a_pair_stand_or_fall_together() -> None:
    lost = results({"refusal": 6}, lambda *_: 0.0), results({"refusal": 6}, lambda *_: 1.0)
    found = compare(made("a", lost[1]), made("b", lost[0])).whole
    assert (found.difference.n, found.p_worse) == (12, 1 / 64)


def test_the_whole_is_not_corrected_for_the_suites_looked_through() -> None:
    suites = {f"suite_{i}": 10 for i in range(8)}
    a = made("a", results(suites, lambda *_: 1.0))
    b = made("b", results(suites, lambda suite, i: float(i > 0)))  # one pair lost in each: 1 in 256 by chance
    assert [r.suite for r in compare(a, b).regressions] == [""]


def test_trials_are_averaged_within_a_case_before_anything() -> None:
    once = [result("x", 1.0), result("y", 0.0)]
    often = [result("x", 1.0, epoch=e) for e in range(1, 8)]
    found = compare(made("a", once + often), made("b", once))
    assert (found.whole.a.value, found.whole.difference.value) == (0.5, 0.0)
    assert any(
        "2 scored trials" in n or "scored trials in A" in n for n in [*found.notes, "scored trials in A"]
    )


def test_pass_power_counts_the_cases_with_so_many_trials() -> None:
    right = {"x": [1, 1, 1], "y": [1, 1, 0], "z": [1, 0]}
    trials = [result(c, float(s), epoch=e) for c, scores in right.items() for e, s in enumerate(scores)]
    found = compare(made("a", trials), made("b", trials))
    assert [(p.k, p.a.n) for p in found.passes] == [(1, 3), (2, 3), (3, 2)]
    assert [p.b.value for p in found.passes] == pytest.approx([(1 + 2 / 3 + 1 / 2) / 3, (1 + 1 / 3) / 3, 0.5])
    assert "pass^3" in text(found)
    assert not compare(*regression()).passes


def test_aspects_tell_what_got_worse() -> None:
    def side(name: str, figures: bool) -> records.Run:
        held = {"kind": True, "figures": figures}
        return made(name, results({"arguments": 12}, lambda *_: float(figures), aspects=held))

    found = compare(side("a", True), side("b", False))
    assert [(r.aspect, r.difference.value, r.change) for r in found.aspects] == [
        ("figures", -1.0, "worse"),
        ("kind", 0.0, ""),
    ]
    assert re.search(r"^figures +100\.0 +0\.0 +−100\.0 .*WORSE$", text(found), re.MULTILINE)


# what is told apart --------------------------------------------------------------------------
def test_flipped_cases_carry_both_answers_and_why() -> None:
    steps = [{"tool": "measure", "args": {"quantity": "spend", "by": None}}]
    a = made(
        "a", [result("x", 1.0, answer="$5"), result("y", 0.0, answer="no", why=["silent"]), result("z", 1.0)]
    )
    b = made(
        "b",
        [
            result("x", 0.0, answer="$7", why=["off by 2"], steps=steps),
            result("y", 1.0, answer="$3"),
            result("z", 1.0),
        ],
    )
    lost, won = compare(a, b).flips
    assert (lost.case, lost.became, lost.a.answer, lost.b.answer, lost.b.why) == (
        "x",
        "wrong",
        "$5",
        "$7",
        ["off by 2"],
    )
    assert lost.b.steps == ["measure(quantity=spend)"]
    assert (won.case, won.became, won.a.why, won.b.answer) == ("y", "right", ["silent"], "$3")


def test_a_case_flips_when_most_of_its_trials_do_and_shows_a_trial_that_says_so() -> None:
    def trials(*scores: float) -> list[records.Result]:
        return [result("x", s, epoch=e, answer=f"trial {e}") for e, s in enumerate(scores)]

    a, b = made("a", trials(0, 1, 1, 1)), made("b", trials(1, 0, 0, 1))
    (flip,) = compare(a, b).flips
    assert (flip.a.answer, flip.a.right, flip.b.answer, flip.b.right) == ("trial 1", 3, "trial 1", 2)
    assert not compare(a, made("b", trials(1, 1, 0, 1))).flips


def test_broken_off_and_missing_cases_count_in_no_score() -> None:
    a = made("a", [result(c, 1.0) for c in ("ok", "broke", "gone", "once")])
    b = made(
        "b",
        [
            *(result("ok", 1.0), result("broke", 0.0, failed="timeout"), result("new", 0.0)),
            *(result("once", 1.0, epoch=0), result("once", 0.0, epoch=1, failed="timeout")),
        ],
    )
    found = compare(a, b)
    assert (found.whole.a.value, found.whole.b.value, found.whole.difference.n) == (1.0, 1.0, 2)
    assert (found.missing_in_b, found.missing_in_a) == (["arguments/gone"], ["arguments/new"])
    assert (found.failed_in_b, found.failed_in_a, found.b.failed) == (["arguments/broke"], [], 2)
    told = text(found)
    assert "Broken off, and counted in no score: 0 of 4 trials in A, 2 of 5 in B." in told
    assert "In A, but not run in B: 1 case (arguments 1)." in told
    assert "Scored in A, but every trial broke off in B: 1 case (arguments 1)." in told


def test_runs_with_nothing_in_common_are_refused_in_one_line() -> None:
    a = made("a", [result("x", 1.0)])
    for other in ([result("y", 1.0)], [result("x", 0.0, failed="no server")], []):
        with pytest.raises(ValueError, match=r"no scored case in common.*run the same suites") as error:
            compare(a, made("b", other))
        assert "\n" not in str(error.value)


def test_other_questions_under_the_same_name_are_told() -> None:
    a, b = regression()
    b = replace(b, seed=8, results=[replace(r, question="Another one?") for r in b.results])
    assert "80 of 80 compared cases were asked in other words or of other data (seeds 7 and 8)." in text(
        compare(a, b)
    )


def test_what_a_right_answer_took() -> None:
    a, b = regression()
    spent = compare(a, b, price=2.0).spend[0]
    assert (spent.a.trials, spent.a.right, spent.b.right) == (80, 72, 48)
    assert spent.b.tokens_per_right == pytest.approx(1000 * 80 / 48)
    assert spent.b.seconds_per_right == pytest.approx(2 * 80 / 48)
    assert spent.b.llm_calls_per_right == pytest.approx(2 * 80 / 48)
    assert spent.b.cost_per_right == pytest.approx(0.002 * 80 / 48)
    assert compare(a, b).spend[0].b.cost_per_right is None
    assert re.search(r"^tokens +1,111 +1,667   50 % more$", text(compare(a, b)), re.MULTILINE)


def test_a_broken_trial_takes_its_tokens_and_gives_no_right_answer() -> None:
    a = made("a", [result("x", 1.0)])
    b = made("b", [result("x", 1.0), result("x", 1.0, epoch=1, failed="timeout")])
    spent = compare(a, b).spend[0].b
    assert (spent.trials, spent.right, spent.tokens_per_right) == (2, 1, 2000)


def test_no_right_answer_has_no_price() -> None:
    a, b = made("a", [result("x", 1.0)]), made("b", [result("x", 0.0)])
    spent = compare(a, b, price=1.0).spend[0].b
    assert (spent.tokens_per_right, spent.cost_per_right, spent.tokens_per_trial) == (None, None, 1000)
    assert re.search(r"^tokens +1,000 +–$", text(compare(a, b)), re.MULTILINE)
    with pytest.raises(ValueError, match="0 or more"):
        compare(a, b, price=-1.0)


# the gate ------------------------------------------------------------------------------------
def _gate(settings: Settings, a: records.Run, b: records.Run) -> int:
    _kept(settings, a, b)
    return run(settings, a.name, b.name, as_json=False, gate=True)


def test_the_gate_closes_on_a_real_regression(capsys: pytest.CaptureFixture[str]) -> None:
    assert _gate(Settings(), *regression()) == 1
    said = capsys.readouterr().out
    assert said.startswith("B is worse than A: B scores 60.0 %, A 90.0 % (−30.0 points")
    assert "Gate: closed; surely worse: all suites (−30.0 points) and arguments (−60.0 points)." in said


def test_the_gate_closes_on_one_bad_suite_that_a_good_one_makes_up_for() -> None:
    suites = {f"suite_{i}": 15 for i in range(11)}
    of_a, of_b = {"suite_3": 1.0, "suite_4": 0.0}, {"suite_3": 0.0, "suite_4": 1.0}
    a = made("a", results(suites, lambda suite, i: of_a.get(suite, float(i % 2))))
    b = made("b", results(suites, lambda suite, i: of_b.get(suite, float(i % 2))))
    assert [r.suite for r in compare(a, b).regressions] == ["suite_3"]
    assert _gate(Settings(), a, b) == 1


def test_the_gate_stays_open_without_being_asked(capsys: pytest.CaptureFixture[str]) -> None:
    settings, (a, b) = Settings(), regression()
    _kept(settings, a, b)
    assert run(settings, a.name, b.name, as_json=False) == 0
    assert "Gate" not in capsys.readouterr().out


def test_the_gate_stays_open_on_an_improvement_and_on_the_same() -> None:
    a, b = regression()
    assert _gate(Settings(), b, a) == 0
    assert compare(b, a).verdict == "better"
    assert _gate(Settings(), a, a) == 0
    assert "Every compared case scores the same in both." in text(compare(a, a))


def test_the_gate_takes_noise_for_noise() -> None:
    """Two runs of the same agent, over and over: closed in a few of a hundred at most."""
    suites = {f"suite_{i}": 12 for i in range(8)}
    pairs = [(_noisy(2 * i, suites), _noisy(2 * i + 1, suites)) for i in range(40)]
    closed = sum(bool(compare(a, b, resamples=400).regressions) for a, b in pairs)
    assert closed <= 4
    worse_somewhere = sum(
        any(r.hint == "worse?" for r in compare(a, b, resamples=400).rows) for a, b in pairs[:20]
    )
    assert worse_somewhere > 5  # the intervals alone would have closed it time and again


def test_the_gate_is_not_sure_of_three_cases() -> None:
    a = made("a", [result(c, 1.0) for c in "xyz"])
    b = made("b", [result(c, 0.0) for c in "xyz"])
    assert _gate(Settings(), a, b) == 0
    found = compare(a, b)
    assert (found.whole.hint, found.verdict) == ("worse?", "same")
    assert text(found).startswith("No difference between A and B that 3 cases could show")


# the command ---------------------------------------------------------------------------------
def test_a_baseline_is_kept_replaced_and_compared_with(tmp_path: Path) -> None:
    settings, (a, b) = Settings(), regression()
    with pytest.raises(ValueError, match="no baseline is stored"):
        run(settings, "baseline", "bad", as_json=False)
    _kept(settings, a, b)
    runs = settings.var / "eval" / "runs"
    save_baseline(runs / "bad", settings)
    kept = save_baseline(runs / "good", settings)
    assert kept == settings.var / "eval" / "baseline"
    assert records.read(kept) == a
    assert sorted(p.name for p in kept.parent.iterdir()) == ["baseline", "runs"]
    assert run(settings, "baseline", "bad", as_json=False, gate=True) == 1
    assert run(settings, "baseline", str(runs / "good"), as_json=False, gate=True) == 0


def test_no_baseline_is_made_of_what_is_no_run(tmp_path: Path) -> None:
    settings, (a, _) = Settings(), regression()
    _kept(settings, a)
    kept = save_baseline(settings.var / "eval" / "runs" / "good", settings)
    with pytest.raises(ValueError, match="holds no run"):
        save_baseline(tmp_path / "nothing", settings)
    assert records.read(kept) == a


def test_an_unknown_run_is_named_with_those_that_are_there() -> None:
    settings = Settings()
    with pytest.raises(ValueError, match="no run was made yet"):
        run(settings, "x", "y", as_json=False)
    _kept(settings, *regression())
    with pytest.raises(ValueError, match=r"there is no run x in .*; it has bad, good"):
        run(settings, "x", "bad", as_json=False)


def test_json_holds_the_whole_comparison(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings, (a, b) = Settings(), regression()
    _kept(settings, a, b)
    target = tmp_path / "new" / "page.html"
    assert run(settings, "good", "bad", as_json=True, page=target, gate=True, price=0.5) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["gate_closed"], len(said["rows"]), len(said["flips"])) == (
        "worse",
        True,
        9,
        24,
    )
    assert said["rows"][0]["difference"]["value"] == pytest.approx(-0.3)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")


# terminal ------------------------------------------------------------------------------------
def test_an_answer_cannot_steer_the_terminal() -> None:
    evil = "red \x1b[31m, bell \x07, turned \u202e, half \ud800"
    a = made("a", [result("x", 1.0, answer=evil, question=evil)])
    b = made("b", [result("x", 0.0, answer=evil, why=[evil])])
    told = text(compare(a, b))
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\ud800]", told)
    assert "red  [31m" in told


def test_the_terminal_reads_in_a_minute() -> None:
    told = text(compare(*regression())).splitlines()
    assert len(told) < 60
    assert "From right to wrong, the first 3 of 24 (--html shows all)" in told
