"""at_risk: the customers who may be about to leave, those first whose leaving would cost the most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from customers.profiles.forecast import CHURN_DAYS
from tools import names, words
from tools.base import Access, CannotDo, Fact, Table, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

LEAST = 0.25
"""The chance from which on somebody counts as at risk: over twice what is usual in a grocery, and calibrated, so that
at least one in four of them will really stay away."""
SHOWN, LISTED, MOST = 10, 20, 100
MONTH, LEAST_DAYS = 30, 90
"""What is usually spent is told for so many days, of the time from the first visit to the last, or of these days where
that is shorter: one visit makes no habit."""
_KNOWN = "SELECT 1 FROM information_schema.tables WHERE table_name = 'customer_predictions'"
_QUERY = f"""
    SELECT customer_id, churn, recency_days, days_between,
           spend * {MONTH} / greatest(date_diff('day', first_day, last_day) + 1, {LEAST_DAYS}) AS usual
    FROM customer_predictions JOIN customer_summary USING (customer_id)
    WHERE (? IS NULL OR customer_id IN (SELECT customer_id FROM customer_segments WHERE segment_id = ?))
      AND (? IS NULL OR customer_id IN (SELECT unnest(?::VARCHAR[])))
      AND (? IS NULL OR customer_id IN (SELECT customer_id FROM customer_categories WHERE category = ?))
    ORDER BY churn * usual DESC, customer_id"""


@dataclass(frozen=True, slots=True)
class AtRisk:
    """One customer. `chance` (0..1) of no purchase within CHURN_DAYS; `away` days since the last visit, `gap` the usual
    days between two (None below two visits); `usual` money spent in MONTH days while they came."""

    customer_id: str
    chance: float
    away: int
    gap: float | None
    usual: float


class AtRiskTool:
    """Customers whose chance to buy nothing for a while is high, by what they would take along."""

    name = "at_risk"
    access = Access.READ
    describe = "which, and how many, customers may be about to leave, those first who would be missed most"
    busy = both(en="Looking for customers who may leave", zh="正在查找可能流失的顾客")
    parameters = {
        "segment": {"type": "string", "x-entity": "segment"},
        "category": {"type": "string", "x-entity": "category"},
        "n": {"type": "integer", "x-count": True},
        "among": {"type": "array", "x-among": True, "x-derived": True},
    }
    required = ()

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return how many are at risk, then the n of them with the largest chance times usual spend. `category`: only
        customers who bought of it; `among`: only customers of this list."""
        segment, category, among = args.get("segment"), args.get("category"), args.get("among")
        asked = [segment, segment, among, among, category, category]
        rows = shop.query(_QUERY, asked) if shop.query(_KNOWN) else []
        if not rows:
            raise CannotDo(_unknown())
        everybody = [AtRisk(str(key), *rest) for key, *rest in rows]
        whom = _Whom.of(shop, segment, category, bool(among), len(everybody))
        found = [one for one in everybody if one.chance >= LEAST]
        facts = [_count(whom, found)]
        listed = found[: max(1, min(int(args.get("n") or LISTED), MOST))]
        if not found:
            facts.append(_likeliest(shop, max(everybody, key=lambda one: one.chance)))
        facts += [_one(shop, rank, one) for rank, one in enumerate(listed[:SHOWN], 1)]
        return ToolResult(
            tuple(facts),
            found={"customer": tuple(one.customer_id for one in found)},
            cases=frozenset({"listed"} if found else ()),
            full=found,
            table=_table(shop, listed[SHOWN:]) if len(listed) > SHOWN else None,
        )


def _unknown() -> Mapping[str, str]:
    return both(
        en="The data is too short to tell who may leave.", zh="数据时间太短，无法判断哪些顾客可能流失。"
    )


@dataclass(frozen=True, slots=True)
class _Whom:
    """Among whom customers are looked for, as the sentences say it."""

    en: str
    zh: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, shop: Shop, segment: str | None, category: str | None, listed: bool, size: int) -> _Whom:
        group = names.called(shop.name("segment", segment)) if segment else None
        goods = names.category(shop, category) if category else None
        en, zh = f"{words.number(size)} customers", f"{words.number(size)}位"
        if goods:
            en, zh = f"{en} who bought {goods.en}", f"{zh}买过{goods.zh}的"
        if group:
            en, zh = f"{en} in the segment “{group.en}”", f"{zh}“{group.zh}”分群的"
        used = tuple(name for one in (group, goods) if one for name in one.all)
        return cls(f"{'these ' if listed else ''}{en}", f"{'这' if listed else ''}{zh}顾客", used)


