"""The cases of the suites: written ones (`eval/cases`), and fresh ones that the generator makes at each run.

Written ones come in three formats: questions with every acceptable plan (`questions_*.jsonl`, see eval/plans.py),
the first suite's (`first.jsonl`, see eval/truth.py), and `suites/*.jsonl`, a line a case:
{"id", "pair" (optional), "suite", "topic", "language": "en"|"zh", "role", "customer" (optional),
 "plant": {"notes": [{"customer", "text"}], "product_names": {product: name}} (optional), "turns": [turn]}, a turn being
{"question", "kind" (one or a list), "tools", "plans", "expect", "silent"}, all but the question optional.
A turn that has none of these to check is only asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from eval.plans import SPLITS
from eval.raw import RawData
from eval.truth import load_cases

SUITES = (
    "tool_choice", "arguments", "groundedness", "recommendations", "clarification", "policy", "injection", "multi_turn",
    "parity", "templates", "handoff", "users",
)  # fmt: skip
ALL, USERS, PARITY = "all", "users", "parity"
CHECKED = ("kind", "tools", "plans", "expect", "silent")
"""What of a turn there may be to check."""
BOTH = "both"
"""The language of a case that is asked in either."""
_SETS = ("notes", "product_names")


@dataclass(frozen=True, slots=True)
class Case:
    """One case. pair: shared by the same case in the other language. plant: what stands in the data while it runs.
    parts: of a case of `parity`, the same question in each language; it has no turns of its own."""

    id: str
    suite: str
    topic: str
    language: str
    role: str = "service"
    turns: tuple[dict[str, Any], ...] = ()
    pair: str = ""
    customer: str | None = None
    plant: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Case, ...] = ()

    @property
    def question(self) -> str:
        """Every question of the case, a line each."""
        return "\n".join(turn["question"] for turn in self.turns) or "\n".join(p.question for p in self.parts)

    @property
    def digest(self) -> str:
        """A digest of what is asked (not of what is right): whoever asks the same gets the same reply."""
        asked = [
            self.role,
            self.customer,
            self.plant,
            [turn["question"] for turn in self.turns],
            *(part.digest for part in self.parts),
        ]
        return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def from_dict(given: Mapping[str, Any], where: str = "") -> Case:
    """Read a case in the format of this module. Raises ValueError, in one line, for one that is none."""
    wrong = _wrong(given)
    if wrong:
        raise ValueError(f"{where or 'a case'}: {wrong}; see eval/cases.py for the format")
    known = {name: given[name] for name in Case.__slots__ if name in given}
    known["turns"] = tuple(dict(turn) for turn in given.get("turns", ()))
    known["parts"] = tuple(from_dict(part, f"{where}, a part") for part in given.get("parts", ()))
    return Case(**known)


def _wrong(given: Mapping[str, Any]) -> str:
    missing = [name for name in ("id", "suite", "topic", "language") if not isinstance(given.get(name), str)]
    if missing:
        return f"has no {missing[0]}"
    if unknown := given.keys() - set(Case.__slots__):
        return f"{given['id']} has the unknown field {min(unknown)}"
    if given["suite"] not in SUITES:
        return f"{given['id']} is of the unknown suite {given['suite']!r}"
    if unknown := (given.get("plant") or {}).keys() - set(_SETS):
        return f"{given['id']} plants {min(unknown)}, and only {' and '.join(_SETS)} can be planted"
    turns = given.get("turns", ())
    if not turns and not given.get("parts"):
        return f"{given['id']} has no turns"
    for turn in turns:
        if not isinstance(turn.get("question"), str) or not turn["question"].strip():
            return f"{given['id']} has a turn without a question"
    checks = CHECKED + (("question",) if given["suite"] == "groundedness" else ())
    if turns and given["suite"] != USERS and not any(turn.get(name) for turn in turns for name in checks):
        return f"{given['id']} has nothing to check"
    return ""


# written cases -------------------------------------------------------------------------------
def folder() -> Path:
    """Where the written cases are."""
    return Path(str(resources.files("eval"))) / "cases"


def _questions(suite: str) -> list[Case]:
    """The questions with their plans, as cases of one suite."""
    return [
        from_dict(
            {
                "id": given["id"],
                "pair": given["id"].rpartition("-")[0],
                "suite": suite,
                "topic": given["topic"],
                "language": given["language"],
                "role": given["role"],
                "customer": given.get("customer"),
                "turns": [{k: given[k] for k in ("question", "kind", "plans", "ordered") if k in given}],
            },
            f"questions_{split}.jsonl",
        )
        for split in SPLITS
        for given in load_cases(folder() / f"questions_{split}.jsonl")
    ]


def _first() -> list[Case]:
    """The first suite's cases; questions of one session are the turns of one case."""
    sessions: dict[str, list[dict[str, Any]]] = {}
    for given in load_cases(folder() / "first.jsonl"):
        sessions.setdefault(given.get("session") or given["id"], []).append(given)
    return [_of_first(group) for group in sessions.values()]


