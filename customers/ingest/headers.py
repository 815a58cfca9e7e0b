"""What shops call their columns, files and events, in English and Chinese.

Everything here is compared after `plain`: lower case, letters and digits only (Chinese kept).
"""

from __future__ import annotations

import re

from customers.schema import EventKind

# Field of the schema -> what headers call it, most telling first.
FIELDS: dict[str, tuple[str, ...]] = {
    "event_id": (
        "event id", "eventid", "line id", "record id", "row id", "log id", "order line id", "事件编号",
        "事件id", "流水号", "记录编号", "明细编号", "行号",
    ),
    "kind": (
        "kind", "event type", "event kind", "event name", "event", "behavior type", "behaviour type",
        "behavior", "behaviour", "action type", "action", "activity", "行为类型", "行为", "事件类型",
        "事件", "动作", "操作类型",
    ),
    "customer_id": (
        "customer id", "customer", "cust id", "customer no", "customer number", "customer key",
        "client id", "user id", "userid", "user", "uid", "member id", "member no", "member",
        "membership no", "household id", "household key", "household", "buyer id", "shopper id",
        "visitor id", "account id", "card no", "loyalty id", "loyalty card", "客户编号", "客户id",
        "客户号", "客户", "顾客编号", "顾客id", "顾客", "会员编号", "会员号", "会员id", "会员卡号", "会员",
        "用户编号", "用户id", "用户", "买家id", "买家", "卡号",
    ),
    "ts": (
        "ts", "timestamp", "transaction timestamp", "event time", "event timestamp", "datetime",
        "date time", "time", "order time", "order date", "purchase time", "purchase date",
        "transaction time", "transaction date", "invoice date", "sale date", "created at", "occurred at",
        "created", "date", "day", "时间戳", "时间", "日期时间", "下单时间", "下单日期", "订单时间",
        "订单日期", "购买时间", "购买日期", "交易时间", "交易日期", "销售日期", "销售时间", "事件时间",
        "行为时间", "发生时间", "创建时间", "付款时间", "支付时间", "日期",
    ),
    "product_id": (
        "product id", "productid", "product code", "product no", "product key", "item id", "itemid",
        "item code", "item no", "sku", "sku id", "sku code", "stock code", "article id", "article no",
        "article", "goods id", "upc", "ean", "barcode", "asin", "product", "item", "商品编号", "商品id",
        "商品编码", "商品代码", "商品号", "商品条码", "条码", "货号", "产品编号", "产品id", "产品编码",
        "物品id", "单品编码",
    ),
    "quantity": (
        "quantity", "qty", "units", "units sold", "unit count", "pieces", "count", "item count", "数量",
        "件数", "购买数量", "销售数量", "销量", "商品数量",
    ),
    "amount": (
        "amount", "sales value", "line total", "line amount", "total price", "total", "total amount",
        "sales", "sales amount", "net amount", "net sales", "revenue", "paid", "paid amount", "payment",
        "spend", "value", "金额", "销售金额", "销售额", "实付金额", "实付", "支付金额", "付款金额", "总价",
        "总金额", "订单金额", "小计", "成交金额",
    ),
    "unit_price": (
        "unit price", "price each", "price per unit", "sale price", "selling price", "单价", "售价",
        "成交单价",
    ),
    "discount": (
        "discount", "discount amount", "rebate", "promo discount", "money off", "折扣", "折扣金额", "优惠",
        "优惠金额", "减免", "立减",
    ),
    "basket_id": (
        "basket id", "basket", "order id", "orderid", "order no", "order number", "order", "invoice",
        "invoice no", "invoice number", "transaction id", "transaction no", "receipt", "receipt no",
        "ticket no", "session id", "购物篮编号", "订单编号", "订单号", "订单id", "小票号", "交易编号",
        "交易号", "单号", "单据号", "会话id",
    ),
    "store_id": (
        "store id", "store", "store no", "shop id", "shop", "branch", "branch id", "outlet", "channel",
        "门店编号", "门店id", "门店", "店铺", "店铺id", "店铺编号", "店号", "渠道",
    ),
    "campaign_id": ("campaign id", "campaign", "promotion id", "活动编号", "活动id", "活动", "营销活动"),
    "rating": ("rating", "stars", "star rating", "score", "评分", "星级", "打分"),
    "text": (
        "text", "comment", "review text", "review", "query", "search query", "search term", "keyword",
        "message", "question", "评论", "评论内容", "评价", "评价内容", "搜索词", "关键词", "搜索内容",
        "内容", "留言", "咨询内容", "问题",
    ),
    "name": (
        "name", "product name", "item name", "title", "product title", "description", "product description",
        "item description", "goods name", "商品名称", "商品名", "产品名称", "产品名", "名称", "品名", "标题",
    ),
    "department": ("department", "dept", "division", "部门", "大类", "一级类目", "一级品类"),
    "category": (
        "category", "product category", "item category", "category name", "category id", "cat",
        "product group", "item group", "品类", "类别", "分类", "类目", "商品类别", "商品分类", "商品类目",
        "二级类目", "中类",
    ),
    "type": (
        "type", "product type", "sub category", "subcategory", "item type", "子类", "小类", "三级类目",
        "商品类型",
    ),
    "brand": ("brand", "brand name", "品牌", "品牌名称"),
    "manufacturer": (
        "manufacturer", "manufacturer id", "maker", "vendor", "supplier", "厂商", "生产商", "供应商",
        "厂家",
    ),
    "size": ("size", "package size", "pack size", "package", "规格", "包装规格", "包装"),
    "price": ("price", "list price", "retail price", "unit price", "价格", "单价", "零售价", "售价", "标价"),
}  # fmt: skip

