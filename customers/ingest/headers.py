"""What shops call their columns, files and events, in English and Chinese.

Everything here is compared after `plain`: lower case, letters and digits only (Chinese kept).
"""

from __future__ import annotations

import re
from functools import lru_cache

from customers.schema import EventKind


def _times(english: str, chinese: str) -> tuple[str, ...]:
    """What a kind of event's own time is called: "browse time", "browse_at", "浏览时间" ..."""
    ends = ("time", "date", "datetime", "timestamp", "ts", "at", "on", "day")
    names = [f"{word} {end}" for word in english.split() for end in ends]
    return (*names, *(word + end for word in chinese.split() for end in ("时间", "日期", "时间戳", "时刻")))


# Kind of event -> headers that say when one happened; they also tell the kind.
OWN_TIMES: dict[EventKind, tuple[str, ...]] = {
    EventKind.BROWSE: _times("browse browsed browsing view viewed visit visited", "浏览 查看 访问"),
    EventKind.CLICK: _times("click clicked", "点击 收藏"),
    EventKind.SEARCH: _times("search searched query", "搜索 检索 查询"),
    EventKind.CART: _times("cart add added", "加购 加入购物车 加车 添加"),
    EventKind.PURCHASE: _times("purchase purchased order ordered buy bought sale sold", "购买 下单 订购"),
    EventKind.RETURN: _times("return returned refund refunded", "退货 退款 退回"),
    EventKind.REVIEW: _times(
        "review reviewed comment commented rating rated feedback", "评论 评价 评分 点评"
    ),
    EventKind.INQUIRY: _times(
        "inquiry enquiry ticket question asked contact case", "咨询 提问 来访 工单 投诉 反馈"
    ),
    EventKind.EXPOSURE: _times(
        "exposure exposed impression sent send delivery shown", "曝光 触达 推送 展示 发送"
    ),
    EventKind.REDEMPTION: _times("redemption redeem redeemed use used", "核销 用券 使用 兑换"),
}

# Kind of event -> other headers that only such a file has, the most telling kinds first.
OWN_HEADERS: dict[EventKind, tuple[str, ...]] = {
    EventKind.RETURN: (
        "return reason", "refund reason", "refund amount", "return quantity", "return id", "refund id",
        "退货原因", "退款原因", "退款金额", "退货金额", "退货数量", "退货单号", "退款编号",
    ),
    EventKind.REDEMPTION: (
        "redemption id", "redeemed", "coupon used", "redeemed coupon", "核销编号", "核销码", "核销门店",
    ),
    EventKind.EXPOSURE: (
        "exposure id", "impression id", "impression", "exposure", "ad position", "ad slot", "placement",
        "曝光编号", "曝光次数", "广告位", "曝光位置", "推送渠道",
    ),
    EventKind.INQUIRY: (
        "inquiry", "inquiry id", "inquiry text", "enquiry", "ticket id", "ticket text", "ticket body", "question",
        "question text", "subject", "message body", "咨询", "咨询内容", "咨询问题", "咨询主题", "咨询编号",
        "工单号", "工单编号", "提问内容", "投诉内容", "问题", "问题描述", "问题内容",
    ),
    EventKind.REVIEW: (
        "review", "review id", "review text", "review content", "review body", "review title", "review rating",
        "review score", "comment text", "comment content", "rating", "stars", "star rating", "评论", "评论内容",
        "评价", "评价内容", "评论文本", "评价文本", "评论标题", "评价标题", "评分", "星级", "评价星级",
        "商品评分", "评论编号", "评价编号",
    ),
    EventKind.SEARCH: (
        "query", "query text", "search query", "search term", "search text", "search keyword", "search keywords",
        "search words", "search phrase", "search id", "keyword", "keywords", "q", "搜索词", "关键词", "关键字",
        "搜索内容", "搜索关键词", "搜索关键字", "搜索文本", "查询词", "检索词", "搜索编号",
    ),
    EventKind.CLICK: ("click id", "click position", "clicked url", "点击编号", "点击位置"),
    EventKind.BROWSE: (
        "browse id", "view id", "pageview id", "page url", "page", "referrer", "referer", "dwell time", "duration",
        "browse duration", "stay time", "duration seconds", "浏览编号", "浏览时长", "停留时长", "停留时间",
        "页面", "页面地址",
    ),
}  # fmt: skip

