"""Two runs, side by side: what got better or worse, by how much, how surely, and at what cost.

Only cases that both runs scored are paired. Trials that broke off count apart, as do cases that one run lacks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eval import stats
from eval.records import Result, Run
from eval.spending import Grouped, Key, SuiteSpend, spend
from eval.stats import RESAMPLES, Estimate

ALPHA = 0.025  # of a false alarm in one direction: both ends of a 95 % interval

_MOST_TRIALS = 8  # of pass^k; further lines tell nothing new


@dataclass(frozen=True, slots=True)
class About:
    """What was run, in short, and how many trials broke off."""

    name: str
    model: str
    prompts: str
    prompts_digest: str
    seed: int
    epochs: int
    started: str
    cases: int
    trials: int
    failed: int
    """Trials that broke off; they count in no score."""
    replayed: int
    """Trials taken from an earlier run, with its tokens and seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison: a suite ("": all of them), a language ("": all) or an aspect; shares of 1."""

    suite: str
    language: str
    a: Estimate
    b: Estimate
    difference: Estimate
    """B less A, over the same cases."""
    p_worse: float
    p_better: float
    """One-sided p values, not yet adjusted for being several."""
    change: str = ""
    """"worse" or "better" where the interval leaves out zero and Holm's correction lets it stand; else ""."""
    aspect: str = ""

    @property
    def hint(self) -> str:
        """The change, or "worse?" and "better?" where the interval leaves out zero but that may well be chance."""
        leaning = "worse?" if self.difference.high < 0 else "better?" if self.difference.low > 0 else ""
        return self.change or leaning


@dataclass(frozen=True, slots=True)
class Side:
    """One run's answer to a flipped case: a trial that shows it, and how many of its trials were right."""

    answer: str
    why: list[str]
    steps: list[str]
    right: int
    trials: int
    score: float


@dataclass(frozen=True, slots=True)
class Flip:
    """A case that most trials of one run got right, and not of the other."""

    case: str
    suite: str
    topic: str
    language: str
    question: str
    became: str
    """"wrong" or "right"."""
    a: Side
    b: Side


@dataclass(frozen=True, slots=True)
class PassPower:
    """pass^k of both runs, over the compared cases with k trials or more."""

    k: int
    a: Estimate
    b: Estimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that is told of two runs. rows: the whole and its languages, then each suite and its languages, the
    suite that lost most first."""

    a: About
    b: About
    rows: list[Row]
    aspects: list[Row]
    flips: list[Flip]
    spend: list[SuiteSpend]
    passes: list[PassPower]
    missing_in_a: list[str]
    missing_in_b: list[str]
    """Cases that the other run has and this one does not, as suite/case."""
    failed_in_a: list[str]
    failed_in_b: list[str]
    """Cases that the other run scored, and of which every trial broke off here."""
    price: float | None
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> Row:
        return self.rows[0]

    @property
    def verdict(self) -> str:
        """What the whole became, "worse" or "better"; else what its suites did, or "mixed"; else "same": nothing
        that so many cases could show."""
        changes = {row.change for row in self.rows if not row.language} - {""}
        several = "mixed" if len(changes) > 1 else next(iter(changes), "same")
        return self.whole.change or several

    @property
    def regressions(self) -> list[Row]:
        """The suites, and the whole, that surely got worse: what the gate looks at."""
        return [row for row in self.rows if not row.language and row.change == "worse"]


def compare(
    a: Run, b: Run, *, price: float | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare run B with run A, over the cases that both have.

    price: money per million tokens, prompt and completion alike. Raises ValueError where no case was scored in both.
    """
    if price is not None and price < 0:
        raise ValueError(f"{price} is no price; give money per million tokens, 0 or more.")
    sides = _grouped(a.results), _grouped(b.results)
    scored = _scored(sides[0]), _scored(sides[1])
    shared = [key for key in scored[0] if key in scored[1]]
    if not shared:
        raise ValueError(_nothing_shared(a, b))
    pairing = _Pairing(scored[0], scored[1], resamples, seed)
    flips = [flip for key in shared if (flip := _flip(scored[0][key], scored[1][key]))]
    return Comparison(
        a=_about(a, sides[0]),
        b=_about(b, sides[1]),
        rows=_rows(pairing, shared),
        aspects=_aspects(pairing, shared),
        flips=sorted(flips, key=lambda f: (f.became != "wrong", -abs(f.b.score - f.a.score))),
        spend=spend(sides, price),
        passes=_passes(pairing, shared),
        missing_in_a=_named(key for key in sides[1] if key not in sides[0]),
        missing_in_b=_named(key for key in sides[0] if key not in sides[1]),
        failed_in_a=_named(key for key in scored[1] if key in sides[0] and key not in scored[0]),
        failed_in_b=_named(key for key in scored[0] if key in sides[1] and key not in scored[1]),
        price=price,
        notes=_notes(a, b, scored, shared),
    )


