"""`shopkeeper eval compare A B`: two runs side by side, in a minute's reading, and a gate against regressions."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from eval import page as html
from eval import records, wording
from eval.comparison import Comparison, Flip, Row, Side, compare
from eval.wording import amount, points
from settings import Settings

__all__ = ["Comparison", "baseline_folder", "compare", "run", "runs_folder", "save_baseline", "text"]

BASELINE = "baseline"
_WIDTH = 100
_SHOWN = 3  # flipped cases of each kind; the page has all


def run(
    settings: Settings,
    a: str,
    b: str,
    *,
    as_json: bool,
    page: Path | None = None,
    gate: bool = False,
    price: float | None = None,
) -> int:
    """Print the comparison of two runs, write its page, and return the exit code: 1 only where `gate` is set and a
    suite, or the whole, surely got worse.

    a, b: names of runs under var/eval/runs, folders, or "baseline". price: money per million tokens.
    Raises ValueError, in one line, where one is no run or they share no case.
    """
    found = compare(_read(settings, a), _read(settings, b), price=price)
    if page is not None:
        html.write(found, page)
        print(f"Page written: {page}", file=sys.stderr)
    if as_json:
        said = {
            "verdict": found.verdict,
            "headline": wording.headline(found),
            "gate_closed": bool(found.regressions),
        }
        print(json.dumps(said | asdict(found)))
    else:
        print(text(found) + (f"\n{_plain(wording.gate_line(found))}\n" if gate else ""), end="")
    return int(gate and bool(found.regressions))


def save_baseline(run_folder: Path, settings: Settings) -> Path:
    """Make a run's folder the baseline that `compare baseline B` reads; the old one is replaced in one move.

    Raises ValueError where it holds no run. Returns the baseline's folder.
    """
    kept = records.read(Path(run_folder))
    folder = baseline_folder(settings)
    fresh, old = folder.with_name(f"{BASELINE}.new"), folder.with_name(f"{BASELINE}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    records.write(kept, fresh)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def runs_folder(settings: Settings) -> Path:
    return settings.var / "eval" / "runs"


def baseline_folder(settings: Settings) -> Path:
    return settings.var / "eval" / BASELINE


def _read(settings: Settings, given: str) -> records.Run:
    if given == BASELINE:
        if not (baseline_folder(settings) / "run.json").is_file():
            raise ValueError(
                f"no baseline is stored in {baseline_folder(settings)}; run the suites and save that run as the baseline."
            )
        return records.read(baseline_folder(settings))
    named = runs_folder(settings) / given
    if (named / "run.json").is_file() or ("/" not in given and not Path(given).is_dir()):
        return records.read(_known(named))
    return records.read(Path(given))


def _known(folder: Path) -> Path:
    if not (folder / "run.json").is_file():
        there = sorted(path.parent.name for path in folder.parent.glob("*/run.json"))
        raise ValueError(
            f"there is no run {folder.name} in {folder.parent}; "
            + (
                f"it has {', '.join(there[-8:])}."
                if there
                else "no run was made yet: `shopkeeper eval SUITE` makes one."
            )
        )
    return folder


# text ----------------------------------------------------------------------------------------
def text(comparison: Comparison) -> str:
    """The comparison for a terminal, the verdict first; what models wrote has its control characters taken out."""
    found = comparison
    lines = [*_verdict(found), "", *_runs(found), "", *_table(found.rows), "", *_moved_aspects(found.aspects)]
    lines += [*_passes(found), *_costs(found), "", *_flips(found.flips)]
    if warned := wording.warnings(found):
        lines += ["", "Mind", *(f"  {line}" for line in warned)]
    return "\n".join(_plain(line).rstrip() for line in lines) + "\n"


def _verdict(found: Comparison) -> list[str]:
    flips = [sum(f.became == became for f in found.flips) for became in ("wrong", "right")]
    lines = [wording.headline(found), wording.unseen(found)]
    lines.append(f"Flipped: {flips[0]} from right to wrong, {flips[1]} from wrong to right.")
    return [line for line in lines if line]


def _runs(found: Comparison) -> list[str]:
    lines = [
        f"{letter}  {about.name}: {about.model}, prompts {about.prompts_digest[:8]}, seed {about.seed}, "
        f"{about.cases} cases, {about.trials} trials, {about.started}"
        for letter, about in (("A", found.a), ("B", found.b))
    ]
    differs = wording.changed(found)
    return lines + ([f"   changed: {differs}"] if differs else [])


def _table(rows: Sequence[Row], title: str = "Score, %") -> list[str]:
    lines = [f"{title:30}{'A':>7}{'B':>8}{'B − A':>9}   {'95 % interval':17}{'cases':>6}"]
    for row in rows:
        name = f"  {wording.language(row.language)}" if row.language else wording.place(row)
        score = [f"{100 * e.value:.1f}" for e in (row.a, row.b)]
        lines.append(
            f"{_fit(name, 30)}{score[0]:>7}{score[1]:>8}{points(row.difference.value):>9}   "
            f"{wording.interval(row.difference):17}{row.difference.n:>6}  {row.hint if row.hint != row.change else row.change.upper()}"
        )
    doubtful = wording.doubtful(rows)
    return [*lines, f"  {doubtful}"] if doubtful else lines


def _moved_aspects(aspects: Sequence[Row]) -> list[str]:
    moved = [row for row in aspects if row.change]
    if not moved:
        return ["Aspects: none that got surely better or worse.", ""] if aspects else []
    return [*_table(moved, "Aspects that changed, % held"), ""]


def _passes(found: Comparison) -> list[str]:
    if not found.passes:
        return []
    lines = [f"{'All of k trials right, %':30}{'A':>7}{'B':>8}   {'95 % intervals':31}cases"]
    for row in found.passes:
        a, b = (f"{100 * e.value:.1f}" for e in (row.a, row.b))
        spans = (f"{100 * e.low:.1f} to {100 * e.high:.1f}" for e in (row.a, row.b))
        lines.append(f"{f'pass^{row.k}':30}{a:>7}{b:>8}   {', '.join(spans):30}{row.a.n:>6}")
    return [*lines, ""]


def _costs(found: Comparison) -> list[str]:
    a, b = found.spend[0].a, found.spend[0].b
    lines = [f"{'Per right answer':22}{'A':>12}{'B':>12}"]
    for name, digits, of_a, of_b in wording.cost_rows(a, b):
        lines.append(
            f"{name:22}{amount(of_a, digits):>12}{amount(of_b, digits):>12}   {wording.relative(of_a, of_b)}"
        )
    if found.price is not None:
        lines.append(f"  (at {found.price:g} per million tokens, prompt and completion alike)")
    return lines


def _flips(flips: Sequence[Flip]) -> list[str]:
    lines = []
    for became, title in (("wrong", "From right to wrong"), ("right", "From wrong to right")):
        chosen = [flip for flip in flips if flip.became == became]
        if not chosen:
            continue
        more = f", the first {_SHOWN} of {len(chosen)} (--html shows all)" if len(chosen) > _SHOWN else ""
        lines.append(f"{title}{more}")
        for flip in chosen[:_SHOWN]:
            lines.append(f"  {flip.suite}/{flip.case}: {_fit(flip.question, _WIDTH - 8, pad=False)}")
            lines += [*_answer("A", flip.a), *_answer("B", flip.b)]
    return lines


def _answer(letter: str, side: Side) -> list[str]:
    trials = f" ({side.right} of {side.trials} right)" if side.trials > 1 else ""
    lines = [f"    {letter}{trials} {_fit(side.answer or '(no answer)', _WIDTH - 10, pad=False)}"]
    return lines + [f"      wrong: {_fit('; '.join(side.why), _WIDTH - 16, pad=False)}" for _ in side.why[:1]]


def _plain(line: str) -> str:
    """Without what could steer a terminal: a model's answer may hold escape sequences."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in line)


def _fit(line: str, width: int, pad: bool = True) -> str:
    """One line cut to so many columns, a Chinese character taking two; padded to them where asked."""
    kept, taken = "", 0
    line = line if pad else " ".join(line.split())
    for char in line:
        wide = 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if taken + wide > width - 1:
            kept, taken = f"{kept}…", taken + 1
            break
        kept, taken = kept + char, taken + wide
    return kept + " " * (width - taken) if pad else kept