# In a review or an inquiry: what heads its text, and the text itself.
SUBJECTS = (
    "subject", "subject line", "title", "summary", "headline", "review title", "review summary",
    "review headline", "ticket subject", "question title", "topic", "主题", "标题", "评论标题", "评价标题",
    "咨询主题", "问题标题", "工单标题",
)  # fmt: skip
BODIES = (
    "body", "content", "contents", "message", "message body", "text", "review text", "review body",
    "review content", "comment", "comments", "description", "details", "question", "ticket body", "ticket text",
    "正文", "内容", "评论内容", "评价内容", "咨询内容", "问题描述", "问题内容", "描述", "详情", "留言",
)  # fmt: skip

# Field of the schema -> what headers call it, most telling first.
FIELDS: dict[str, tuple[str, ...]] = {
    "event_id": (
        "event id", "eventid", "line id", "record id", "row id", "log id", "order line id", "事件编号",
        "事件id", "流水号", "记录编号", "明细编号", "行号",
        "review id", "comment id", "inquiry id", "ticket id", "search id", "click id", "view id",
        "browse id", "pageview id", "return id", "refund id", "redemption id", "exposure id",
        "impression id", "interaction id", "评论编号", "评价编号", "评论id", "评价id", "工单号",
        "工单编号", "咨询编号", "退货单号", "退款编号", "浏览编号", "点击编号", "搜索编号", "核销编号",
        "曝光编号",
    ),
    "kind": (
        "kind", "event type", "event kind", "event name", "event", "behavior type", "behaviour type",
        "behavior", "behaviour", "action type", "action", "activity", "行为类型", "行为", "事件类型",
        "事件", "动作", "操作类型",
        "interaction type", "interaction", "operation", "op type", "behaviour kind", "event category",
        "行为名称", "互动类型", "操作",
    ),
    "customer_id": (
        "customer id", "customer", "cust id", "customer no", "customer number", "customer key",
        "client id", "user id", "userid", "user", "uid", "member id", "member no", "member",
        "membership no", "household id", "household key", "household", "buyer id", "shopper id",
        "visitor id", "account id", "card no", "loyalty id", "loyalty card", "客户编号", "客户id",
        "客户号", "客户", "顾客编号", "顾客id", "顾客", "会员编号", "会员号", "会员id", "会员卡号", "会员",
        "用户编号", "用户id", "用户", "买家id", "买家", "卡号",
        "shopper", "consumer id", "consumer", "reviewer id", "reviewer", "patron id",
        "member code", "user code", "user no", "user number", "visitor",
        "消费者编号", "消费者id", "消费者", "用户号", "用户编码", "会员编码", "客户编码",
        "客户代码", "顾客号", "买家编号", "访客编号", "访客id",
    ),
    "ts": (
        "ts", "timestamp", "transaction timestamp", "event time", "event timestamp", "datetime",
        "date time", "time", "order time", "order date", "purchase time", "purchase date",
        "transaction time", "transaction date", "invoice date", "sale date", "created at", "occurred at",
        "created", "date", "day", "时间戳", "时间", "日期时间", "下单时间", "下单日期", "订单时间",
        "订单日期", "购买时间", "购买日期", "交易时间", "交易日期", "销售日期", "销售时间", "事件时间",
        "行为时间", "发生时间", "创建时间", "付款时间", "支付时间", "日期",
        "paid at", "ordered at", "purchased at", "bought at", "logged at", "log time", "posted at", "post date",
        "submitted at", "submit time", "submission date", "start time", "started at", "payment time",
        "payment date", "pay time", "event date", "unix time", "unix timestamp", "epoch", "记录时间", "提交时间",
        "提交日期", "开始时间", "付款日期", "支付日期", "成交时间", "成交日期", "消费时间", "消费日期", "行为日期",
        "发生日期", "创建日期", *(word for words in OWN_TIMES.values() for word in words),
    ),
    "product_id": (
        "product id", "productid", "product code", "product no", "product key", "item id", "itemid",
        "item code", "item no", "sku", "sku id", "sku code", "stock code", "article id", "article no",
        "article", "goods id", "upc", "ean", "barcode", "asin", "product", "item", "商品编号", "商品id",
        "商品编码", "商品代码", "商品号", "商品条码", "条码", "货号", "产品编号", "产品id", "产品编码",
        "物品id", "单品编码",
        "product number", "sku no", "spu id", "spu", "goods", "goods no", "goods code",
        "item number", "item sku", "parent asin", "merchandise id", "商品sku", "商品", "产品号",
        "产品代码", "产品", "物料编码", "宝贝id", "宝贝编号", "sku编号", "sku编码", "款号",
    ),
    "quantity": (
        "quantity", "qty", "units", "units sold", "unit count", "pieces", "count", "item count", "数量",
        "件数", "购买数量", "销售数量", "销量", "商品数量",
        "amount of items", "num", "number of items", "item qty", "order quantity", "purchase quantity",
        "return quantity", "商品件数", "订购数量", "退货数量", "下单数量", "个数",
    ),
    "amount": (
        "amount", "sales value", "line total", "line amount", "total price", "total", "total amount",
        "sales", "sales amount", "net amount", "net sales", "revenue", "paid", "paid amount", "payment",
        "spend", "value", "金额", "销售金额", "销售额", "实付金额", "实付", "支付金额", "付款金额", "总价",
        "总金额", "订单金额", "小计", "成交金额",
        "total paid", "order amount", "order total", "pay amount", "purchase amount", "refund amount",
        "refund", "return amount", "money", "实收金额", "应付金额", "购买金额", "消费金额", "交易金额",
        "退款金额", "退货金额", "合计", "支付总额",
    ),
    "unit_price": (
        "unit price", "price each", "price per unit", "sale price", "selling price", "单价", "售价",
        "成交单价",
        "price", "item price", "product price", "purchase price", "goods price", "价格", "商品价格",
        "商品单价", "购买价格", "购买单价", "产品价格", "产品单价", "成交价",
    ),
    "discount": (
        "discount", "discount amount", "rebate", "promo discount", "money off", "折扣", "折扣金额", "优惠",
        "优惠金额", "减免", "立减",
        "coupon amount", "coupon discount", "优惠额", "折扣额", "券抵扣", "抵扣金额",
    ),
    "basket_id": (
        "basket id", "basket", "order id", "orderid", "order no", "order number", "order", "invoice",
        "invoice no", "invoice number", "transaction id", "transaction no", "receipt", "receipt no",
        "ticket no", "session id", "购物篮编号", "订单编号", "订单号", "订单id", "小票号", "交易编号",
        "交易号", "单号", "单据号", "会话id",
        "cart id", "purchase id", "bill no", "receipt id", "session", "会话", "会话编号", "购物车编号",
        "小票编号", "流水单号", "票据号",
    ),
    "store_id": (
        "store id", "store", "store no", "shop id", "shop", "branch", "branch id", "outlet", "channel",
        "门店编号", "门店id", "门店", "店铺", "店铺id", "店铺编号", "店号", "渠道",
    ),
    "campaign_id": (
        "campaign id", "campaign", "promotion id", "活动编号", "活动id", "活动", "营销活动",
        "campaign code", "campaign name", "promotion", "promo code", "promo id", "coupon id", "coupon",
        "coupon code", "coupon no", "voucher", "voucher code", "voucher id", "ad id", "advert id",
        "creative id", "优惠券编号", "优惠券id", "优惠券", "优惠券码", "券码", "券号", "券编号",
        "促销活动", "促销编号", "广告id", "广告编号", "活动名称", "活动编码",
    ),
    "rating": (
        "rating", "stars", "star rating", "score", "评分", "星级", "打分",
        "star", "rate", "review rating", "review score", "product rating", "user rating", "overall",
        "overall rating", "satisfaction", "grade", "评价星级", "评论星级", "商品评分", "评价分数",
        "评价得分", "评论评分", "分数", "得分", "满意度", "评级",
    ),
    "text": (
        "text", "comment", "review text", "review", "query", "search query", "search term", "keyword",
        "message", "question", "评论", "评论内容", "评价", "评价内容", "搜索词", "关键词", "搜索内容",
        "内容", "留言", "咨询内容", "问题",
        "review content", "review body", "review comment", "comments", "comment text",
        "comment content", "body", "content", "message body", "details", "feedback", "inquiry",
        "inquiry text", "enquiry", "ticket text", "ticket body", "question text", "search text",
        "search keyword", "search keywords", "search words", "search phrase", "search", "keywords",
        "query text", "q", "subject", "review title", "评论文本", "评价文本", "评论正文", "评价正文",
        "评价详情", "评论详情", "评语", "正文", "反馈", "反馈内容", "意见", "投诉内容", "咨询问题",
        "咨询", "提问内容", "问题描述", "问题内容", "留言内容", "搜索关键词", "搜索关键字", "关键字",
        "查询词", "检索词", "搜索文本", "搜索", "主题", "评论标题", "评价标题", "咨询主题",
    ),
    "name": (
        "name", "product name", "item name", "title", "product title", "description", "product description",
        "item description", "goods name", "商品名称", "商品名", "产品名称", "产品名", "名称", "品名", "标题",
    ),
    "department": ("department", "dept", "division", "部门", "大类", "一级类目", "一级品类"),
    "category": (
        "category", "product category", "item category", "category name", "category id", "cat",
        "product group", "item group", "品类", "类别", "分类", "类目", "商品类别", "商品分类", "商品类目",
        "二级类目", "中类", "商品品类", "产品类别", "产品分类", "类别名称",
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
NAME_FIELDS = ("kind", "key", "name_en", "name_zh")

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
        "exposure", "browse", "browsing", "visit", "rating", "comment", "enquir", "impression", "redeem",
        "interaction", "activit", "support", "交易", "订单", "销售", "流水", "行为", "事件", "购买", "浏览", "点击", "搜索", "加购",
        "评论", "评价", "退货", "咨询", "核销", "曝光", "退款", "客服", "工单", "访问", "触达", "推送",
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
        EventKind.BROWSE: ("browse", "browsing", "browsed", "view", "viewed", "pv", "pageview", "page view", "visit", "浏览", "查看", "访问"),
        EventKind.CLICK: ("click", "clicked", "tap", "fav", "favorite", "favourite", "点击", "收藏"),
        EventKind.SEARCH: ("search", "searched", "query", "queries", "搜索", "检索", "查询"),
        EventKind.CART: ("cart", "addtocart", "add to cart", "basket add", "added to cart", "加购", "加车", "加入购物车", "购物车"),
        EventKind.PURCHASE: (
            "purchase", "purchased", "buy", "bought", "order", "ordered", "sale", "sales", "transaction", "pay", "paid",
            "checkout", "购买", "下单", "订单", "支付", "付款", "成交", "交易", "销售", "流水", "消费",
        ),
        EventKind.RETURN: ("return", "refund", "returned", "refunded", "退货", "退款", "退换"),
        EventKind.REVIEW: ("review", "reviewed", "rating", "rate", "comment", "评论", "评价", "评分"),
        EventKind.INQUIRY: (
            "inquiry", "inquiries", "enquiry", "enquiries", "ticket", "question", "support", "chat", "咨询",
            "客服", "提问", "投诉", "工单",
        ),
        EventKind.EXPOSURE: ("exposure", "exposed", "impression", "sent", "曝光", "触达", "推送", "展示"),
        EventKind.REDEMPTION: ("redemption", "redeem", "redeemed", "coupon used", "核销", "用券", "领券使用", "兑换"),
    }.items()
    for word in words
}  # fmt: skip

_NOT_PLAIN = re.compile(r"[\W_]+", re.UNICODE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=8192)  # the words above are compared again for every file
def plain(text: str) -> str:
    """Return the text lower-cased, camel case and punctuation gone: "Customer-ID" -> "customerid"."""
    return _NOT_PLAIN.sub("", _CAMEL.sub(" ", text).lower())


def kind_of(text: str) -> EventKind | None:
    """Return the event kind that a word names, or None."""
    wanted = plain(text)
    return next((kind for word, kind in KIND_WORDS.items() if plain(word) == wanted), None)


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
