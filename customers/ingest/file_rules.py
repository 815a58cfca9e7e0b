"""What may be wrong with the rows of plain files."""

from __future__ import annotations

import ibis

from customers.ingest.cleaning import ABSURD, DROPPED, NOTED, REPAIRED, UNUSUAL, Rule, quantity_rules
from customers.schema import EventKind
from customers.stores.events import Column, Table

# Kinds of event that make no sense without a product.
WITH_PRODUCT = (EventKind.CLICK, EventKind.CART, EventKind.PURCHASE, EventKind.RETURN)
SALES = (EventKind.PURCHASE.value, EventKind.RETURN.value)
CAMPAIGN = (EventKind.EXPOSURE.value, EventKind.REDEMPTION.value)

UNKNOWN_PRODUCT = Rule(
    "unknown_product",
    NOTED,
    "product is in no product file; it is listed with what the events say of it",
    "商品不在任何商品文件中;按事件中的信息列出",
    lambda t: t.product_id.notnull() & t.listed.isnull(),
)

UNKNOWN_CAMPAIGN = Rule(
    "unknown_campaign",
    NOTED,
    "campaign is not among the shop's campaigns",
    "营销活动不在店铺的活动列表中",
    lambda t: t.campaign_id.notnull() & t.listed_campaign.isnull(),
)


def _says(t: Table, *fields: str) -> Column:
    """Whether the file has a column for one of the fields: what no row can say, no row lacks."""
    return ibis.literal(any(f"raw_{field}" in t.columns for field in fields))


def _lacks(t: Table, *fields: str) -> Column:
    """Every one of the fields is missing, though the file has a column for some."""
    lacking = _says(t, *fields)
    for field in fields:
        lacking = lacking & t[field].isnull()
    return lacking


_IDENTITY = [
    Rule("missing_customer", DROPPED, "no customer", "缺少客户", lambda t: t.customer_id.isnull()),
    Rule("missing_time", DROPPED, "no time", "缺少时间", lambda t: t.ts_text.isnull()),
    Rule(
        "unreadable_time", DROPPED, "time cannot be read as a date", "时间无法识别", lambda t: t.ts.isnull()
    ),
    Rule("unknown_kind", DROPPED, "kind of event is not known", "未知的事件类型", lambda t: t.kind.isnull()),
    Rule(
        "missing_product",
        DROPPED,
        "no product, where the kind of event needs one",
        "此类事件需要商品,但缺少商品",
        lambda t: t.product_id.isnull() & t.kind.isin([kind.value for kind in WITH_PRODUCT]),
    ),
    Rule(
        "duplicate",
        DROPPED,
        "same as an earlier row of the file",
        "与文件中之前的行重复",
        lambda t: t.duplicate,
    ),
]

_INCOMPLETE = [
    Rule(
        "empty_search",
        DROPPED,
        "search without the words that were searched for",
        "搜索事件缺少搜索词",
        lambda t: (t.kind == EventKind.SEARCH.value) & _lacks(t, "text"),
    ),
    Rule(
        "empty_review",
        DROPPED,
        "review with neither text nor rating",
        "评价既无文字也无评分",
        lambda t: (t.kind == EventKind.REVIEW.value) & _lacks(t, "text", "rating"),
    ),
    Rule(
        "empty_inquiry",
        DROPPED,
        "inquiry without a text",
        "咨询缺少内容",
        lambda t: (t.kind == EventKind.INQUIRY.value) & _lacks(t, "text"),
    ),
    Rule(
        "missing_campaign",
        DROPPED,
        "exposure or redemption without its campaign",
        "曝光或核销缺少营销活动",
        lambda t: t.kind.isin(CAMPAIGN) & _lacks(t, "campaign_id"),
    ),
]

_NUMBERS = [
    Rule(
        "unreadable_number",
        DROPPED,
        "quantity or amount is not a number",
        "数量或金额不是数字",
        lambda t: t.bad_number,
    ),
    Rule(
        "quantity_zero",
        DROPPED,
        "quantity of zero: nothing was bought",
        "数量为零:没有购买任何商品",
        lambda t: (t.quantity == 0) & t.kind.isin(SALES),
    ),
    Rule(
        "impossible_quantity",
        DROPPED,
        "quantity of zero or less, where nothing can be taken back",
        "数量为零或负数,而此类事件不可能为负",
        lambda t: (t.quantity <= 0) & ~t.kind.isin(SALES),
    ),
    Rule(
        "negative_amount",
        DROPPED,
        "amount below zero for a quantity above zero",
        "数量为正而金额为负",
        lambda t: (t.amount < 0) & (t.quantity > 0) & t.kind.isin(SALES),
    ),
    Rule(
        "rating_out_of_scale",
        DROPPED,
        "rating outside its scale (up to 5, 10 or 100, whichever holds nearly all ratings of the file)",
        "评分超出量表范围(满分 5、10 或 100,以文件中绝大多数评分为准)",
        lambda t: (t.rating < 0) | (t.rating > t.rating_scale),
    ),
]

