"""Names as callers write them, as the shop's keys."""

from __future__ import annotations

import difflib

from api.errors import Problem
from customers.shop import Shop
from tools.words import label

_NEAR = 5


def resolve(shop: Shop, kind: str, given: str) -> str:
    """Return the key of a kind that is meant by a key, by a name in either language, in any case, or by a part
    of one name alone.

    Raises Problem 404 that tells the nearest ones.
    """
    keys = list(map(str, shop.keys(kind)))
    if given in keys:
        return given
    wanted = given.strip().casefold()
    spelt: dict[str, str] = {}
    for key in keys:
        name = shop.name(kind, key)
        for word in (key, name.en, name.zh):
            spelt.setdefault(word.casefold(), key)
    spelt |= {w.casefold(): k for of, k, _, w in shop.synonyms() if of == kind and w.casefold() not in spelt}
    if wanted in spelt:
        return spelt[wanted]
    holding = list(dict.fromkeys(key for word, key in spelt.items() if wanted and wanted in word))
    if len(holding) == 1:
        return holding[0]
    near = difflib.get_close_matches(wanted, spelt, n=_NEAR, cutoff=0.5)
    nearest = holding[:_NEAR] or list(dict.fromkeys(spelt[word] for word in near)) or keys[:_NEAR]
    raise Problem(
        404, f"there is no {kind} {label(given)!r} in this shop", code="unknown", param=kind,
        allowed=f"one of {', '.join(nearest)}" + (" …" if len(keys) > len(nearest) else ""),
    )  # fmt: skip
