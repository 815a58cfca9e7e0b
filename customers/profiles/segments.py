"""Segments: customers clustered on taste, described by what sets them apart, and named from it.

`clustering` groups them by the direction of taste: what is bought, not how much.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from customers.values import CategoryTaste, Name, Segment

_DEFINING = 1.2
_SUPPORT = 0.002
_CATCH_ALL = ("other ", "misc")
_TOP = 8


def describe(
    labels: NDArray[np.int64],
    spend: sp.csr_matrix,
    baskets: sp.csr_matrix,
    categories: list[str],
    names: dict[str, Name],
    totals: NDArray[np.float64],
) -> list[Segment]:
    """A Segment for each label.

    spend, baskets: customers x categories. totals: (customers, 3) spend, baskets, recency days.
    `top` are the categories of at least 0.2 % of all spend whose share in the segment's spend
    exceeds their share in everybody's the most, by a fifth at least; each bought by a tenth of the segment at least.
    """
    whole = _column_sums(spend)
    everybody = whole / whole.sum()
    found = []
    for label in range(int(labels.max()) + 1):
        members = labels == label
        tops = _tops(spend[members], baskets[members], everybody, categories, names)
        mean = totals[members].mean(axis=0)
        found.append((members, mean, tops))
    titles = name_segments(
        [tops for *_, tops in found], [mean[0] for _, mean, _ in found], totals[:, 0].mean()
    )
    return [
        Segment(
            segment_id=str(i + 1),
            name=titles[i],
            size=int(members.sum()),
            share=float(members.mean()),
            mean_spend=float(mean[0]),
            mean_baskets=float(mean[1]),
            mean_recency_days=float(mean[2]),
            top=tuple(tops),
        )
        for i, (members, mean, tops) in enumerate(found)
    ]


def _tops(
    spend: sp.csr_matrix,
    baskets: sp.csr_matrix,
    everybody: NDArray[np.float64],
    categories: list[str],
    names: dict[str, Name],
) -> list[CategoryTaste]:
    own = _column_sums(spend)
    share = own / max(own.sum(), 1e-9)
    lift = np.divide(share, everybody, out=np.ones_like(share), where=everybody > 0)
    buyers = baskets.getnnz(axis=0) / baskets.shape[0]  # type: ignore[index]
    usable = (everybody >= _SUPPORT) & (buyers >= 0.1) & (lift >= _DEFINING)
    # What sets a segment apart: much more than others, and enough to matter.
    order = np.argsort(-np.where(usable, lift, -1.0), kind="stable")[:_TOP]
    trips = _column_sums(baskets)
    return [
        CategoryTaste(
            category=categories[j],
            name=names.get(categories[j], Name(categories[j], categories[j])),
            spend=float(own[j]),
            baskets=int(trips[j]),
            share=float(share[j]),
            lift=float(lift[j]),
        )
        for j in order
        if usable[j]
    ]


def name_segments(tops: list[list[CategoryTaste]], mean_spend: list[float], usual_spend: float) -> list[Name]:
    """One name each, unique in both languages, of the two categories that set the segment apart the
    most, with the spend level where it is far from usual: "Low-spend shoppers of cakes and salad bar".
    More categories are named where two would not tell two segments apart."""
    made: list[Name] = []
    for own, spend in zip(tops, mean_spend, strict=True):
        level = spend / usual_spend if usual_spend else 1.0
        tried = [_title(own, words, level) for words in range(2, max(3, len(own) + 1))]
        free = [name for name in tried if all(name.en != m.en and name.zh != m.zh for m in made)]
        number = len(made) + 1
        last = Name(f"{tried[-1].en} ({number})", f"{tried[-1].zh}（{number}）")
        made.append(free[0] if free else last)
    return made


def defining(tops: list[CategoryTaste]) -> list[Name]:
    """Categories worth naming a segment after, best first: by extra share, (lift - 1) * sqrt(share),
    so that neither a rarity nor a staple stands for it; a catch-all ("Other ...") never does."""
    apart = [t for t in tops if t.lift >= _DEFINING and not t.name.en.lower().startswith(_CATCH_ALL)]
    return [t.name for t in sorted(apart, key=lambda t: -(t.lift - 1) * t.share**0.5)]


def _title(tops: list[CategoryTaste], words: int, level: float) -> Name:
    """Spend is called high from 1.3 times everybody's mean, low to 0.7 times."""
    high, low = level >= 1.3, level <= 0.7
    english = "High-spend shoppers" if high else "Low-spend shoppers" if low else "Shoppers"
    chinese = "（高消费）" if high else "（低消费）" if low else ""
    apart = defining(tops)[:words]
    if not apart:
        return Name(f"{english} of everything", f"综合购物客群{chinese}")
    lowered = [name.en[:1].lower() + name.en[1:] if name.en[1:2].islower() else name.en for name in apart]
    listed = ", ".join(lowered[:-1]) + " and " + lowered[-1] if len(lowered) > 1 else lowered[0]
    return Name(f"{english} of {listed}", "、".join(name.zh for name in apart) + f"偏好客群{chinese}")


def _column_sums(matrix: sp.csr_matrix) -> NDArray[np.float64]:
    return np.asarray(matrix.sum(axis=0)).ravel()