_CLOCK = [
    Rule("future_time", DROPPED, "time lies in the future", "时间在未来", lambda t: t.ts > t.now),
    Rule(
        "outside_period",
        DROPPED,
        "time lies far outside the period of nearly all rows (a default date such as 1970 or 1900)",
        "时间远在绝大多数行的时间范围之外(例如 1970 或 1900 年等默认日期)",
        lambda t: t.outside,
    ),
    Rule(
        "one_instant",
        DROPPED,
        "stamped at the very second of many other customers' events: a clock that stood still",
        "与众多其他客户的事件处于同一秒:时钟停滞",
        lambda t: t.one_instant,
    ),
    Rule(
        "session_clock",
        DROPPED,
        "time lies hours or years away from the other events of its session",
        "时间与同一会话的其他事件相差数小时乃至数年",
        lambda t: t.clock_off,
    ),
]

_OUTLIERS = [
    *quantity_rules(),
    Rule(
        "absurd_amount",
        DROPPED,
        "amount far beyond quantity times the product's usual price",
        "金额远超数量乘以该商品的通常价格",
        lambda t: t.amount_score > ABSURD,
    ),
    Rule(
        "unusual_amount",
        NOTED,
        "amount unusual for the product and quantity, but possible (a price rise, a give-away)",
        "金额对该商品和数量而言异常,但有可能(涨价、赠品)",
        lambda t: (t.amount_score.abs() > UNUSUAL) & (t.amount_score <= ABSURD),
    ),
]

_MENDED = [
    Rule(
        "time_assumed",
        REPAIRED,
        "the file has no times; taken as of the day that its mapping gives (`at`)",
        "文件没有时间;按映射中给定的日期(`at`)计",
        lambda t: ~_says(t, "ts"),
    ),
    Rule(
        "negative_quantity",
        REPAIRED,
        "purchase with a negative quantity, taken as a return",
        "数量为负的购买,视为退货",
        lambda t: t.negative,
    ),
    Rule(
        "signed_return",
        REPAIRED,
        "return written with a minus sign, which it does not need",
        "退货带有负号,已去除",
        lambda t: t.signed_return,
    ),
    Rule(
        "quantity_assumed",
        REPAIRED,
        "no quantity given, taken as one",
        "缺少数量,按一件计",
        lambda t: t.quantity_text.isnull() & t.kind.isin(SALES),
    ),
    Rule(
        "amount_computed",
        REPAIRED,
        "no amount given, computed as quantity times unit price",
        "缺少金额,按数量乘以单价计算",
        lambda t: t.amount_text.isnull() & t.amount.notnull(),
    ),
    Rule(
        "review_of_no_product",
        NOTED,
        "review that names no product, taken as one of the shop",
        "评价未指明商品,视为对店铺的评价",
        lambda t: (t.kind == EventKind.REVIEW.value) & t.product_id.isnull() & _says(t, "product_id"),
    ),
    Rule(
        "no_amount",
        NOTED,
        "purchase or return without an amount",
        "购买或退货缺少金额",
        lambda t: t.amount.isnull() & t.kind.isin(SALES),
    ),
]

EVENT_RULES = [*_IDENTITY, *_INCOMPLETE, *_NUMBERS, *_CLOCK, *_OUTLIERS, *_MENDED]

PRODUCT_RULES = [
    Rule("missing_id", DROPPED, "no product id", "缺少商品编号", lambda t: t.product_id.isnull()),
    Rule("duplicate", DROPPED, "product id listed before", "商品编号已列出", lambda t: t.duplicate),
    Rule(
        "negative_price",
        REPAIRED,
        "price below zero, taken as not given",
        "价格为负,视为未提供",
        lambda t: t.bad_price,
    ),
    Rule("no_name", NOTED, "no name; the id stands for it", "缺少名称,以编号代替", lambda t: t.name.isnull()),
    Rule("no_category", NOTED, "no category given", "缺少品类", lambda t: t.category.isnull()),
]

NAME_RULES = [
    Rule("missing_key", DROPPED, "no kind or no key", "缺少种类或键",
         lambda t: t.kind.isnull() | t.key.isnull()),
    Rule("no_name", DROPPED, "a name in neither language", "两种语言的名称都没有",
         lambda t: t.name_en.isnull() & t.name_zh.isnull()),
    Rule("unknown_key", DROPPED, "names nothing that the shop has", "店铺中没有所指的内容", lambda t: t.unknown),
    Rule("duplicate", DROPPED, "named before in this file", "此前已命名", lambda t: t.duplicate),
]  # fmt: skip

ATTRIBUTE_RULES = [
    Rule("missing_customer", DROPPED, "no customer", "缺少客户", lambda t: t.customer_id.isnull()),
    Rule(
        "unknown_value",
        DROPPED,
        "attribute not known for this customer",
        "该客户的此项属性未知",
        lambda t: t.value.isnull(),
    ),
    Rule(
        "duplicate",
        DROPPED,
        "attribute of this customer given before",
        "该客户的此项属性已给出",
        lambda t: t.duplicate,
    ),
]
