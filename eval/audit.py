"""Audit: what a reply states, compared with the raw data, whatever the question was.

Two passes. Within the reply: every footnote has its citation, every figure of the answer stands in a
cited fact, and every statement says what the facts do that it cites (eval/cited.py). Against the data: facts of measures, profiles, campaigns, baskets and recommendations are
computed again from the raw files, with SQL of this module's own, by the arguments that the steps say
they ran with. What a model estimated (probabilities, similarities, segments) has no true value in the
raw data and is left to the model's own tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eval.cited import MONTHS, PRODUCT_ID, Citing, counts, footnotes, loose_figures
from eval.figures import Unit, figures, says
from eval.raw import RawData

Reply = Mapping[str, Any]
Names = Mapping[tuple[str, str], tuple[str, str]]

# The product keeps a handful of absurd quantities aside that the protocol keeps: hence no zero. They cost little money,
# but many units, and may be the only line of a trip; shares of a profile are of what has a known category.
TOLERANCE = 0.0001
LOOSE = 0.005

_QUANTITIES = {
    "spend": "sum(amount)",
    "units": "sum(quantity)",
    "baskets": "count(distinct basket_id)",
    "customers": "count(distinct customer)",
    "products": "count(distinct product)",
    "mean_basket": "sum(amount) / count(distinct basket_id)",
    "mean_spend": "sum(amount) / count(distinct customer)",
    "mean_price": "sum(amount) / sum(quantity)",
}
_ADDS_UP = ("spend", "units", "baskets")
_COLUMNS = {
    "customer": "customer", "department": "department", "category": "category", "type": "type",
    "brand": "brand", "product": "product", "month": "month",
}  # fmt: skip
_BEST = (("the highest of", "最高）", max), ("the lowest of", "最低）", min))
_ESTIMATED = re.compile(r"\bexpected to\b|预计")
_LEFT_ASIDE = re.compile(r"^(?:\(Not taken into account here: .*\)|（以下内容未计入：.*）)$", re.MULTILINE)
"""What an answer says of the question alone: that something it named limited nothing."""


class Auditor:
    """Audits replies against `raw`; `names` are (kind, key) -> names in both languages."""

    def __init__(self, raw: RawData, names: Names) -> None:
        self._raw = raw
        self._names = names
        self._citing = Citing(names)
        self._last_day = raw.rows("select max(day) from lines")[0][0]

    def audit(self, reply: Reply) -> list[str]:
        """Return one line for each thing that does not stand."""
        reply = {**reply, "answer": _LEFT_ASIDE.sub("", reply["answer"])}
        wrong = [*footnotes(reply), *loose_figures(reply), *self._citing.check(reply)]
        steps = list(reply.get("steps", ()))
        for citation in reply.get("citations", ()):
            wrong += self._citation(citation, [s for s in steps if s["tool"] == citation["tool"]])
        return wrong + self._offers(reply)

    def _citation(self, citation: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> list[str]:
        tool = citation["tool"]
        audits = {
            "measure": self._measure, "profile": self._profile, "campaign": self._campaign,
            "bought_with": self._bought_with,
        }  # fmt: skip
        if tool not in audits:
            return []
        if not steps:
            return [f"[{citation['n']}] cites {tool}, which no step ran"]
        found = [audits[tool](citation, step["args"]) for step in steps]
        if tool == "measure" and len(steps) == 2 and self._tells_difference(citation, steps):
            return []
        return [] if any(not wrong for wrong in found) else found[0]

    # measure -------------------------------------------------------------------------------

    def _measure(self, citation: Mapping[str, Any], args: Mapping[str, Any]) -> list[str]:
        quantity, by = args.get("quantity"), args.get("by") or "none"
        value = citation["value"]
        if quantity not in _QUANTITIES or not isinstance(value, int | float):
            return []
        if _filters(args).get("segment") or by in ("segment", "campaign", "weekday"):
            return []
        wholes, groups = list(self._measured(str(quantity), by, args)), self._groups(str(quantity), by, args)
        if args.get("amount"):
            wholes += _beyond([true for _, true in groups], args["amount"], str(quantity), wholes[0])
        alike = [key for key, true in groups if _same(float(value), true)]
        loose = LOOSE if args.get("amount") or quantity == "units" else TOLERANCE
        if not alike and not any(_same(float(value), true, loose) for true in wholes):
            return [_contradicted(citation, float(value), [*wholes, *(true for _, true in groups)])]
        return [*_unwritten(citation, float(value)), *self._group(citation, by, alike, groups)]

    def _tells_difference(self, citation: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> bool:
        """Whether a fact's value is what the one figure of two steps differs by, and its sentence says that."""
        value, quantities = citation["value"], {step["args"].get("quantity") for step in steps}
        if not isinstance(value, int | float) or len(quantities) != 1 or not quantities <= _QUANTITIES.keys():
            return False
        one, other = (next(self._measured(str(*quantities), "none", step["args"])) for step in steps)
        loose = (
            TOLERANCE * max(one, other) / max(abs(one - other), 1e-9)
        )  # of the two figures, not of what is left
        return _same(float(value), abs(one - other), loose) and not _unwritten(citation, float(value))

    def _group(
        self, citation: Mapping[str, Any], by: str, alike: Sequence[str], groups: Sequence[tuple[str, float]]
    ) -> list[str]:
        """A fact of one group names it, and is the best of them where it says so."""
        fact, value, wrong = str(citation["fact"]), float(citation["value"]), []
        if not re.match(r"\s*\d+\. ", fact) or not groups:
            return []
        names = [name for key in alike for name in self._written(by, key)]
        if by in ("category", "department", "month", "customer", "product") and not any(
            n in fact for n in names
        ):
            wrong.append(
                f"[{citation['n']}] gives {value:,.4f} to another than {', '.join(names[:4]) or 'any'}: {fact}"
            )
        for english, chinese, best in _BEST:
            true = best(figure for _, figure in groups)
            if (english in fact or chinese in fact) and not _same(value, true):
                wrong.append(f"[{citation['n']}] says {english}, and that is {true:,.4f}: {fact}")
        return wrong

    def _written(self, kind: str, key: str) -> list[str]:
        """How a group is written in either language."""
        if kind == "month":
            year, month = key.split("-")
            english = next(name for name, number in MONTHS.items() if number == int(month))
            return [f"{english} {year}", f"{year}年{int(month)}月"]
        if kind in ("customer", "product"):
            return [f"ustomer {key}", f"{key}号", f"#{key}"]
        return [name for name in self._names.get((kind, key), (key,)) if name]

    def _measured(self, quantity: str, by: str, args: Mapping[str, Any]) -> Iterator[float]:
        where, params = self._where(args, leave=None)
        expression = _QUANTITIES[quantity]
        total = self._raw.value(f"select {expression} from lines where {where}", params)
        yield total
        bare, bare_params = self._where(
            {**args, "without": None}, leave=("department", "category", "type", "product", "brand")
        )
        whole = self._raw.value(f"select {expression} from lines where {bare}", bare_params)
        yield whole
        if whole:
            yield total / whole
        if args.get("of_all_days"):
            always, params = self._where({**args, "start": None, "end": None}, leave=None)
            yield total / self._raw.value(f"select {expression} from lines where {always}", params)
        if by == "none":
            yield from self._each(quantity, args)
            return
        grouped, params = self._where(args, leave=(by,))
        yield self._raw.value(f"select {expression} from lines where {grouped}", params)
        yield 0.0

    def _each(self, quantity: str, args: Mapping[str, Any]) -> Iterator[float]:
        """The figure of each of several things that are named together, and the customers of both of two."""
        several = {name: keys for name, keys in _filters(args).items() if name in _COLUMNS and len(keys) > 1}
        wheres = [
            self._where({**args, "filters": {**_filters(args), name: [key]}}, leave=None)
            for name, keys in several.items()
            for key in keys
        ]
        for where, params in wheres:
            yield self._raw.value(f"select {_QUANTITIES[quantity]} from lines where {where}", params)
        if quantity == "customers" and len(wheres) == 2:
            sets = " intersect ".join(f"select customer from lines where {where}" for where, _ in wheres)
            yield self._raw.value(
                f"select count(*) from ({sets})", [p for _, params in wheres for p in params]
            )

    def _groups(self, quantity: str, by: str, args: Mapping[str, Any]) -> list[tuple[str, float]]:
        """Every group's key and figure; none where nothing is grouped, or by what the files do not tell."""
        if by in _COLUMNS:
            source, column = "lines", _COLUMNS[by]
        elif by != "none" and by in self._attributes():
            source, column = "lines join people using (customer)", by
        else:
            return []
        where, params = self._where(args, leave=(by,))
        rows = self._raw.rows(
            f"select {column}, {_QUANTITIES[quantity]} from {source} where {where} and {column} is not null"
            f" group by {column}",
            params,
        )
        return [(str(key), float(value or 0)) for key, value in rows]

    def _attributes(self) -> set[str]:
        return {row[0] for row in self._raw.rows("describe people")} - {"customer"}

    def _where(self, args: Mapping[str, Any], leave: Sequence[str] | None) -> tuple[str, list[Any]]:
        """The condition on lines, but for the dimensions to leave out."""
        parts, params, left = ["true"], [], set(leave or ())
        filters = _filters(args)
        for name, column in _COLUMNS.items():
            if filters.get(name) and name not in left:
                parts.append(f"list_contains(?, {column})")
                params.append([str(key) for key in filters[name]])
        for name, keys in (args.get("without") or {}).items():
            parts.append(f"not coalesce(list_contains(?, {_COLUMNS[name]}), false)")
            params.append([str(key) for key in keys])
        for attribute, values in (filters.get("attributes") or {}).items():
            if attribute in self._attributes() and attribute not in left:
                parts.append(f"customer in (select customer from people where list_contains(?, {attribute}))")
                params.append(list(values))
        for key, sign in (("start", ">="), ("end", "<=")):
            if args.get(key):
                parts.append(f"day {sign} cast(? as date)")
                params.append(args[key])
        return " and ".join(parts), params

    # profile -------------------------------------------------------------------------------

    def _profile(self, citation: Mapping[str, Any], args: Mapping[str, Any]) -> list[str]:
        """Money and trips in the sentence are the customer's own: the total, or a category's."""
        if _ESTIMATED.search(citation["fact"]):
            value = citation["value"]
            return _unwritten(citation, float(value)) if isinstance(value, int | float) else []
        customer = str(args.get("customer"))
        known = self._raw.rows(
            "select sum(amount), count(distinct basket_id), max(day) from lines where customer = ?",
            [customer],
        )[0]
        if known[0] is None:
            return [f"[{citation['n']}] profiles customer {customer}, who bought nothing"]
        spend, baskets, last = float(known[0]), float(known[1]), known[2]
        by_category = self._raw.rows(
            "select category, sum(amount), max(day) from lines where customer = ? group by category",
            [customer],
        )
        named = set(self._citing.named(str(citation["fact"])))
        of = [row for row in by_category if named & set(self._names.get(("category", str(row[0])), ()))]
        own = [float(row[1]) for row in of]
        last = max((row[2] for row in of), default=last)  # when such a thing was last bought
        money = own or [spend, spend / baskets, *(float(row[1]) for row in by_category)]
        wrong = [
            f"[{citation['n']}] {w.text}: no count of customer {customer}'s trips, {baskets:.0f}"
            for w, counted in counts(citation["fact"])
            if counted == "trips"
            and not own
            and w.unit is Unit.PLAIN
            and "2017" in citation["fact"]
            and not says(w, baskets)
        ]
        wrong += [
            f"[{citation['n']}] {w.text}: no share of customer {customer}'s purchases"
            for w in figures(citation["fact"])
            if w.unit is Unit.PERCENT
            and len(own) == 1
            and money == own
            and any(v.unit is Unit.MONEY for v in figures(citation["fact"]))
            and not says(w, own[0] / spend, 2 * LOOSE, coarsest=1.0)
        ]
        wrong += [
            f"[{citation['n']}] {w.text}: no sum of customer {customer}'s purchases"
            for w in figures(citation["fact"])
            if w.unit is Unit.MONEY and not any(says(w, m, TOLERANCE) for m in money)
        ]
        if str(citation["value"]) == last.isoformat() or not re.fullmatch(
            r"\d{4}-\d\d-\d\d", str(citation["value"])
        ):
            return wrong
        return [*wrong, f"[{citation['n']}] last visit {citation['value']}, the data says {last}"]

    # campaigns and baskets -----------------------------------------------------------------

    def _campaign(self, citation: Mapping[str, Any], args: Mapping[str, Any]) -> list[str]:
        value, key = citation["value"], args.get("campaign")
        if not isinstance(value, int | float):
            return []
        true = list(self._campaign_figures(str(key))) if key else self._rates()
        if any(_same(float(value), t) for t in true):
            return _unwritten(citation, float(value))
        return [_contradicted(citation, float(value), true)]

    def _campaign_figures(self, key: str) -> Iterator[float]:
        for sql in (
            "select count(*) from received where campaign = ?",
            "select count(distinct customer) from redeemed where campaign = ?",
            "select count(*) from redeemed where campaign = ?",
            "select count(distinct coupon) from coupons where campaign = ?",
            "select count(distinct product) from coupons where campaign = ?",
        ):
            yield self._raw.value(sql, [key])
        rows = self._raw.rows(
            "with r as (select *, row_number() over () as nr from redeemed where campaign = ?)"
            " select count(distinct r.nr) from r join coupons using (campaign, coupon)"
            " join products using (product) group by products.category",
            [key],
        )
        yield from (float(row[0]) for row in rows)

    def _rates(self) -> list[float]:
        rows = self._raw.rows(
            "select count(distinct d.customer) / count(distinct r.customer) from received r"
            " left join redeemed d using (campaign) group by campaign"
        )
        return [float(row[0]) for row in rows]

    def _bought_with(self, citation: Mapping[str, Any], args: Mapping[str, Any]) -> list[str]:
        column, first = (
            ("product", args.get("product")) if args.get("product") else ("category", args.get("category"))
        )
        second = str(citation["value"])
        if not first:
            return []
        row = self._raw.rows(
            f"with a as (select distinct basket_id from lines where {column} = ?),"
            f" b as (select distinct basket_id from lines where {column} = ?)"
            " select (select count(*) from a join b using (basket_id)), (select count(*) from a),"
            " (select count(*) from b), (select count(distinct basket_id) from lines)",
            [str(first), second],
        )[0]
        both, with_first, with_second, baskets = (float(n) for n in row)
        if not both:
            return [f"[{citation['n']}] {first} and {second} were never in one basket"]
        true = (both, both / with_first, both / with_first / (with_second / baskets))
        return [
            f"[{citation['n']}] {w.text}: not what the baskets say of {first} and {second}"
            for w in figures(PRODUCT_ID.sub("", citation["fact"]))
            if w.unit is Unit.PERCENT and not says(w, true[1], 2 * LOOSE, coarsest=1.0)
        ]

    # recommendations -----------------------------------------------------------------------

    def _offers(self, reply: Reply) -> list[str]:
        customers = {
            str(s["args"].get("customer")) for s in reply.get("steps", ()) if s["tool"] == "recommend"
        }
        wrong = []
        for offer in reply.get("recommendations", ()):
            product, reason = str(offer["product_id"]), str(offer["reason"])
            if not self._raw.value("select count(*) from lines where product = ?", [product]):
                wrong.append(f"recommended product {product} was never sold")
                continue
            trips = re.match(r"bought on ([\d,]+) trip|买过([\d,]+)次", reason)
            if trips and customers:
                said = float((trips[1] or trips[2]).replace(",", ""))
                true = [self._trips(customer, product) for customer in sorted(customers)]
                if said not in true:
                    wrong.append(f"product {product}: “{reason}”, but the data says {true[0]:.0f} trips")
        return wrong

    def _trips(self, customer: str, product: str) -> float:
        return self._raw.value(
            "select count(distinct basket_id) from lines where customer = ? and product = ?",
            [customer, product],
        )


