"""A comparison in words: shared by the terminal and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from eval.comparison import Comparison, Row
from eval.spending import Spend
from eval.stats import Estimate

LANGUAGES = {"en": "English", "zh": "Chinese"}


def headline(comparison: Comparison) -> str:
    """The verdict in one plain sentence."""
    return f"{verdict(comparison)}: {figures(comparison)}"


def figures(comparison: Comparison) -> str:
    """Both scores, and their difference."""
    whole = comparison.whole
    return (
        f"B scores {percent(whole.b)}, A {percent(whole.a)} ({points(whole.difference.value)} points, "
        f"95 % interval {interval(whole.difference)}; {_cases(whole.difference.n)})."
    )


def verdict(comparison: Comparison) -> str:
    """Better, worse, or no difference that so many cases could show; and where, if not everywhere."""
    suites = [row for row in comparison.rows if not row.language and row is not comparison.whole]
    whole, n = comparison.whole.change, comparison.whole.difference.n
    places = {
        change: listed([place(r) for r in suites if r.change == change]) for change in ("worse", "better")
    }
    if whole:
        other = "better" if whole == "worse" else "worse"
        return f"B is {whole} than A" + (f", but {other} in {places[other]}" if places[other] else "")
    said = [f"{change} in {where}" for change, where in places.items() if where]
    if said:
        return f"Set against A, B is {' and '.join(said)}, with no clear difference over all"
    return f"No difference between A and B that {_cases(n)} could show"


def unseen(comparison: Comparison) -> str:
    """How small a difference so many cases miss, where none was seen; else "" ."""
    found = comparison.whole.difference
    if comparison.verdict != "same":
        return ""
    if found.low == found.high == 0:
        return "Every compared case scores the same in both."
    half = 100 * (found.high - found.low) / 2
    return f"A true difference of about {half:.1f} points would go unseen as often as not."


def doubtful(rows: Sequence[Row]) -> str:
    """What the question marks of these rows mean; "" where there are none."""
    if not any(row.hint.endswith("?") for row in rows):
        return ""
    return "worse?, better?: its interval leaves out zero, but among so many rows, or so few cases, that may be chance."


def changed(comparison: Comparison) -> str:
    """What B has that A has not: model, prompts, seed; "" where those are the same."""
    a, b = comparison.a, comparison.b
    parts = []
    if a.model != b.model:
        parts.append(f"model {a.model} → {b.model}")
    if a.prompts_digest != b.prompts_digest:
        parts.append(f"prompts {a.prompts_digest[:8]} → {b.prompts_digest[:8]}")
    if a.seed != b.seed:
        parts.append(f"seed {a.seed} → {b.seed}")
    return "; ".join(parts)


def warnings(comparison: Comparison) -> list[str]:
    """What a reader must know before trusting the figures: what broke off, what is missing, what differs."""
    a, b = comparison.a, comparison.b
    lines = []
    if a.failed or b.failed:
        lines.append(
            f"Broken off, and counted in no score: {a.failed} of {a.trials} trials in A, "
            f"{b.failed} of {b.trials} in B."
        )
    for letter, broken, missing in (
        ("A", comparison.failed_in_a, comparison.missing_in_a),
        ("B", comparison.failed_in_b, comparison.missing_in_b),
    ):
        other = "B" if letter == "A" else "A"
        if broken:
            lines.append(f"Scored in {other}, but every trial broke off in {letter}: {_by_suite(broken)}.")
        if missing:
            lines.append(f"In {other}, but not run in {letter}: {_by_suite(missing)}.")
    for letter, about in (("A", a), ("B", b)):
        if about.replayed:
            lines.append(
                f"{about.replayed} of {about.trials} trials of {letter} come from an earlier run, with its "
                "tokens and seconds."
            )
    return [*lines, *comparison.notes]


def gate_line(comparison: Comparison) -> str:
    """What the gate says, in one sentence."""
    if not comparison.regressions:
        return "Gate: passed; no suite is surely worse."
    where = listed([f"{place(r)} ({points(r.difference.value)} points)" for r in comparison.regressions])
    return f"Gate: closed; surely worse: {where}."


def place(row: Row) -> str:
    """A row's name: its suite, its language, or both."""
    suite = row.aspect or row.suite.replace("_", " ") or "all suites"
    return f"{suite}, {language(row.language)}" if row.language else suite


def language(code: str) -> str:
    return LANGUAGES.get(code, code)


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: "x, y and z"."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def percent(estimate: Estimate) -> str:
    """A share as "61.2 %", or a dash where nothing was measured."""
    return f"{100 * estimate.value:.1f} %" if estimate.n else "–"


def points(value: float) -> str:
    """A difference of shares in points, signed: "+3.2", "−0.4", "0.0"."""
    rounded = round(100 * value, 1)
    return "0.0" if rounded == 0 else f"{rounded:+.1f}".replace("-", "−")


def interval(estimate: Estimate) -> str:
    return f"{points(estimate.low)} to {points(estimate.high)}"


def amount(value: float | None, digits: int = 1) -> str:
    """A number of tokens, seconds or money; a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def relative(a: float | None, b: float | None) -> str:
    """How much B takes more or less than A: "12 % more"; "" where that means nothing."""
    if not a or b is None:
        return ""
    change = 100 * (b / a - 1)
    return "the same" if abs(change) < 0.5 else f"{abs(change):.0f} % {'more' if change > 0 else 'less'}"


def cost_rows(a: Spend, b: Spend) -> list[tuple[str, int, float | None, float | None]]:
    """What a right answer took: (name, digits after the point, A's, B's)."""
    rows = [
        ("tokens", 0, a.tokens_per_right, b.tokens_per_right),
        ("seconds", 1, a.seconds_per_right, b.seconds_per_right),
        ("LLM calls", 2, a.llm_calls_per_right, b.llm_calls_per_right),
    ]
    priced = a.cost_per_right is not None or b.cost_per_right is not None
    return [*rows, ("cost", 4, a.cost_per_right, b.cost_per_right)] if priced else rows


def _cases(n: int) -> str:
    return f"{n} case" if n == 1 else f"{n} cases"


def _by_suite(names: Sequence[str]) -> str:
    """ "12 cases (arguments 9, refusal 3)": a suite's name has no slash, a case's may."""
    counts = Counter(name.split("/", 1)[0].replace("_", " ") for name in names)
    return f"{_cases(len(names))} ({', '.join(f'{suite} {n}' for suite, n in sorted(counts.items()))})"