def _nothing_shared(a: Run, b: Run) -> str:
    return (
        f"{a.name} and {b.name} have no scored case in common, so nothing can be compared "
        f"({a.name}: {', '.join(a.suites) or 'no suite'}, seed {a.seed}; "
        f"{b.name}: {', '.join(b.suites) or 'no suite'}, seed {b.seed}; "
        f"{sum(bool(r.failed) for r in b.results)} of {len(b.results)} trials of {b.name} broke off); "
        "run the same suites with the same seed, and look at why trials broke off."
    )


def _grouped(results: Iterable[Result]) -> dict[Key, list[Result]]:
    cases: dict[Key, list[Result]] = {}
    for result in results:
        cases.setdefault((result.suite, result.case), []).append(result)
    return cases


def _scored(cases: Grouped) -> dict[Key, list[Result]]:
    kept = {key: [t for t in trials if not t.failed] for key, trials in cases.items()}
    return {key: trials for key, trials in kept.items() if trials}


def _named(keys: Iterable[Key]) -> list[str]:
    return sorted(f"{suite}/{case}" for suite, case in keys)


def _about(run: Run, cases: Grouped) -> About:
    results = run.results
    return About(
        run.name, run.model, run.prompts, run.prompts_digest, run.seed, run.epochs, run.started,
        cases=len(cases), trials=len(results), failed=sum(bool(r.failed) for r in results),
        replayed=sum(r.cached for r in results),
    )  # fmt: skip


class _Pairing:
    """Makes rows out of chosen cases of two runs."""

    def __init__(self, a: Grouped, b: Grouped, resamples: int, seed: int) -> None:
        self.a, self.b = a, b
        self.drawing: dict[str, Any] = {"resamples": resamples, "seed": seed}
        # The same pair in two suites is the same question still, hence a cluster without the suite.
        self.clusters = {key: trials[0].pair or trials[0].case for key, trials in a.items()}

    def row(self, suite: str, language: str, a: stats.Trials, b: stats.Trials, aspect: str = "") -> Row:
        apart = stats.differences(a, b)
        a, b = ({key: trials[key] for key in apart} for trials in (a, b))
        worse, better = stats.sign_flip(apart, self.clusters, **self.drawing)
        return Row(
            suite, language, stats.score(a, self.clusters), stats.score(b, self.clusters),
            stats.paired_difference(a, b, self.clusters, **self.drawing), worse, better, aspect=aspect,
        )  # fmt: skip

    def scores(self, keys: Sequence[Key]) -> tuple[stats.Trials, stats.Trials]:
        return _scores(self.a, keys), _scores(self.b, keys)


def _scores(cases: Grouped, keys: Sequence[Key]) -> dict[Key, list[float]]:
    return {key: [t.score for t in cases[key]] for key in keys}


def _rows(pairing: _Pairing, shared: Sequence[Key]) -> list[Row]:
    languages = {key: pairing.a[key][0].language for key in shared}
    suites = sorted({suite for suite, _ in shared})
    rows = []
    for suite in ["", *suites] if len(suites) > 1 else suites:
        of_suite = [key for key in shared if suite in ("", key[0])]
        rows.append(pairing.row(suite, "", *pairing.scores(of_suite)))
        spoken = sorted({languages[key] for key in of_suite})
        for language in spoken if len(set(languages.values())) > 1 else []:
            chosen = [key for key in of_suite if languages[key] == language]
            rows.append(pairing.row(suite, language, *pairing.scores(chosen)))
    return _marked_by_family(rows)