EVENT_FIELDS = (
    "event_id", "kind", "customer_id", "ts", "product_id", "quantity", "amount", "unit_price", "discount",
    "basket_id", "store_id", "campaign_id", "rating", "text", "name", "department", "category", "type",
    "brand", "manufacturer", "size",
)  # fmt: skip
PRODUCT_FIELDS = (
    "product_id", "name", "department", "category", "type", "brand", "manufacturer", "size", "price",
)  # fmt: skip
CUSTOMER_FIELDS = ("customer_id",)

# Columns of a customer file that say who a person is, rather than what they are like.
PERSONAL = (
    "name", "full name", "customer name", "first name", "last name", "surname", "phone", "phone number",
    "mobile", "telephone", "email", "e mail", "email address", "address", "street", "password", "id card",
    "passport", "ssn", "wechat", "openid", "姓名", "名字", "客户姓名", "会员姓名", "电话", "手机",
    "手机号", "手机号码", "联系电话", "邮箱", "电子邮件", "地址", "住址", "详细地址", "身份证", "身份证号",
    "密码", "微信", "微信号",
)  # fmt: skip

# Words in a file's name -> what it holds.
TABLE_WORDS: dict[str, tuple[str, ...]] = {
    "events": (
        "event", "transaction", "order", "sale", "purchase", "behavior", "behaviour", "log", "view",
        "click", "search", "cart", "review", "return", "refund", "ticket", "inquir", "redemption",
        "exposure", "交易", "订单", "销售", "流水", "行为", "事件", "购买", "浏览", "点击", "搜索", "加购",
        "评论", "评价", "退货", "咨询", "核销", "曝光",
    ),
    "products": ("product", "item", "goods", "catalog", "sku", "article", "商品", "产品", "货品"),
    "customers": (
        "customer", "member", "user", "client", "household", "demographic", "profile", "客户", "顾客",
        "会员", "用户",
    ),
}  # fmt: skip

# What sources call an event -> its kind; used for values of a kind column and for file names.
KIND_WORDS: dict[str, EventKind] = {
    word: kind
    for kind, words in {
        EventKind.BROWSE: ("browse", "view", "pv", "pageview", "page view", "visit", "浏览", "查看", "访问"),
        EventKind.CLICK: ("click", "tap", "fav", "favorite", "favourite", "点击", "收藏"),
        EventKind.SEARCH: ("search", "query", "搜索", "检索"),
        EventKind.CART: ("cart", "addtocart", "add to cart", "basket add", "加购", "加入购物车", "购物车"),
        EventKind.PURCHASE: (
            "purchase", "buy", "bought", "order", "sale", "sales", "transaction", "pay", "paid",
            "checkout", "购买", "下单", "订单", "支付", "付款", "成交", "交易", "销售", "流水", "消费",
        ),
        EventKind.RETURN: ("return", "refund", "returned", "退货", "退款", "退换"),
        EventKind.REVIEW: ("review", "rating", "rate", "comment", "评论", "评价", "评分"),
        EventKind.INQUIRY: (
            "inquiry", "enquiry", "ticket", "question", "support", "chat", "咨询", "客服", "提问", "投诉",
        ),
        EventKind.EXPOSURE: ("exposure", "impression", "sent", "曝光", "触达", "推送", "展示"),
        EventKind.REDEMPTION: ("redemption", "redeem", "redeemed", "coupon used", "核销", "用券"),
    }.items()
    for word in words
}  # fmt: skip

_NOT_PLAIN = re.compile(r"[\W_]+", re.UNICODE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def plain(text: str) -> str:
    """Return the text lower-cased, camel case and punctuation gone: "Customer-ID" -> "customerid"."""
    return _NOT_PLAIN.sub("", _CAMEL.sub(" ", text).lower())


def kind_of(text: str) -> EventKind | None:
    """Return the event kind that a word names, or None."""
    wanted = plain(text)
    return {plain(word): kind for word, kind in KIND_WORDS.items()}.get(wanted)


def kind_in(file_name: str) -> EventKind | None:
    """Return the event kind that a file name speaks of, the longest word winning, or None."""
    name = plain(file_name)
    found = [(len(plain(word)), word) for word in KIND_WORDS if len(plain(word)) > 2 - (not word.isascii())]
    hits = [(size, word) for size, word in found if plain(word) in name]
    return KIND_WORDS[max(hits)[1]] if hits else None


def table_in(file_name: str) -> str | None:
    """Return which table a file name speaks of ("events", "products", "customers"), or None."""
    name = plain(file_name)
    hits = [
        (max(name.rfind(word) for word in words), table)
        for table, words in TABLE_WORDS.items()
        if any(word in name for word in words)
    ]
    return max(hits)[1] if hits else None
