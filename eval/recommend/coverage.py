"""What it costs to show more of the shop: last places for products that no list shows.

A list's last places go to products that nobody would be shown otherwise, where the chance given up is smallest, until
the share of products that is asked for is shown. At most half of a list is given away, from its end.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from customers.recommend.blend import Candidates
from customers.recommend.evaluate import TOP
from customers.recommend.history import Floats, Ints


def widened(
    lists: Sequence[Ints], candidates: Candidates, chances: Floats, products: int,
    keep: NDArray[np.bool_] | None = None,
) -> list[Ints]:  # fmt: skip
    """Return the lists with at least `products` different products in all, or as many as half of each list allows.

    chances: (rows of candidates) of being bought, by which the lists are ranked; those of `keep` only may be shown.
    """
    given = [own.copy() for own in lists]
    times_shown = np.bincount(np.concatenate(lists), minlength=int(candidates.product.max()) + 1)
    missing = products - int((times_shown > 0).sum())
    full = np.array([len(own) == TOP for own in lists])
    wanted = (times_shown[candidates.product] == 0) & full[candidates.customer]
    rows = np.flatnonzero(wanted if keep is None else wanted & keep)
    starts = np.searchsorted(candidates.customer, np.arange(len(lists)))
    ends = np.searchsorted(candidates.customer, np.arange(len(lists)), side="right")
    place = np.full(len(lists), TOP - 1)

    def loss(row: int) -> float:
        """The chance given up, as much as its place in the list counts; infinite where no place is left."""
        customer = candidates.customer[row]
        own = given[customer]
        while place[customer] >= TOP // 2 and times_shown[own[place[customer]]] == 1:
            place[customer] -= 1  # shown nowhere else
        if place[customer] < TOP // 2:
            return np.inf
        block = slice(starts[customer], ends[customer])
        at = starts[customer] + np.searchsorted(candidates.product[block], own[place[customer]])
        return float((chances[at] - chances[row]) / np.log2(place[customer] + 2))

    queue = [(loss(int(row)), int(row)) for row in rows]
    heapq.heapify(queue)
    while queue and missing > 0:
        lost, row = heapq.heappop(queue)
        customer, product = candidates.customer[row], candidates.product[row]
        if times_shown[product] or (now := loss(row)) == np.inf:
            continue
        if now > lost + 1e-12:  # a place of that list has gone since
            heapq.heappush(queue, (now, row))
            continue
        times_shown[given[customer][place[customer]]] -= 1
        times_shown[product] = 1
        given[customer][place[customer]] = product
        place[customer] -= 1
        missing -= 1
    return given
