"""How a persona reads a reply: in which language it is, what it asks, whom it names. No model, only predicates."""

from __future__ import annotations

import re

from eval.personas.needs import About, Reply

_HAN = re.compile(r"[\u4e00-\u9fff]")
_ASKS = {
    About.CUSTOMER: r"which (?:customer|person|household)|customer['’]?s? (?:number|id)|whom? do you mean|for whom"
    r"|哪[位个名](?:顾客|客户|会员)|(?:顾客|客户|会员)的?(?:编号|号码)|为谁|给谁",
    About.CATEGORY: r"\b(?:categor(?:y|ies)|what (?:kinds?|sorts?) of|which (?:products?|kinds?)|what (?:are they|is it) (?:after|for))\b"
    r"|哪[个种类些]?(?:品类|类别|商品|产品|类)|什么(?:品类|类别|商品|产品|类)|品类或商品",
    About.COUNT: r"\bhow many\b|\bwhat number of\b|几[个种样款位件]|多少[个种样款位件]",
    About.NEW: r"\b(?:bought|had|tried|purchased)\b.{0,20}\bbefore\b|\bnew to (?:them|her|him)\b|\balready (?:had|have|bought)\b"
    r"|以前买过|没买过|买过的|新(?:品|商品|的)还是",
    About.AVOID: r"\b(?:dislikes?|avoid|allerg\w+|not want|rule out)\b|不喜欢|过敏|忌口|不想要|排除",
    About.BUDGET: r"\b(?:budget|price range|how much (?:may|can|should) (?:it|they) cost|spend up to)\b|预算|价位|价格范围",
    About.PERIOD: r"\b(?:which|what) (?:period|months?|time|dates?)\b|\bwhen\b|哪[个段些]?(?:月|时间|时期)|什么时[候间]|时间范围",
    About.GROUP: r"\b(?:which|what) (?:age|groups?|shoppers|income)\b|哪[个些类](?:年龄|人群|客群|群体)|什么(?:年龄|人群)",
    About.CAMPAIGN: r"\b(?:which|what) campaigns?\b|\bcampaign (?:number|id)\b|哪[个次场]?(?:营销)?活动|活动编号",
}
_ASKED = {about: re.compile(pattern, re.IGNORECASE) for about, pattern in _ASKS.items()}
_PEOPLE = re.compile(
    r"(?<![\d.,])(\d{1,3}(?:[,，]\d{3})+|\d+) ?(?:customers|people|households|shoppers|members|[位名人])",
    re.IGNORECASE,
)
_MEMBER = re.compile(r"(?:\bcustomers?|顾客|客户) ?#?(\d+)|(\d+) ?号(?:顾客|客户)", re.IGNORECASE)


def asked(reply: Reply) -> frozenset[About]:
    """Return what a clarifying question asks for; empty for other replies and where nothing is recognised."""
    if reply["kind"] != "clarify":
        return frozenset()
    return frozenset(about for about, pattern in _ASKED.items() if pattern.search(reply["answer"]))


def names(text: str, wanted: str) -> bool:
    """Whether a text holds a name: as whole words in Latin script, anywhere in Chinese."""
    return place(text, wanted) >= 0


def place(text: str, wanted: str) -> int:
    """Return where a name first stands in a text, -1 where it does not."""
    if _HAN.search(wanted):
        return text.find(wanted)
    found = re.search(rf"(?<![A-Za-z0-9_]){re.escape(wanted)}(?![A-Za-z0-9_])", text, re.IGNORECASE)
    return found.start() if found else -1


def members(reply: Reply) -> tuple[str, ...]:
    """Return the customers that an answer and its cited facts name, each once."""
    texts = [reply["answer"], *(str(citation["fact"]) for citation in reply.get("citations", ()))]
    return tuple(dict.fromkeys(a or b for text in texts for a, b in _MEMBER.findall(text)))


def sizes(reply: Reply) -> frozenset[int]:
    """Return the numbers of people that an answer speaks of ("these 15 customers", "15位顾客")."""
    return frozenset(int(re.sub("[,，]", "", found)) for found in _PEOPLE.findall(reply["answer"]))


def offered(reply: Reply) -> tuple[str, ...]:
    """Return the ids of the recommended products, each once."""
    return tuple(dict.fromkeys(str(offer["product_id"]) for offer in reply.get("recommendations", ())))


def in_language(reply: Reply, language: str) -> bool:
    """Whether a reply says that it is, and is, in a language. Names stay English in a Chinese answer, so the
    script that prevails decides."""
    text = reply["answer"]
    chinese = len(_HAN.findall(text)) > len(re.findall(r"[A-Za-z]{2,}", text))
    return reply["language"] == language and chinese == (language == "zh")


def tokens(reply: Reply) -> int:
    """Return the tokens of prompt and completion that a reply took."""
    usage = reply.get("usage") or {}
    return int(usage.get("prompt_tokens", 0)) + int(usage.get("completion_tokens", 0))
