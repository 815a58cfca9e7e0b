"""Every text of the page, in English and Chinese; those of labelling are in `label_texts`, and no text of
the page stands anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ui.label_texts import LABEL_TEXTS

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Shopkeeper", "Shopkeeper"),
    "tagline": ("Knows the customers of your shop", "懂你店里的每一位顾客"),
    "tab_ask": ("Ask", "提问"),
    "tab_segments": ("Segments", "客群"),
    "tab_build": ("Data & build", "数据与构建"),
    "language": ("Language", "语言"),
    "role": ("I am", "我是"),
    "role_service": ("Service agent", "客服"),
    "role_merchandiser": ("Merchandiser", "商品运营"),
    "question": ("Your question", "你的问题"),
    "question_hint": (
        "Ask about a customer, a category, a segment… in English or Chinese",
        "用中文或英文提问：顾客、品类、客群……",
    ),
    "send": ("Ask", "提问"),
    "stop": ("Stop", "停止"),
    "new": ("New conversation", "新对话"),
    "welcome": (
        "Ask anything about the shop's customers. Every figure in an answer carries a number that "
        "opens the fact it comes from.",
        "关于本店顾客，尽管问。回答里的每个数字都带编号，点开就能看到它出自哪条事实。",
    ),
    "picker": ("Customer", "顾客"),
    "picker_hint": ("Pick or type a customer id", "选择或输入顾客编号"),
    "unknown_customer": (
        "There is no customer “{customer}” in this shop's data. Check the id, or pick one from the list.",
        "本店数据中没有顾客“{customer}”。请核对编号，或从列表中选择。",
    ),
    "no_customer": (
        "Pick a customer to see who they are and what they buy.",
        "选一位顾客，看看是谁、爱买什么。",
    ),
    "glance": ("The shop at a glance", "店铺概览"),
    "customers": ("Customers", "顾客数"),
    "products": ("Products", "商品数"),
    "events": ("Events", "行为记录"),
    "events_simulated": ("SIMULATED events", "模拟行为（非真实）"),
    "customer": ("Customer {customer}", "顾客 {customer}"),
    "no_segment": ("No segment yet", "尚未分群"),
    "spend": ("Spend", "消费额"),
    "trips": ("Trips", "到店次数"),
    "mean_basket": ("Per trip", "客单价"),
    "last_visit": ("Last visit", "最近到店"),
    "days_before_end": ("{days} days before the data ends", "距数据末日 {days} 天"),
    "day_before_end": ("the day before the data ends", "数据末日前一天"),
    "on_last_day": ("on the data's last day", "数据末日当天"),
    "every_days": ("Comes every", "到店间隔"),
    "day": ("1 day", "1 天"),
    "days": ("{days} days", "{days} 天"),
    "campaigns": ("Campaigns · coupons used", "收到活动 · 用券"),
    "known_since": ("{first} – {last}", "{first} – {last}"),
    "top_categories": ("Spends most on", "消费最多的品类"),
    "likely": ("Likely to buy in the next 30 days", "未来30天可能购买"),
    "outlook": ("What may come next", "接下来可能的情况"),
    "next_order": ("Next order", "下次下单"),
    "churn": ("Stays away 60 days", "60天不再光顾"),
    "churn_usual": ("chance of no order", "没有订单的概率"),
    "value": ("Spend within 90 days", "未来90天消费"),
    "about": ("about {value}", "约{value}"),
    "beyond": ("probably later than 90 days", "很可能在90天之后"),
    "eight_of_ten": ("8 times in 10: {low} – {high}", "十次中有八次：{low} – {high}"),
    "beyond_range": ("later than 90 days", "90天之后"),
    "outlook_note": (
        "Estimates from what was known on {day}, not facts.",
        "根据截至{day}的资料估计，并非事实。",
    ),
    "labels": ("Labels", "标签"),
    "label_tip": ("{value} ({source})", "{value}（{source}）"),
    "label_behaviour": ("how they shop", "购物行为"),
    "label_product": ("product", "商品偏好"),
    "label_interest": ("interest", "兴趣"),
    "label_need": ("searched for", "搜索需求"),
    "label_opinion": ("opinion", "评价"),
    "household": ("Household", "家庭信息"),
    "no_household": ("Nothing is known about the household.", "没有家庭信息。"),
    "lift_high": ("{lift}× the usual share", "占比是常人的 {lift} 倍"),
    "lift_same": ("about the usual share", "占比与常人相当"),
    "lift_low": ("below the usual share ({lift}×)", "占比低于常人（{lift} 倍）"),
    "plot_months": ("Spend by month", "每月消费额"),
    "plot_categories": ("Top categories by spend", "主要品类消费额"),
    "plot_map": ("Where this customer stands among the segments", "该顾客在客群中的位置"),
    "plot_segments": ("All customers by segment", "全部顾客与客群"),
    "plot_sizes": ("Customers in each segment", "各客群人数"),
    "axis_map": (
        "Each dot is a customer; customers near each other buy alike.",
        "每个点是一位顾客，离得近的购买习惯相似。",
    ),
    "others": ("Others", "其他"),
    "segment": ("Segment", "客群"),
    "size": ("Customers", "人数"),
    "share": ("Share", "占比"),
    "mean_spend": ("Mean spend", "人均消费"),
    "mean_trips": ("Mean trips", "人均到店"),
    "mean_recency": ("Days since last visit", "距上次到店（天）"),
    "defining": ("What sets it apart", "鲜明特征"),
    "segments_intro": (
        "Groups of customers that buy alike, over {first} – {last}.",
        "购买习惯相似的顾客群（{first} – {last}）。",
    ),
    "spreads": ("Interests and chances of all customers", "全部顾客的兴趣与购买概率"),
    "plot_interests": ("Interests", "兴趣分布"),
    "axis_interests": (
        "Customers who buy it far more often than others",
        "购买远多于常人的顾客数",
    ),
    "plot_chances": ("Chances to buy within 30 days", "未来30天购买概率分布"),
    "axis_chances": (
        "Dot: median customer; bar: middle half; line: 10–90 %",
        "圆点：中位顾客；粗条：中间一半；细线：10–90%",
    ),
    "plot_reliability": ("Do stated chances come true?", "概率说得准吗？"),
    "axis_reliability": (
        "Tried on the 30 days after {cut}; off by {error} points on average",
        "用{cut}之后30天检验，平均相差{error}个百分点",
    ),
    "stated": ("stated chance", "所述概率"),
    "came": ("share that bought", "实际购买占比"),
    "pairs": ("pairs:", "样本数"),
    "segment_size": ("{size} customers, {share} of all", "{size}位顾客，占{share}"),
    "of_all_spend": ("Share of all spend", "占总消费额"),
    "apart": ("What sets it apart", "鲜明特征"),
    "apart_hint": ("share of spend, against everybody's", "消费占比与全体之比"),
    "together": ("Go together here", "常一起出现的兴趣"),
    "together_hint": (
        "who likes the first likes the second: share here, and times the usual",
        "喜欢前者的人也喜欢后者：本客群占比，及相对全体的倍数",
    ),
    "together_tip": ("{n} customers of this segment like all of these", "本客群有{n}位顾客同时喜欢"),
    "traits": ("More often than others", "比常人更常见"),
    "trait_share": ("{share}, usual {usual}", "{share}，平均{usual}"),
    "no_traits": (
        "Nothing known about these customers differs from the others.",
        "已知的顾客资料与其他人没有明显不同。",
    ),
    "examples": ("Typical customers", "典型顾客"),
    "moved": ("Since the last build", "与上次构建相比"),
    "moved_first": (
        "No build before this one had segments to compare with.",
        "此前没有可比较的客群构建。",
    ),
    "moved_new": ("New: no segment of the last build goes on in it.", "新客群：上次构建中没有对应的客群。"),
    "moved_size": ("{before} → {now} customers", "{before} → {now}位顾客"),
    "moved_same": ("The same {now} customers", "顾客未变，仍是这{now}位"),
    "moved_called": ("It was called {name}.", "原名“{name}”。"),
    "moved_stayed": ("{n} stayed", "{n}位留下"),
    "moved_left": ("{n} left", "{n}位离开"),
    "moved_from": ("{n} from {name}", "{n}位来自“{name}”"),
    "moved_fresh": ("{n} new to the shop", "{n}位新顾客"),
    "no_segments": ("This build has no segments.", "本次构建没有客群。"),
    "no_report": ("This build left no report.", "本次构建没有报告。"),
    "status_model": ("Model: {model}", "模型：{model}"),
    "status_simulated": ("SIMULATED: {events} events", "模拟数据：{events}条行为"),
    "status_period": ("{shop}, {first} – {last}", "{shop}，{first} – {last}"),
    "working": ("Working on it…", "正在处理……"),
    "queued": ("Finishing the question before…", "正在结束上一个问题……"),
    "writing": ("Writing the answer…", "正在撰写回答……"),
    "steps_done": ("{n} steps · {seconds} s", "{n} 步 · {seconds} 秒"),
    "step_done": ("1 step · {seconds} s", "1 步 · {seconds} 秒"),
    "facts_found": ("{n} facts", "{n} 条事实"),
    "fact_found": ("1 fact", "1 条事实"),
    "facts": ("Facts behind this answer ({n})", "回答依据（{n}）"),
    "recommendations": ("Recommended products", "推荐商品"),
    "offer": ("What did the customer make of it?", "顾客对推荐的反应"),
    "feedback_clicked": ("Interested", "感兴趣"),
    "feedback_bought": ("Bought it", "已购买"),
    "feedback_dismissed": ("Not now", "暂不需要"),
    "feedback_never": ("Never again", "不再推荐"),
    "kept_clicked": (
        "Kept: customer {customer} is interested in {product}.",
        "已记录：{customer}号顾客对{product}感兴趣。",
    ),
    "kept_bought": (
        "Kept: customer {customer} bought {product}.",
        "已记录：{customer}号顾客购买了{product}。",
    ),
    "kept_dismissed": (
        "Kept: {product} is not offered to customer {customer} for 30 days.",
        "已记录：30天内不再向{customer}号顾客推荐{product}。",
    ),
    "kept_never": (
        "Kept: {product} is never offered to customer {customer} again.",
        "已记录：不再向{customer}号顾客推荐{product}。",
    ),
    "plan_file": ("Download the list (CSV)", "下载名单（CSV）"),
    "grounded": (
        "{supported} of {claims} claims checked against facts",
        "{claims} 处陈述中 {supported} 处有据可查",
    ),
    "dropped": ("{n} unsupported left out", "已略去 {n} 处无据陈述"),
    "copy": ("Copy", "复制"),
    "handoff": ("A colleague takes over", "转交人工"),
    "stopped": ("Stopped.", "已停止。"),
    "failed": (
        "Something went wrong on our side, and this question was not answered. Please ask again.",
        "我们这边出了点问题，没能回答。请再问一次。",
    ),
    "trouble": ("This question was not answered: {why}", "没能回答这个问题：{why}"),
    "empty_question": ("Type a question first.", "请先输入问题。"),
} | LABEL_TEXTS

TOOLS: dict[str, tuple[str, str]] = {
    "profile": ("customer profile", "顾客画像"),
    "explain_preference": ("why a preference is expected", "偏好解释"),
    "recommend": ("recommendations", "商品推荐"),
    "similar_customers": ("similar customers", "相似顾客"),
    "segments": ("list of segments", "客群列表"),
    "segment": ("segment", "客群详情"),
    "audience": ("audience", "目标人群"),
    "search_products": ("product search", "商品检索"),
    "bought_with": ("bought together", "连带购买"),
    "campaign": ("campaign results", "活动效果"),
    "measure": ("figures from the data", "数据统计"),
    "last_purchase": ("the last purchase", "最近一次购买"),
    "newcomer": ("new customers", "新顾客"),
    "family": ("more of the same makers", "同厂商商品"),
    "absent": ("who stayed away", "许久未来"),
    "top_share": ("share of the best customers", "头部顾客占比"),
    "changes": ("what changed", "变化对比"),
    "bought_not": ("bought one, not the other", "买过与没买过"),
    "visit_days": ("days of visits", "到店日"),
    "said": ("reviews and inquiries", "评价和咨询"),
    "at_risk": ("who may leave", "流失风险"),
    "stopped_buying": ("who stopped buying", "不再购买的顾客"),
    "coupons": ("coupons of a customer", "顾客的优惠券"),
    "notes": ("notes", "备注"),
    "add_note": ("a note to keep", "添加备注"),
    "erase_note": ("notes to erase", "删除备注"),
}

# Templates; {customer} and {category} are filled with ones that the opened shop really has.
EXAMPLES: dict[str, dict[Language, tuple[str, ...]]] = {
    "service": {
        "en": (
            "What should we offer customer {customer}?",
            "Who is customer {customer}?",
            "Why would customer {customer} buy {category}?",
            "Which customers are like {customer}?",
        ),
        "zh": (
            "该给顾客{customer}推荐什么？",
            "介绍一下顾客{customer}",
            "顾客{customer}为什么会买{category}？",
            "哪些顾客和{customer}相似？",
        ),
    },
    "merchandiser": {
        "en": (
            "Which segments do we have?",
            "What changed last month?",
            "Who is about to leave us?",
            "Who should we address for {category}?",
        ),
        "zh": (
            "我们有哪些客群？",
            "上个月有哪些变化？",
            "哪些顾客可能快要流失了？",
            "推广{category}该找哪些顾客？",
        ),
    },
}
# How many chips are shown in the page's language, and after them in the other one.
CHIPS = (4, 2)


def text(key: str, language: str, **values: object) -> str:
    """Return one text of the page; `values` fill its {names}. KeyError for a key that is none."""
    return TEXTS[key][language == "zh"].format(**values)


def tool_words(tool: str, language: str) -> str:
    """Return a tool's name in plain words (the name itself, tidied, for one we have no words for)."""
    if tool in TOOLS:
        return TOOLS[tool][language == "zh"]
    return tool.replace("_", " ")


