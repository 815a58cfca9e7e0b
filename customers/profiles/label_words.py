"""What labels are called in both languages, and the rules behind them in words."""

from __future__ import annotations

from dataclasses import dataclass

INTEREST_MARGIN = 1.2


@dataclass(frozen=True, slots=True)
class Word:
    """A label of a fixed wording. The rule's {0} and {1} are its thresholds."""

    key: str
    en: str
    zh: str
    rule_en: str
    rule_zh: str

    def rule(self, *bounds: float) -> tuple[str, str]:
        """The rule with its thresholds, in both languages."""
        told = [f"{bound:,.1f}".removesuffix(".0") for bound in bounds]
        return self.rule_en.format(*told), self.rule_zh.format(*told)


@dataclass(frozen=True, slots=True)
class State:
    """A label told by a query that gives customer_id, value and confidence."""

    word: Word
    sql: str


TOTALS = {
    "spend": (
        Word("heavy_spender", "Spends much", "高消费", "among the fifth with the highest spend (from {0})",
             "消费额居前五分之一（{0}以上）"),
        Word("light_spender", "Spends little", "低消费", "among the fifth with the lowest spend (up to {0})",
             "消费额居后五分之一（{0}以下）"),
    ),
    "baskets": (
        Word("frequent", "Comes often", "常来", "among the fifth with the most trips (from {0})",
             "到店次数居前五分之一（{0}次以上）"),
        Word("rare", "Comes seldom", "少来", "among the fifth with the fewest trips (up to {0})",
             "到店次数居后五分之一（{0}次以下）"),
    ),
    "mean_basket": (
        Word("large_baskets", "Large baskets", "大购物篮",
             "five trips or more, and among the fifth that spends most a trip (from {0})",
             "到店5次以上，且每次消费居前五分之一（{0}以上）"),
        Word("small_baskets", "Small baskets", "小购物篮",
             "five trips or more, and among the fifth that spends least a trip (up to {0})",
             "到店5次以上，且每次消费居后五分之一（{0}以下）"),
    ),
}  # fmt: skip


def _rate(key: str, en: str, zh: str, of_en: str, of_zh: str) -> Word:
    return Word(
        key, en, zh,
        of_en + " in the top fifth (from {0}%), and with 90% certainty above the shop's {1}%",
        of_zh + "居前五分之一（{0}%以上），且有90%把握高于全店的{1}%",
    )  # fmt: skip


RATES = (
    _rate("weekend", "Weekend shopper", "周末购物", "share of trips on Saturday and Sunday", "周六和周日到店占比"),
    _rate("evening", "Evening shopper", "晚间购物", "share of trips from 18:00 on", "18点以后到店占比"),
    _rate("morning", "Morning shopper", "早间购物", "share of trips before 11:00", "11点以前到店占比"),
    _rate("bargains", "Looks for bargains", "爱买折扣", "share of lines bought at a discount", "打折商品占比"),
    _rate("full_price", "Pays the full price", "多买原价", "share of lines bought without a discount", "原价商品占比"),
    _rate("own_brand", "Buys the shop's own brands", "偏好自有品牌", "share of lines of own brands", "自有品牌商品占比"),
    _rate("returns", "Returns often", "常退货", "returns for each line bought", "退货占购买的比例"),
)  # fmt: skip