def _beyond(groups: Sequence[float], amount: Mapping[str, Any], quantity: str, whole: float) -> list[float]:
    """How many groups lie within bounds, of how many, and what they come to where that adds up."""
    low, high = amount.get("low"), amount.get("high")
    chosen = [
        g
        for g in groups
        if (low is None or (g > low if amount.get("strict_low") else g >= low))
        and (high is None or (g < high if amount.get("strict_high") else g <= high))
    ]
    found = [float(len(chosen)), len(chosen) / max(len(groups), 1)]
    return found + ([sum(chosen), sum(chosen) / whole if whole else 0.0] if quantity in _ADDS_UP else [])


def _filters(args: Mapping[str, Any]) -> Mapping[str, Any]:
    return args.get("filters") or {}


def _same(said: float, true: float, tolerance: float = TOLERANCE) -> bool:
    return abs(said - true) <= tolerance * abs(true) + 1e-9


def _contradicted(citation: Mapping[str, Any], value: float, true: Sequence[float]) -> str:
    nearest = min(true, key=lambda t: abs(t - value), default=float("nan"))
    return f"[{citation['n']}] says {value:,.4f}, the data's nearest figure is {nearest:,.4f}"


def _unwritten(citation: Mapping[str, Any], value: float) -> list[str]:
    """A fact whose sentence does not hold its own value states something else than it knows."""
    written = figures(citation["fact"])
    # "Customer 7 bought milk" knows that it is 1 and need not say it.
    if any(says(w, value, coarsest=float("inf")) for w in written) or (value == 1 and not written):
        return []
    return [f"[{citation['n']}] has the value {value:,.4f}, but its sentence does not: {citation['fact']}"]