def _count(whom: _Whom, found: list[AtRisk]) -> Fact:
    many, least = words.number(len(found)), words.percent(LEAST, 0)
    gone = round(sum(one.chance for one in found))
    rule_en = f"buy nothing within {CHURN_DAYS} days after the data ends"
    rule_zh = f"数据截止后{CHURN_DAYS}天内不再购买的概率"
    if not found:
        en = f"Not one of {whom.en} is at risk of leaving: each is less than {least} likely to {rule_en}"
        zh = f"{whom.zh}都没有明显的流失风险：{rule_zh}均不到{least}"
    else:
        are = "is at risk" if len(found) == 1 else "are at risk"
        en = f"{many} of {whom.en} {are} of leaving: at least {least} likely to {rule_en}"
        zh = f"{whom.zh}中有{many}位可能流失：{rule_zh}至少{least}"
    if gone:
        en += f"; about {words.number(gone)} of them will probably stay away"
        zh += f"，预计其中约{words.number(gone)}位真的不再来"
    if len(found) > 1:
        en += ". Those come first whose leaving would cost most: the chance times their usual spend"
        zh += "。排在前面的是流失损失最大的顾客（概率×平时消费）"
    return Fact(
        "customers at risk of leaving", "customers", len(found), "customers", both(en=f"{en}.", zh=f"{zh}。"),
        names=whom.names,
    )  # fmt: skip


def _likeliest(shop: Shop, one: AtRisk) -> Fact:
    told = _told(shop, one)
    return Fact(
        f"customer {one.customer_id}", f"no_purchase_within_{CHURN_DAYS}_days", one.chance, "probability",
        both(en=f"The likeliest to leave is customer {words.label(one.customer_id)}: {told['en']}.",
             zh=f"其中概率最高的是{names.customer(one.customer_id).zh}：{told['zh']}。"),
    )  # fmt: skip


def _one(shop: Shop, rank: int, one: AtRisk) -> Fact:
    told = _told(shop, one)
    return Fact(
        f"customer {one.customer_id}", f"no_purchase_within_{CHURN_DAYS}_days", one.chance, "probability",
        both(en=f"{rank}. Customer {words.label(one.customer_id)}: {told['en']}.",
             zh=f"{rank}. {names.customer(one.customer_id).zh}：{told['zh']}。"),
    )  # fmt: skip


def _told(shop: Shop, one: AtRisk) -> Mapping[str, str]:
    """The evidence: the chance, how long away against how often usually, and what is usually spent."""
    chance, paid = words.chance(one.chance), words.money(one.usual, shop.info.currency)
    gap_en = gap_zh = ""
    if one.gap is not None:
        days = words.number(one.gap)
        gap_en = ", usually every day" if one.gap == 1 else f", usually every {days} days"
        gap_zh = "，平时每天都来" if one.gap == 1 else f"，平时每{days}天来一次"
    return both(
        en=f"{chance} chance of leaving; last came {words.days_ago(one.away, 'en')}{gap_en}; "
        f"usually spends {paid} in {MONTH} days",
        zh=f"流失概率{chance}；上次到店在{words.days_ago(one.away, 'zh')}{gap_zh}；平时每{MONTH}天消费{paid}",
    )


def _table(shop: Shop, found: list[AtRisk]) -> Table:
    rows = tuple(
        (words.label(one.customer_id), words.chance(one.chance), words.number(one.away),
         "–" if one.gap is None else words.number(one.gap), words.money(one.usual, shop.info.currency))
        for one in found
    )  # fmt: skip
    titles = {
        "en": ("Customer", "Chance", "Days away", "Usual gap, days", f"Usual spend in {MONTH} days"),
        "zh": ("顾客", "概率", "未到店天数", "平时间隔（天）", f"平时每{MONTH}天消费"),
    }
    return Table(titles, {"en": rows, "zh": rows})