def _marked_by_family(rows: Sequence[Row]) -> list[Row]:
    """Mark the rows, and put the suites in order, the one that lost most first.

    The whole answers the one question that was asked, and stands by itself; suites and their languages are each
    looked through for whatever stands out, and are corrected for it, apart, lest the languages blunt the suites.
    Two runs alike are called different in one direction in at most 5 % of comparisons: half by the whole.
    """
    families = [rows[:1], [r for r in rows[1:] if not r.language], [r for r in rows if r.language]]
    marked = [row for family in families for row in _marked(family)]
    worst = {row.suite: row.difference.value for row in marked if not row.language}
    return sorted(marked, key=lambda r: (r.suite != rows[0].suite, worst[r.suite], r.suite, r.language))


def _marked(rows: Sequence[Row]) -> list[Row]:
    """The same rows, with those marked that surely changed."""
    worse, better = stats.holm([r.p_worse for r in rows]), stats.holm([r.p_better for r in rows])
    marked = []
    for row, p_worse, p_better in zip(rows, worse, better, strict=True):
        change = "worse" if row.difference.high < 0 and p_worse <= ALPHA else ""
        change = "better" if row.difference.low > 0 and p_better <= ALPHA else change
        marked.append(replace(row, change=change))
    return marked


def _aspects(pairing: _Pairing, shared: Sequence[Key]) -> list[Row]:
    names = sorted({name for key in shared for trial in pairing.a[key] for name in trial.aspects})
    rows = []
    for name in names:
        held = [
            {key: [float(t.aspects[name]) for t in run[key] if name in t.aspects] for key in shared}
            for run in (pairing.a, pairing.b)
        ]
        row = pairing.row("", "", *held, aspect=name)
        rows += [row] if row.difference.n else []
    return sorted(_marked(rows), key=lambda r: r.difference.value)


def _passes(pairing: _Pairing, shared: Sequence[Key]) -> list[PassPower]:
    """From one trial to as many as both runs have, over the cases that have so many; nothing where that is one."""
    fewer = {key: min(len(pairing.a[key]), len(pairing.b[key])) for key in shared}
    most = min(max(fewer.values()), _MOST_TRIALS)
    found = []
    for k in range(1, most + 1) if most > 1 else ():
        a, b = pairing.scores([key for key in shared if fewer[key] >= k])
        powers = (stats.pass_power(run, k, pairing.clusters, **pairing.drawing) for run in (a, b))
        found.append(PassPower(k, *powers))
    return found


def _flip(a: Sequence[Result], b: Sequence[Result]) -> Flip | None:
    was, now = _mostly_right(a), _mostly_right(b)
    if was == now:
        return None
    first = a[0]
    sides = _side(a, was), _side(b, now)
    became = "right" if now else "wrong"
    return Flip(first.case, first.suite, first.topic, first.language, first.question, became, *sides)


def _mostly_right(trials: Sequence[Result]) -> bool:
    return 2 * sum(stats.is_right(t.score) for t in trials) > len(trials)


def _side(trials: Sequence[Result], right: bool) -> Side:
    shown = next(t for t in trials if stats.is_right(t.score) == right)
    return Side(
        answer=shown.answer,
        why=list(shown.why),
        steps=[_step(step) for step in shown.steps],
        right=sum(stats.is_right(t.score) for t in trials),
        trials=len(trials),
        score=sum(t.score for t in trials) / len(trials),
    )


def _step(step: Mapping[str, Any]) -> str:
    args = step.get("args")
    given = args.items() if isinstance(args, Mapping) else ()
    return f"{step.get('tool', '?')}({', '.join(f'{k}={v}' for k, v in given if v not in (None, {}, []))})"


def _notes(a: Run, b: Run, scored: tuple[Grouped, Grouped], shared: Sequence[Key]) -> list[str]:
    """What a reader must know before trusting the figures."""
    notes = []
    asked = sum(scored[0][key][0].question != scored[1][key][0].question for key in shared)
    if asked:
        seeds = f" (seeds {a.seed} and {b.seed})" if a.seed != b.seed else ""
        notes.append(
            f"{asked} of {len(shared)} compared cases were asked in other words or of other data{seeds}."
        )
    trials = [Counter(len(side[key]) for key in shared).most_common(1)[0][0] for side in scored]
    if trials[0] != trials[1]:
        notes.append(f"Most cases have {trials[0]} scored trials in A and {trials[1]} in B.")
    if a.model == b.model and a.prompts_digest == b.prompts_digest:
        notes.append(
            "Model and prompts are the same in both: what differs is the program, the data, or chance."
        )
    return notes
