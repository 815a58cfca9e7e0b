"""Categories that a customer never bought, each with what leads to it, as facts. Used by `recommend`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from customers.errors import NotBuilt
from customers.values import NewCategory
from tools import names, words
from tools.base import Fact
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

SHOWN = 3


def facts(shop: Shop, customer: str, ranked: int) -> tuple[Fact, ...]:
    """The nearest ones that evidence leads to, numbered on from the `ranked` facts before; none where the
    build has no knowledge graph."""
    try:
        found = shop.cross_category(customer, 2 * SHOWN)
    except NotBuilt:
        return ()
    led = [new for new in found if new.because_name is not None and new.relation != "need"]
    return tuple(_fact(customer, ranked + place, new) for place, new in enumerate(led[:SHOWN], 1))


def _fact(customer: str, rank: int, new: NewCategory) -> Fact:
    name, because = names.called(new.name), names.called(new.because_name or new.name)
    return Fact(
        names.customer(customer).en, "new_category", new.category, "category",
        _sentence(rank, new, name, because), names=(*name.all, *because.all),
    )  # fmt: skip


def _sentence(rank: int, new: NewCategory, name: names.Called, because: names.Called) -> Mapping[str, str]:
    count = words.number(new.support)
    match new.relation:
        case "together":
            why_en = f"{words.plural(new.support, 'basket')} in the shop held it together with {because.en}, which they buy"
            why_zh = f"全店有{count}个购物篮同时包含它和该顾客买过的{because.zh}"
        case "after":
            why_en = f"{words.plural(new.support, 'time')} in the shop it was bought on the trip after {because.en}, which they buy"
            why_zh = f"全店有{count}次在购买该顾客买过的{because.zh}之后的下一次到店买了它"
        case _:
            why_en = (
                f"{words.plural(new.support, 'customer')} bought both it and {because.en}, which they buy"
            )
            why_zh = f"有{count}位顾客同时买过它和该顾客买过的{because.zh}"
    return both(
        en=f"{rank}. A category they never bought, {name.en}: {why_en}.",
        zh=f"{rank}. 从未买过的品类{name.zh}：{why_zh}。",
    )