def examples(role: str, language: str, customer: str, category: Sequence[str]) -> list[str]:
    """Return the example questions of a role: first in the page's language, then in the other.

    `category` is the example category's name in English and in Chinese.
    """
    other = "en" if language == "zh" else "zh"
    by_language = EXAMPLES.get(role, EXAMPLES["service"])
    chosen = [
        (tongue, question)
        for tongue, count in zip((language, other), CHIPS, strict=True)
        for question in by_language["zh" if tongue == "zh" else "en"][:count]
    ]
    return [
        question.format(customer=customer, category=category[1] if tongue == "zh" else category[0].lower())
        for tongue, question in chosen
    ]


def of_browser(accept_language: str | None) -> Language:
    """Return the language that a browser asks for first among ours, English where it names neither.

    Reads the HTTP header Accept-Language (RFC 9110, 12.5.4): tags with optional weights "q".
    """
    best: tuple[float, Language] = (0.0, "en")
    for part in (accept_language or "").split(","):
        tag, _, weight = part.strip().partition(";q=")
        prefix = tag.split("-")[0].lower()
        try:
            q = float(weight) if weight else 1.0
        except ValueError:
            continue
        for ours in LANGUAGES:
            if prefix == ours and q > best[0]:
                best = (q, ours)
    return best[1]


def of_question(question: str) -> Language:
    """Return the language a question is written in: Chinese as soon as it holds a Han character."""
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in question) else "en"