STATES = (
    State(
        Word("lapsed", "Has stopped coming", "久未到店",
             "three trips or more, and away for more than twice the usual gap (a gap counts as 7 days at least); "
             "the confidence is 1 - exp(-days away / usual gap)",
             "到店3次以上，且未到店天数超过通常间隔的两倍（间隔至少按7天计）；置信度为1-exp(-未到店天数/通常间隔)"),
        "SELECT customer_id, recency_days AS value, least(1 - exp(-recency_days / greatest(days_between, 7)), 0.9999) AS confidence"
        " FROM customer_summary WHERE baskets >= 3 AND recency_days > 2 * greatest(days_between, 7)",
    ),
    State(
        Word("new", "New customer", "新顾客", "first trip within the last 60 days of the data, which cover 180 or more",
             "首次到店在数据最后60天内（数据覆盖180天以上）"),
        "WITH t AS (SELECT min(first_day) AS first, max(last_day) AS last FROM customer_summary)"
        " SELECT customer_id, first_day::VARCHAR AS value, 1.0 AS confidence FROM customer_summary, t"
        " WHERE date_diff('day', first_day, last) < 60 AND date_diff('day', first, last) >= 180",
    ),
    State(
        Word("coupon_user", "Uses coupons", "使用优惠券", "has redeemed a coupon", "兑换过优惠券"),
        "SELECT customer_id, coupons_redeemed AS value, 1.0 AS confidence FROM customer_summary"
        " WHERE coupons_redeemed > 0",
    ),
    State(
        Word("ignores_coupons", "Leaves coupons unused", "不用优惠券",
             "was sent three campaigns or more and redeemed nothing", "收到3次以上活动但从未兑换"),
        "SELECT customer_id, campaigns_received AS value, 1.0 AS confidence FROM customer_summary"
        " WHERE campaigns_received >= 3 AND coupons_redeemed = 0"
        " AND EXISTS (SELECT 1 FROM customer_summary WHERE coupons_redeemed > 0)",
    ),
    State(
        Word("one_store", "Loyal to one store", "固定门店",
             "five trips or more, nine of ten in one store, in a shop with several", "到店5次以上，九成在同一门店"),
        "SELECT customer_id, main_store_share AS value, 1.0 AS confidence FROM customer_rhythm"
        " WHERE baskets >= 5 AND main_store_share >= 0.9"
        " AND (SELECT count(DISTINCT store_id) FROM held_baskets) > 1",
    ),
)  # fmt: skip

_FACETS = {
    ("price", "low"): ("Chooses the cheaper", "偏好低价位"),
    ("price", "high"): ("Chooses the dearer", "偏好高价位"),
    ("size", "small"): ("Chooses small packs", "偏好小包装"),
    ("size", "large"): ("Chooses large packs", "偏好大包装"),
}
_FACET_RULE = (
    "bought 1.15 times as often or more as the categories bought would lead one to expect (value: the lift), with "
    "90% certainty above 1; {0}",
    "购买次数是按其所购品类推算的1.15倍以上（数值为提升度），且有90%把握高于1；{1}",
)
INTEREST_RULE = (
    "on three trips or more, and 1.5 times as often or more as by everybody (value: the lift, shrunk towards 1), with "
    "90% certainty above 1.2; the five highest",
    "3次以上到店购买，且频率是全体顾客的1.5倍以上（数值为向1收缩后的提升度），且有90%把握高于1.2；取最高的五个",
)
SEGMENT_RULE = (
    "the segment that the customer's taste is nearest to; the confidence is how well two groupings of random halves agree",
    "与该顾客口味最接近的分群；置信度为两个随机半数分群的一致程度",
)
LIKELY_RULE = (
    "the five most probable categories of the next 30 days, from 30% on; the confidence is the probability",
    "未来30天最可能购买的五个品类（30%以上）；置信度即概率",
)
NEED = ("need:", "searched for twice or more, in words that five customers or more used",
        "搜索过两次以上，且有五位以上顾客使用相同的词")  # fmt: skip
OPINION = (
    "likes:",
    "mean rating of four stars or more; two or fewer for a dislike",
    "平均评分四星以上；两星以下为不喜欢",
)


def facet(kind: str, value: str, name_en: str, name_zh: str) -> tuple[str, str, str]:
    """(key, English, Chinese) of a brand, a price level or a pack size."""
    en, zh = _FACETS.get((kind, value), (f"Prefers {name_en}", f"偏好{name_zh}"))
    return f"{kind}:{value}", en, zh


def facet_rules(rules: dict[str, tuple[str, str]]) -> None:
    """Add the rules of `facet`."""
    told = {
        "brand:": ("brand", "品牌"),
        "price:": ("thirds of the category's products by price", "按品类内价格三等分"),
        "size:": ("thirds of the category's products by pack size, of one unit", "按品类内同单位包装三等分"),
    }
    rules |= {
        key: (_FACET_RULE[0].format(en, zh), _FACET_RULE[1].format(en, zh)) for key, (en, zh) in told.items()
    }


def likely(category: str, name_en: str, name_zh: str) -> tuple[str, str, str]:
    """(key, English, Chinese) of a category that will probably be bought."""
    return f"buys:{category}", f"Likely to buy {name_en}", f"可能购买{name_zh}"
