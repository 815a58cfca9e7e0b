"""What may be offered to whom: rules that no model may break, and the reason for each product they hold back.

Rules come from the shop's own file, `rules.yaml` in its folder, and from the customer's feedback:

    out_of_stock: [product ids]
    exclude:
      products: [...]
      categories: [...]
      brands: [...]
    caps: {category: 2, brand: 3}        # at most so many of one category, of one brand, in a list
    offer_tobacco: true                  # offer it to who buys it; without this, only who asks for it gets it offered
    consent: marketing_consent           # the attribute that says whether a customer may be addressed

No rule knows a price: what a customer pays never depends on who they are, so nothing here, in a
recommendation or in a campaign's plan carries a price of its own for one customer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import yaml

from customers.errors import BadInput
from customers.values import Recommendation

RULES_FILE = "rules.yaml"
RuleName = Literal["never", "dismissed", "stock", "excluded", "category_cap", "brand_cap"]
CONSENT = ("marketing_consent", "consent", "opt_in", "marketing_opt_in")
"""Attributes that tell of consent where the rules name none."""
_NO = frozenset(
    {"no", "n", "false", "0", "none", "opted out", "opt-out", "withdrawn", "refused", "否", "不同意", "拒绝"}
)
_YES = frozenset({"yes", "y", "true", "1", "opted in", "opt-in", "given", "granted", "agreed", "是", "同意"})
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Rules:
    """The shop's rules. By default nothing is held back but tobacco, which is only offered where its category is asked
    for (`offer_tobacco`), no list is capped, and consent is whatever the shop's data says of it."""

    out_of_stock: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()
    category_cap: int | None = None
    brand_cap: int | None = None
    consent: str | None = None
    offer_tobacco: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A product that would have been offered, and the rule that holds it back: "never" and "dismissed" were said by
    the customer `at` a time; "stock" and "excluded" by the shop (`what`: product, category or brand); the caps let
    no more than `most` of one category or brand into a list."""

    product_id: str
    name: str
    rule: RuleName
    what: str = ""
    most: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """What is offered, the best first, and what rules kept out of the same list."""

    recommendations: tuple[Recommendation, ...]
    left_out: tuple[LeftOut, ...] = field(default_factory=tuple)


def read_rules(folder: Path) -> Rules:
    """Read a shop's rules; without the file they are the default ones. Raises BadInput, in one line, for a file that does not
    hold to the form above."""
    path = folder / RULES_FILE
    if not path.exists():
        return Rules()
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path} cannot be read ({str(error).splitlines()[0]}); mend or remove it") from error
    _known(path, given, {"out_of_stock", "exclude", "caps", "consent", "offer_tobacco"}, "the rules")
    exclude, caps = given.get("exclude") or {}, given.get("caps") or {}
    _known(path, exclude, {"products", "categories", "brands"}, "exclude")
    _known(path, caps, {"category", "brand"}, "caps")
    return Rules(
        _texts(path, given.get("out_of_stock"), "out_of_stock"),
        _texts(path, exclude.get("products"), "exclude: products"),
        _texts(path, exclude.get("categories"), "exclude: categories"),
        _texts(path, exclude.get("brands"), "exclude: brands"),
        _cap(path, caps.get("category"), "category"),
        _cap(path, caps.get("brand"), "brand"),
        str(given["consent"]) if given.get("consent") else None,
        _flag(path, given.get("offer_tobacco"), "offer_tobacco"),
    )


def _known(path: Path, given: Any, names: set[str], where: str) -> None:
    if not isinstance(given, Mapping) or set(given) - names:
        odd = (
            ", ".join(map(str, sorted(set(given) - names, key=str)))
            if isinstance(given, Mapping)
            else repr(given)
        )
        raise BadInput(f"{path}: {where} may hold {', '.join(sorted(names))}, not {odd}")


def _texts(path: Path, given: Any, where: str) -> frozenset[str]:
    if given is None:
        return frozenset()
    if not isinstance(given, list) or not all(
        isinstance(x, (str, int)) and not isinstance(x, bool) for x in given
    ):
        raise BadInput(f"{path}: {where} is a list of ids, such as [123, 456]")
    return frozenset(map(str, given))


def _cap(path: Path, given: Any, where: str) -> int | None:
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise BadInput(f"{path}: the cap of a {where} is a whole number, 1 or more, not {given!r}")
    return given


def _flag(path: Path, given: Any, where: str) -> bool:
    if given not in (None, True, False):
        raise BadInput(f"{path}: {where} is true or false, not {given!r}")
    return bool(given)


def may_address(rules: Rules, attributes: Mapping[str, str], recorded: Sequence[str]) -> bool:
    """Whether a customer may be sent advertising. recorded: the attributes that the shop keeps of anybody. Where it
    keeps consent, only a yes will do; where it keeps none, the shop answers for it outside of this data."""
    named = [rules.consent] if rules.consent else [name for name in CONSENT if name in recorded]
    for name in named:
        said = str(attributes.get(name or "", "")).strip().casefold()
        if said in _NO or said not in _YES:
            return False
    return True


Ask = Callable[[int, Sequence[str]], Sequence[Recommendation]]


def obey(
    ask: Ask,
    n: int,
    rules: Rules,
    turned_down: Mapping[str, tuple[Literal["never", "dismissed"], datetime]],
    brand_of: Callable[[str], str],
    *,
    capped: bool = True,
) -> Offered:
    """Return up to `n` recommendations that keep the rules, and what the rules held back. ask: returns so many
    recommendations without some product ids. capped: whether caps on categories apply (not where the asker named one).

    What breaks a rule is taken out and the list asked for anew, so that the next best takes its place; after a few
    rounds everything that is known to be barred is taken out at once.
    """
    barred = rules.out_of_stock | rules.products | turned_down.keys()
    out: dict[str, LeftOut] = {}
    found: Sequence[Recommendation] = ()
    for turn in range(_ROUNDS + 1):
        without = [*out, *(barred - out.keys() if turn > 1 else ())]
        wanted = n if turn < _ROUNDS // 2 else n * 4  # a whole category may be barred: look further at once
        found = ask(wanted, without)
        broken = _broken(found, n, rules, turned_down, brand_of, capped)
        if not broken:
            break
        for one in broken:
            out.setdefault(one.product_id, one)
    kept = [
        rec for rec in found if rec.product_id not in out and not _rule(rec, rules, turned_down, brand_of)
    ]
    return Offered(tuple(_within_caps(kept, rules, brand_of, capped)[:n]), tuple(out.values()))


def _broken(
    found: Sequence[Recommendation],
    n: int,
    rules: Rules,
    turned_down: Mapping[str, tuple[Literal["never", "dismissed"], datetime]],
    brand_of: Callable[[str], str],
    capped: bool,
) -> list[LeftOut]:
    """What of the first `n` breaks a rule; nothing where enough of what is further down keeps them all."""
    broken = [one for rec in found if (one := _rule(rec, rules, turned_down, brand_of))]
    barred = {one.product_id for one in broken}
    fine = [rec for rec in found if rec.product_id not in barred]
    kept = {rec.product_id for rec in _within_caps(fine, rules, brand_of, capped)}
    if len(found) > n and len(kept) >= n:
        return []
    return broken + [
        _over_cap(rec, rules, fine, brand_of, capped) for rec in fine if rec.product_id not in kept
    ]


def _rule(
    rec: Recommendation,
    rules: Rules,
    turned_down: Mapping[str, tuple[Literal["never", "dismissed"], datetime]],
    brand_of: Callable[[str], str],
) -> LeftOut | None:
    """The rule that holds a product back by itself."""
    key, name = rec.product_id, rec.name
    if key in turned_down:
        action, at = turned_down[key]
        return LeftOut(key, name, action, at=at)
    if key in rules.out_of_stock:
        return LeftOut(key, name, "stock")
    if key in rules.products:
        return LeftOut(key, name, "excluded", "product")
    if rec.category in rules.categories:
        return LeftOut(key, name, "excluded", "category")
    if rules.brands and brand_of(key) in rules.brands:
        return LeftOut(key, name, "excluded", "brand")
    return None


def _within_caps(
    found: Sequence[Recommendation], rules: Rules, brand_of: Callable[[str], str], capped: bool
) -> list[Recommendation]:
    kept, seen = [], {}
    for rec in found:
        sides = _sides(rec, rules, brand_of, capped)
        if all(seen.get((side, key), 0) < most for side, key, most in sides):
            kept.append(rec)
            for side, key, _ in sides:
                seen[side, key] = seen.get((side, key), 0) + 1
    return kept


def _sides(
    rec: Recommendation, rules: Rules, brand_of: Callable[[str], str], capped: bool
) -> list[tuple[str, str, int]]:
    """The category and the brand of a product, as far as each is capped."""
    sides = []
    if rules.category_cap is not None and capped and rec.category:
        sides.append(("category", rec.category, rules.category_cap))
    if rules.brand_cap is not None and (brand := brand_of(rec.product_id)):
        sides.append(("brand", brand, rules.brand_cap))
    return sides


def _over_cap(
    rec: Recommendation,
    rules: Rules,
    before: Sequence[Recommendation],
    brand_of: Callable[[str], str],
    capped: bool,
) -> LeftOut:
    for side, key, most in _sides(rec, rules, brand_of, capped):
        same = [r for r in before if (side, key, most) in _sides(r, rules, brand_of, capped)]
        if same.index(rec) >= most:
            rule: RuleName = "category_cap" if side == "category" else "brand_cap"
            return LeftOut(rec.product_id, rec.name, rule, key, most)
    side, key, most = _sides(rec, rules, brand_of, capped)[0]
    return LeftOut(rec.product_id, rec.name, "category_cap" if side == "category" else "brand_cap", key, most)