def _of_first(group: Sequence[Mapping[str, Any]]) -> Case:
    first = group[0]
    turns = [{k: v for k, v in given.items() if k in ("question", *CHECKED)} for given in group]
    case = {"id": f"first-{first['id']}", "suite": _suite_of_first(group), "topic": "first", "turns": turns}
    return from_dict(case | {k: first.get(k) for k in ("language", "role", "customer")}, "first.jsonl")


def _suite_of_first(group: Sequence[Mapping[str, Any]]) -> str:
    if len(group) > 1:
        return "multi_turn"
    kind, tools = group[0]["kind"], group[0]["tools"]
    if kind == "answer":
        return "recommendations" if tools == ["recommend"] else "groundedness"
    return {"refuse": "policy", "handoff": "handoff"}.get(str(kind), "clarification")


@cache
def written() -> tuple[Case, ...]:
    """Every written case but those of parity. Raises ValueError naming a bad one."""
    of_suites = [
        from_dict(given, path.name)
        for path in sorted((folder() / "suites").glob("*.jsonl"))
        for given in load_cases(path)
    ]
    return (*_questions("tool_choice"), *_questions("arguments"), *_first(), *of_suites)


# loading -------------------------------------------------------------------------------------
def load(
    suites: Sequence[str], *, seed: int = -1, draws: int = 1, raw: Callable[[], RawData] | None = None
) -> dict[str, list[Case]]:
    """Return the cases of each suite: the written ones, and with a seed of 0 or more the fresh ones, which are made
    from the sample's files (`raw`, opened only then), by so many draws with the seeds from there on.

    Raises ValueError, in one line, for an unknown suite, a bad case, or a missing generator.
    """
    wanted = resolve(suites)
    made = list(written())
    if seed >= 0 and set(wanted) - {USERS}:
        if raw is None:
            raise ValueError("fresh cases need the sample's files; give them, or a seed of -1 for none")
        for drawn in range(seed, seed + draws):
            made += _generated(drawn, raw())
    found = {name: [case for case in made if case.suite == name] for name in wanted if name != USERS}
    if PARITY in found:
        # A question asked in two suites is one question: the plan's suite stands for both.
        found[PARITY] = list(_pairs(case for case in made if case.suite != "tool_choice"))
    for name, cases in found.items():
        _unique(name, cases)
    return found


def resolve(suites: Sequence[str]) -> list[str]:
    """Return the suites by name, "all" being every one. Raises ValueError for an unknown one."""
    names = [n for suite in suites for n in (SUITES if suite == ALL else (suite,))]
    for name in names:
        if name not in SUITES:
            raise ValueError(f"no suite {name!r}; there are: {', '.join((*SUITES, ALL))}")
    if not names:
        raise ValueError(f"name a suite: {', '.join((*SUITES, ALL))}")
    return list(dict.fromkeys(names))


def _generated(seed: int, raw: RawData) -> list[Case]:
    try:
        from eval.generate import generate
    except ImportError as error:
        raise ValueError(
            f"the generator of fresh cases (eval/generate) is not there ({error}); give a seed of -1 to run the written"
            " cases alone"
        ) from error
    return [from_dict(given, "eval/generate") for given in generate(seed, raw)]


def _pairs(cases: Iterable[Case]) -> Iterable[Case]:
    """The cases that there are in both languages, each pair as one."""
    pairs: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        if case.pair:
            pairs.setdefault((case.suite, case.pair), []).append(case)
    for (suite, pair), parts in pairs.items():
        if sorted(part.language for part in parts) == ["en", "zh"]:
            parts = sorted(parts, key=lambda part: part.language)
            yield replace(
                parts[0], id=f"{suite}-{pair}", suite=PARITY, language=BOTH, pair="", turns=(), parts=tuple(parts)
            )  # fmt: skip


def _unique(suite: str, cases: Sequence[Case]) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise ValueError(f"two cases of {suite} are called {case.id}; give each an id of its own")
        seen.add(case.id)


def spread(cases: Sequence[Case], limit: int | None) -> list[Case]:
    """Return about `limit` cases, spread over all so that every topic has its share; both languages of a case are
    taken, so there may be one more."""
    if limit is None or limit >= len(cases):
        return list(cases)
    if limit < 1:
        raise ValueError(f"a limit of {limit} leaves nothing to run; give 1 or more")
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.pair or case.id, []).append(case)
    whole = list(groups.values())
    wanted = max(1, min(len(whole), -(-limit * len(whole) // len(cases))))
    return [case for i in range(wanted) for case in whole[i * len(whole) // wanted]]
