"""What may be wrong with the rows of plain files."""

from __future__ import annotations

from customers.ingest.cleaning import DROPPED, NOTED, REPAIRED, Rule, quantity_rules
from customers.schema import EventKind

# Kinds of event that make no sense without a product.
WITH_PRODUCT = (EventKind.CLICK, EventKind.CART, EventKind.PURCHASE, EventKind.RETURN, EventKind.REVIEW)
SALES = (EventKind.PURCHASE.value, EventKind.RETURN.value)

UNKNOWN_PRODUCT = Rule(
    "unknown_product",
    NOTED,
    "product is in no product file; it is listed with what the events say of it",
    "商品不在任何商品文件中;按事件中的信息列出",
    lambda t: t.product_id.notnull() & t.listed.isnull(),
)

EVENT_RULES = [
    Rule("missing_customer", DROPPED, "no customer", "缺少客户", lambda t: t.customer_id.isnull()),
    Rule("missing_time", DROPPED, "no time", "缺少时间", lambda t: t.ts_text.isnull()),
    Rule(
        "unreadable_time",
        DROPPED,
        "time cannot be read as a date",
        "时间无法识别",
        lambda t: t.ts.isnull(),
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
        "future_time",
        DROPPED,
        "time lies in the future",
        "时间在未来",
        lambda t: t.ts > t.now,
    ),
    Rule(
        "outside_period",
        DROPPED,
        "time lies far outside the period of nearly all rows",
        "时间远在绝大多数行的时间范围之外",
        lambda t: t.outside,
    ),
    *quantity_rules(),
    Rule(
        "negative_quantity",
        REPAIRED,
        "purchase with a negative quantity, taken as a return",
        "数量为负的购买,视为退货",
        lambda t: t.negative,
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
        "no_amount",
        NOTED,
        "purchase or return without an amount",
        "购买或退货缺少金额",
        lambda t: t.amount.isnull() & t.kind.isin(SALES),
    ),
]

PRODUCT_RULES = [
    Rule("missing_id", DROPPED, "no product id", "缺少商品编号", lambda t: t.product_id.isnull()),
    Rule("duplicate", DROPPED, "product id listed before", "商品编号已列出", lambda t: t.duplicate),
    Rule("no_name", NOTED, "no name; the id stands for it", "缺少名称,以编号代替", lambda t: t.name.isnull()),
    Rule("no_category", NOTED, "no category given", "缺少品类", lambda t: t.category.isnull()),
]

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
