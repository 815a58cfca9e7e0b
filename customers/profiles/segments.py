"""Segments: customers clustered on taste, described by what sets them apart, and named from it.

Taste is the leading factors of the TF-IDF weighted customer x category matrix; `clustering` scales
each customer to unit length, so that k-means groups by what is bought and not by how much.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from customers.profiles.embedding import latent_factors, weighted_taste
from customers.values import CategoryTaste, Name, Segment

_FACTORS = 8
_DEFINING = 1.2
_SUPPORT = 0.002
_TOP = 8


def taste_factors(counts: sp.csr_matrix, random_state: int = 0) -> NDArray[np.float64]:
    """Latent factors of taste, strongest first, shape (customers, at most 8), from customers x
    categories basket counts."""
    return latent_factors(weighted_taste(counts), _FACTORS, random_state)


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
    exceeds their share in everybody's the most; each bought by a tenth of the segment at least.
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
    buyers = np.asarray((baskets > 0).mean(axis=0)).ravel()
    usable = (everybody >= _SUPPORT) & (buyers >= 0.1)
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
    """One name each, unique, of the two categories that set the segment apart the most, with the
    spend level where it is far from usual: "Cat food / cat litter households, high spend"."""
    made: list[Name] = []
    taken: set[str] = set()
    for own, spend in zip(tops, mean_spend, strict=True):
        level = spend_level(spend / usual_spend if usual_spend else 1.0)
        for words in range(2, max(3, len(own) + 1)):
            title = _title(own, words, level)
            if title.en not in taken and title.zh not in {name.zh for name in made}:
                break
        else:
            number = len(made) + 1
            title = Name(f"{title.en} ({number})", f"{title.zh}（{number}）")
        taken.add(title.en)
        made.append(title)
    return made


def spend_level(ratio: float) -> Name:
    """How a mean spend compares with everybody's: high from 1.3 times, low to 0.7 times."""
    if ratio >= 1.3:
        return Name(", high spend", "（高消费）")
    if ratio <= 0.7:
        return Name(", low spend", "（低消费）")
    return Name("", "")


def _title(tops: list[CategoryTaste], words: int, level: Name) -> Name:
    apart = [taste.name for taste in tops if taste.lift >= _DEFINING][:words]
    if not apart:
        return Name(f"All-round households{level.en}", f"综合型家庭{level.zh}")
    english = [name.en if i == 0 else name.en[:1].lower() + name.en[1:] for i, name in enumerate(apart)]
    return Name(
        f"{' / '.join(english)} households{level.en}",
        "、".join(name.zh for name in apart) + f"家庭{level.zh}",
    )


def _column_sums(matrix: sp.csr_matrix) -> NDArray[np.float64]:
    return np.asarray(matrix.sum(axis=0)).ravel()
