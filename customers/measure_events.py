"""What customers did beside buying: which events each quantity of `measure` counts, and by which words a search is found."""

from __future__ import annotations

import re
from collections.abc import Sequence

from customers.errors import BadInput
from customers.measure import Dimension, Measure, Quantity
from customers.measure_keys import Store

KINDS = {
    Quantity.SEARCHES: ("search",), Quantity.VIEWS: ("browse", "click"), Quantity.CART_ADDS: ("cart",),
    Quantity.REVIEWS: ("review",), Quantity.GOOD_REVIEWS: ("review",), Quantity.BAD_REVIEWS: ("review",),
    Quantity.MEAN_RATING: ("review",), Quantity.INQUIRIES: ("inquiry",), Quantity.RETURNS: ("return",),
}  # fmt: skip
GOOD, BAD = 0.8, 0.4
"""Parts of the scale: four stars of five speak for a product, two against it (as in `profiles.label_counts`)."""
_SCALES = (5, 10, 100)
_WORD = r"[\s\W_]+"
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def rating_scale(highest: float | None) -> int:
    """The scale of ratings whose highest is known: 5, 10 or 100 points, the smallest that holds it."""
    return next((scale for scale in _SCALES if (highest or 0) <= scale), _SCALES[-1])


def check(spec: Measure, products: Sequence[Dimension]) -> None:
    """Raise BadInput where what is asked of searches cannot be meant, or search texts of anything else."""
    asked = {spec.by, *spec.where}
    if spec.quantity is not Quantity.SEARCHES:
        if Dimension.QUERY in asked:
            raise BadInput("Only searches have a search text; measure searches, or leave 'query' out.")
        return
    goods = [str(d) for d in products if d in (*asked, *spec.without)]
    if goods:
        raise BadInput(
            f"A search is of no {goods[0]}; filter on 'query', the words that were searched for, instead."
        )


def condition(store: Store, quantity: Quantity) -> str:
    """The rows of measure_events l that a quantity counts, in our own words only."""
    kinds = ", ".join(f"'{kind}'" for kind in KINDS[quantity])
    clause = f"l.kind IN ({kinds})"
    if quantity is Quantity.MEAN_RATING:
        return f"{clause} AND l.rating IS NOT NULL"
    if quantity in (Quantity.GOOD_REVIEWS, Quantity.BAD_REVIEWS):
        scale = rating_scale(store.rows(f"SELECT max(rating) FROM {store['measure_events']}")[0][0])
        good = quantity is Quantity.GOOD_REVIEWS
        return f"{clause} AND l.rating {'>=' if good else '<='} {scale * (GOOD if good else BAD):g}"
    return clause


def holding(words: str) -> str:
    """A regular expression (RE2) for search texts that hold some words: whole words of a language with spaces, in singular
    or plural, anywhere in a text of one without."""
    parts = [part for part in re.split(_WORD, words.lower()) if part]
    if not parts:
        raise BadInput(f"'{words}' holds no word to look for in searches.")
    if _UNSPACED.search(words):
        return " ?".join(_literal(part) for part in parts)
    *before, last = parts
    endings = {last} | {
        last[: -len(end)] for end in ("s", "es") if last.endswith(end) and len(last) > len(end) + 2
    }
    head = "".join(f"{_literal(part)} " for part in before)
    return f"(^| ){head}({'|'.join(map(_literal, sorted(endings)))})(s|es)?( |$)"


def _literal(part: str) -> str:
    """A word as itself in a regular expression of RE2."""
    return "".join(c if c.isalnum() else f"\\x{{{ord(c):x}}}" for c in part)
