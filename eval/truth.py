"""Truth: says what is wrong with an answer, from the sample's own files and nothing else.

A case is a line of `eval/cases/*.jsonl`:
{"id", "language", "role", "customer" (optional), "session" (optional), "question", "kind" (one kind, or
a list of acceptable ones), "tools" (acceptable tool names; empty: any or none), "expect": [checks]}.

Checks, each an object:
- {"figure": name, "sql": one number, "unit": "money"|"percent"|"plain", "tolerance": relative}: the
  answer states that number, rounded as it likes;
- {"top": name kind, "sql": keys in order, "ordered": true}: the answer names them all, in that order
  ("month" and "customer" are kinds too);
- {"count": n}: so many products are recommended, all different and all sold by the shop;
- {"category": key}: every recommended product is of that category;
- {"never_bought": customer}: that customer never bought any of them;
- {"members": n, "category": key}: the audience says that it has n members;
- {"mentions": [words]}: at least one of them stands in the answer; {"silent": [words]}: none does;
- {"no_figures": unit}: the answer states no figure in that unit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.audit import Auditor
from eval.figures import Unit, figures, states
from eval.raw import load_names
from eval.raw_kept import KeptRaw

Case = Mapping[str, Any]
Reply = Mapping[str, Any]

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip
_HAN = re.compile(r"[\u4e00-\u9fff]")


def load_cases(path: Path) -> list[dict[str, Any]]:
    """Return the cases of a JSONL file, in order. Raises ValueError naming the bad line."""
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            cases.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error.msg}); mend that line") from error
    return cases


class Truth:
    """Checks replies (the dictionaries of `Reply.to_dict`) against the sample in `data_dir`."""

    def __init__(self, data_dir: Path) -> None:
        self.raw = KeptRaw(Path(data_dir))
        self._names = load_names()
        self._auditor = Auditor(self.raw, self._names)
        self._checks: dict[str, Callable[[Mapping[str, Any], Reply], list[str]]] = {
            "figure": self._figure,
            "top": self._top,
            "count": self._count,
            "members": self._members,
            "never_bought": self._never_bought,
            "category": self._category,
            "mentions": self._mentions,
            "silent": self._silent,
            "no_figures": self._no_figures,
        }

    def check(self, case: Case, reply: Reply) -> list[str]:
        """Return what is wrong with the reply to a case; empty when it is right."""
        wrong = [*_kind(case, reply), *_language(case, reply), *_tools(case, reply)]
        for check in case.get("expect", ()):
            name = next((key for key in self._checks if key in check), None)
            if name is None:
                raise ValueError(f"case {case.get('id')}: unknown check {sorted(check)}; see eval/truth.py")
            wrong += self._checks[name](check, reply)
        return wrong

    def audit(self, reply: Reply) -> list[str]:
        """Return every statement of a reply, of any question, that the raw data contradicts, and
        every figure that no cited fact holds; empty when all of it stands."""
        return self._auditor.audit(reply)

    def _figure(self, check: Mapping[str, Any], reply: Reply) -> list[str]:
        true = self.raw.value(check["sql"])
        unit = Unit(check["unit"]) if "unit" in check else None
        if states(reply["answer"], true, unit, float(check.get("tolerance", 0))):
            return []
        said = ", ".join(w.text for w in figures(reply["answer"])[:8]) or "none"
        return [f"{check['figure']}: the data says {true:,.4f}, the answer's figures are {said}"]

    def _top(self, check: Mapping[str, Any], reply: Reply) -> list[str]:
        keys = [str(row[0]) for row in self.raw.rows(check["sql"])]
        places = [(key, self._place(check["top"], key, reply["answer"])) for key in keys]
        missing = [key for key, place in places if place < 0]
        if missing:
            return [f"the answer does not name {', '.join(missing)} ({check['top']})"]
        order = [place for _, place in places]
        if check.get("ordered", True) and order != sorted(order):
            return [f"the answer does not name them in this order: {', '.join(keys)}"]
        return []

    def _place(self, kind: str, key: str, text: str) -> int:
        found = [place for name in self._written(kind, key) if (place := _find(name, text)) >= 0]
        return min(found, default=-1)

    def _written(self, kind: str, key: str) -> Sequence[str]:
        if kind == "month":
            year, month = key.split("-")
            english = MONTHS[int(month) - 1]
            return (f"{english} {year}", english, f"{year}年{int(month)}月", f"{int(month)}月", key)
        if kind == "customer":
            return (key,)
        return self._names.get((kind, key), (key,))

    def _count(self, check: Mapping[str, Any], reply: Reply) -> list[str]:
        offered = _offered(reply)
        wrong = []
        if len(offered) != check["count"]:
            wrong.append(f"{len(offered)} products recommended, {check['count']} asked for")
        if len(set(offered)) != len(offered):
            wrong.append("the same product is recommended twice")
        sold = {row[0] for row in self._about(offered, "select distinct product from lines")}
        unknown = [product for product in offered if product not in sold]
        return wrong + ([f"products that the shop never sold: {', '.join(unknown)}"] if unknown else [])

    def _about(
        self, products: Sequence[str], select: str, params: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        return self.raw.rows(
            f"select * from ({select}) where list_contains(?, product)", [*params, list(products)]
        )

    def _category(self, check: Mapping[str, Any], reply: Reply) -> list[str]:
        offered = _offered(reply)
        if not offered:
            return ["no product is recommended"]
        of = dict(self._about(offered, "select product, category from products"))
        other = [
            f"{product} ({of.get(product)})" for product in offered if of.get(product) != check["category"]
        ]
        return [f"not of {check['category']}: {', '.join(other)}"] if other else []

    def _never_bought(self, check: Mapping[str, Any], reply: Reply) -> list[str]:
        offered = _offered(reply)
        if not offered:
            return ["no product is recommended"]
        bought = self._about(
            offered, "select distinct product from lines where customer = ?", [str(check["never_bought"])]
        )
        return [f"bought before: {', '.join(row[0] for row in bought)}"] if bought else []

    def _members(self, check: Mapping[str, Any], reply: Reply) -> list[str]:
        """Ids in the answer are customers that exist, and the size that it states is the one asked for."""
        if not states(reply["answer"], check["members"], Unit.PLAIN):
            return [f"the answer does not say that the audience has {check['members']} members"]
        named = [
            a or b for a, b in re.findall(r"(?:[Cc]ustomer|顾客)\s*(\d+)|(\d+)\s*号顾客", reply["answer"])
        ]
        known = {row[0] for row in self.raw.rows("select distinct customer from lines")}
        unknown = [customer for customer in named if customer not in known]
        if not named:
            return ["the answer names no member of the audience"]
        return [f"no such customers: {', '.join(unknown)}"] if unknown else []

    def _mentions(self, check: Mapping[str, Any], reply: Reply) -> list[str]:
        wanted = _listed(check["mentions"])
        if any(_find(word, reply["answer"]) >= 0 for word in wanted):
            return []
        return [f"the answer mentions none of: {', '.join(wanted)}"]

    def _silent(self, check: Mapping[str, Any], reply: Reply) -> list[str]:
        said = [word for word in _listed(check["silent"]) if _find(word, reply["answer"]) >= 0]
        return [f"the answer should not say: {', '.join(said)}"] if said else []

    def _no_figures(self, check: Mapping[str, Any], reply: Reply) -> list[str]:
        unit = Unit(check["no_figures"])
        said = [w.text for w in figures(reply["answer"]) if w.unit == unit]
        return [f"the answer should state no {unit.value} figure: {', '.join(said)}"] if said else []


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _offered(reply: Reply) -> list[str]:
    return [str(offer["product_id"]) for offer in reply.get("recommendations", ())]


def _find(name: str, text: str) -> int:
    """Where a name stands in a text: whole words for Latin script, anywhere for Chinese; -1 nowhere."""
    if _HAN.search(name):
        return text.find(name)
    found = re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", text, re.IGNORECASE)
    return found.start() if found else -1


def _kind(case: Case, reply: Reply) -> list[str]:
    allowed = _listed(case["kind"])
    return [] if reply["kind"] in allowed else [f"kind is {reply['kind']}, should be {' or '.join(allowed)}"]


def _language(case: Case, reply: Reply) -> list[str]:
    wrong = []
    if reply["language"] != case["language"]:
        wrong.append(f"language is {reply['language']}, should be {case['language']}")
    # Names of products stay English in a Chinese answer, so the script that prevails decides.
    chinese = len(_HAN.findall(reply["answer"])) > len(re.findall(r"[A-Za-z]{2,}", reply["answer"]))
    if (case["language"] == "zh") != chinese:
        wrong.append("the answer is not written in the question's language")
    return wrong


def _tools(case: Case, reply: Reply) -> list[str]:
    allowed, used = case.get("tools", ()), [step["tool"] for step in reply.get("steps", ())]
    if not allowed or any(tool in allowed for tool in used):
        return []
    return [f"tools used: {', '.join(used) or 'none'}; should be one of {', '.join(allowed)}"]
