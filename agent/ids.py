"""Ids in a question: customers, campaigns, products and segments by number, in both languages, and the
numbers that stand where a person stands ("what did 155 buy", "给12推荐")."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from agent.counts import counts_what_follows
from agent.periods import chinese_number

Span = tuple[int, int]
_ID = r"#?\s?([A-Za-z]{0,4}[-_]?\d[\w-]*)"
CUSTOMER = re.compile(
    rf"\b(?:customers?|clients?|shoppers?|households?|members?|users?)(?:\s+(?:numbers?|no\.?|ids?))?\s*:?\s*{_ID}"
    rf"((?:\s*(?:,|and|or|&|vs\.?|versus|to|with)\s*(?:customer\s+)?#?[A-Za-z]{{0,4}}[-_]?\d[\w-]*)*)", re.IGNORECASE | re.ASCII)  # fmt: skip
CUSTOMER_ZH = re.compile(
    r"(?:顾客|客户|用户|会员|家庭)(?:编号|号码|号|ID|id)?\s*[:：为是]?\s*#?\s?([A-Za-z]{0,4}[-_]?\d[A-Za-z0-9_-]*)(?![\dA-Za-z_-]|\s*(?:全?年|[上下]半年))"
    r"((?:\s*(?:、|，|,|和|与|跟|及|或)\s*(?:顾客|客户|用户|会员)?\s*#?\d[A-Za-z0-9_-]*)*)")  # fmt: skip
CUSTOMER_ZH_AFTER = re.compile(
    r"(?<![A-Za-z])([A-Za-z]{0,4}[-_]?\d[A-Za-z0-9_-]*)\s*号?(?:这[位个])?(?:顾客|客户|用户|会员)"
)
CAMPAIGN = re.compile(r"\bcampai(?:gn|n|ng)s?\s*(?:number|no\.?|#)?\s*(\d+)|(?:活动|营销活动|促销)\s*#?\s?(\d+)(?!\d|\s?[月日天折元块个件位])|(?:第\s*)?(\d+)\s*[号期]\s*(?:营销|促销)?活动|第\s*(\d+)\s*[次场个档]\s*(?:营销|促销)?活动", re.IGNORECASE)  # fmt: skip
PRODUCT = re.compile(r"\b(?:products?|items?|sku)\s*(?:number|no\.?|id)?\s*:?\s*#?\s?(\d{3,}|[A-Za-z]{1,4}[-_]?\d[\w-]*)|(?:商品|产品)(?:编号|号)?\s*[:：]?\s*#?\s?(\d{3,}|[A-Za-z]{1,4}[-_]?\d[A-Za-z0-9_-]*)|#(\d{5,})", re.IGNORECASE)  # fmt: skip
# What makes a number after "customers" a count, an age or a date: "our customers 65 and over", "家庭5人以上", "顾客2月".
_MEASURED = r"[个种岁份张元]|月(?!月)|天(?!天)|次(?!次)|周(?![末一二三四五六日])|日(?![常用])|季度"
_NO_ID = re.compile(
    rf"\s*(?:{_MEASURED}|位|人|口|\+|(?:及|或|和)?以[上下]|(?:days?|weeks?|months?|years?|adults?)\b|best\b|most\b|times\b|(?:and|or)\s+(?:over|older|above|up|under|younger|below|more|less)\b"
    rf"|\s*(?:到|至|~)\s*\d{{1,2}}\s*(?:{_MEASURED}))",
    re.IGNORECASE)  # fmt: skip
NUMBERS_RANGE = re.compile(r"\d{1,3}-\d{1,3}")
# The letter of a segment is a capital ("groups a and b" are anybody's); "groups I look at" names none.
_NUMBER_EN = "one|two|three|four|five|six|seven|eight|nine|ten"
_ORDINAL_EN = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth"
_GROUP_ZH = "分群|群体|人群|客群|细分"
SEGMENT = re.compile(
    rf"\b(?i:seg(?:ment)?s?|gr(?:ou)?ps?|clusters?)\s*(?i:number|no\.?|#)?\s*((?i:{_NUMBER_EN})|\d{{1,2}}|[A-HJ-Z]|I(?!\s+[a-z]))\b"
    rf"|\b((?i:{_ORDINAL_EN})|\d{{1,2}}(?:st|nd|rd|th))\s+(?i:(?:customer\s+)?(?:segment|group|cluster))\b"
    rf"|(?:{_GROUP_ZH})\s*#?\s?(\d{{1,2}}(?![\d月天周年日个位名])|[A-Z])|(?<![\u3400-\u9fff])群\s?(\d{{1,2}})(?!\d)"
    rf"|(?:第\s?|(?<![\d一二三四五六七八九十]))(\d{{1,2}}|[一二三四五六七八九十]{{1,2}})\s?号(?:{_GROUP_ZH}|群)"
    rf"|第\s?([一二三四五六七八九十\d]{{1,2}})[个类]?(?:{_GROUP_ZH}|群人?|类(?:顾客|客户|人))"
)
_SEGMENT_BEFORE = re.compile(r"(?<!\d)(\d{1,2}|[一二三四五六七八九十])\s?号?\s*(?:、|和|与|跟|及)\s*$")
PLACES_EN = {w: i for words in (_NUMBER_EN, _ORDINAL_EN) for i, w in enumerate(words.split("|"), 1)}
BARE = re.compile(
    r"(?<![\w.-])#?([A-Za-z]{0,4}[-_]?\d[\w-]*)(?![\w%]|-\d|\.\d|,\d{3}\s+(?!and\b|or\b|vs\b)[a-z]|\s?(?:[万千百亿件款瓶包盒套]|"
    rf"{_MEASURED}))",
    re.ASCII,
)
# A small number is a customer where the sentence makes it one: "what about 12?", "does 12 buy", "给12推荐".
_PERSON = re.compile(
    r"(?:^\W*|\b(?:about|does|did|do|is|was|has|will|would|why|for|of|offer|give|like|resembles?|compare|customers?|(?:recommend|send|sell|suggest|show)\b.*\bto)|给|那|为|和|跟|与|像|对|比|换成)\s*$",
    re.IGNORECASE)  # fmt: skip
# What stands behind a person's number wherever it is ("2208多大岁数", "系统老说17喜欢奶酪").
_SURELY_PERSON_NEXT = re.compile(
    r"['’]s\s+(?:own\s+)?[a-z]|"
    r"\s*号?(?:多大|几岁|怎么|为[何啥什]|凭[啥什]|到底|家庭|家里|口味|的?(?:年龄|年纪|收入|偏好|习惯|备注|画像|档案)|喜欢|爱[买吃喝]|老是|总是|总买|平时|有没有|会不会|是不是|大概(?:几岁|多大|什么年)|住|结婚|(?:买|爱).{0,8}(?:可能|概率|几率))"
)
_LISTED = re.compile(r"[A-Za-z]{0,4}[-_]?\d[\w-]*", re.ASCII)
_PERSON_CHAIN = re.compile(r"\s*(?:,|，|、|and|or|vs\.?|versus|和|与|跟|还是)\s*", re.IGNORECASE)
_PERSON_NEXT = re.compile(
    r"\s*(?:[?？!.。]?$|[?!.]\s+(?=[A-Z\u3400-\u9fff])|(?:呢|号|推荐|最|喜欢|会|花|买|更|谁|哪个|的)|(?:or|and|vs\.?|versus|、|,|和|与|跟|还是)\s*\d|"
    r"(?:like|likes|buy|buys|spend|spends|want|wants|need|needs|prefer|love|in|on|instead|more|most|less|next|to|come|last|usually|shop|be|going|differ|compare)\b|['’]s\b)",
    re.IGNORECASE)  # fmt: skip
# "Is 155 likely to buy": after a verb of being or doing the number is who is likely to, not how many are.
_IS = re.compile(
    r"(?:\bwhat['’]s|\b(?:is|was|does|did|will|would|can|could|might|should|has|why|if|whether|that))\s*$",
    re.IGNORECASE,
)
_LIKELY_TO = re.compile(
    r"\s+(?:(?:also|most|very|more|less|still|quite|really|ever|even)\s+)*(?:(?:un)?likely|going|apt|prone|inclined|due|about|expected|set|ready)\s+to\b"
    r"|\s+(?:among(?:st)?|one\s+of|part\s+of|in)\s+(?:our|the|my)\b"
    r"|\s+(?:probably|likely|possibly|maybe|also|still|always|often|really|never|ever|tend|tends|have|buy|purchase|take|accept|redeem|use|respond|return)\b",
    re.IGNORECASE)  # fmt: skip
_BUYS = re.compile(
    r"\s+(?:(?:also|usually|often|always|never|probably|really|still|only|mostly|mainly)\s+)?"
    r"(?:buys?|bought|buying|likes?|liked|loves?|eats?|drinks?|wants?|needs?|prefers?|shops?|purchases?d?|visits?|spends?|came|comes?|redeems?|likely|probably|喜欢|爱|想|要|买|常)\b",
    re.IGNORECASE | re.ASCII)  # fmt: skip
_OFFERED = re.compile(
    r"\b(?:recommend|send|sell|suggest|offer|show|give)\b(?!.*\bcompar).*\b(?:to|for)\s*$|给\s*$",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"\s*(?:,|，|、|and|or|vs\.?|versus|&|with|against|than|to|和|与|跟|及|还是|比)\s*#?(?P<key>\d{1,3}|[A-Z])(?![A-Za-z0-9_%.])"
)
_ENDS_LIST = re.compile(
    r"\s*(?:$|[^\w\s]|(?:and|or|vs|versus|in|on|to|for|by|do|did|does|perform|compare|differ|better|more|spend|buy)\b|[和与跟及还谁哪的相比对中在花买号])"
)
_AND = re.compile(r"\s*(?:,|and|or|&|vs)", re.IGNORECASE)
_PLURAL = re.compile(r"(?:campaigns|segments|groups|clusters)\b", re.IGNORECASE)


def place(written: str) -> int | None:
    """Return which segment a number, an ordinal ("third", "3rd", "三") or a letter names, counted from 1."""
    word = written.lower()
    if word in PLACES_EN:
        return PLACES_EN[word]
    if len(word) == 1 and word.isascii() and word.isalpha():
        return ord(word) - ord("a") + 1
    return chinese_number(re.sub(r"(?:st|nd|rd|th)$", "", word))


def segments(text: str, free: list[bool], known: Collection[str]) -> Iterable[tuple[str, Span]]:
    """Use up and return the segments as they are written, lists of them too ("1号和4号分群", "segments 1 and 4")."""
    for m in taken(SEGMENT, text, free):
        if (before := _SEGMENT_BEFORE.search(text[: m.start()])) and m.group().startswith(
            tuple("0123456789一二三四五六七八九十")
        ):
            yield before.group(1), before.span(1)
            use(free, *before.span())
        yield next(g for g in m.groups() if g), m.span()
        yield from chained(text, m, free, known)


def use(free: list[bool], start: int, end: int) -> None:
    """Mark a stretch of a text as used."""
    free[start:end] = [False] * (end - start)


def taken(form: re.Pattern[str], text: str, free: list[bool]) -> list[re.Match[str]]:
    """Return the matches in what is still free of a text, and use it up."""
    found = []
    for m in form.finditer(text):
        if all(free[m.start() : m.end()]):
            use(free, m.start(), m.end())
            found.append(m)
    return found


def campaign_kinds(kinds: Iterable[str]) -> re.Pattern[str] | None:
    """Return the form of a campaign named by its kind and number ("TypeA 18", "type A no. 18")."""
    spaced = [
        r"[\s-]?".join(map(re.escape, re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\da-zA-Z]+", kind)))
        for kind in kinds
    ]
    forms = "|".join(sorted(filter(None, spaced), key=len, reverse=True))
    return (
        re.compile(rf"(?:{forms})\s*(?:campaigns?|活动)?\s*(?:number|no\.?|#)?\s*(\d+)\b", re.IGNORECASE)
        if forms
        else None
    )


def customers(
    text: str, free: list[bool], ranged: Callable[[re.Match[str]], bool] = lambda _: False
) -> Iterable[tuple[str, Span]]:
    """Use up and return the ids that a word for customers stands beside, as they are written. ranged: whether
    what was matched is a range instead, as of ages."""
    for form in (CUSTOMER_ZH, CUSTOMER, CUSTOMER_ZH_AFTER):
        for m in form.finditer(text):
            few = re.fullmatch(r"\d{1,3}", m.group(1)) and _NO_ID.match(text, m.end(1))
            if few or not all(free[m.start() : m.end()]) or ranged(m):
                continue
            yield m.group(1), m.span(1)
            end = m.end(1)
            for listed in _LISTED.finditer(text, m.end(1), m.end()) if m.re.groups > 1 else ():
                if len(listed.group()) < 4 and counts_what_follows(text, listed.end()):
                    break  # "customer 88, 3 products"
                yield listed.group(), listed.span()
                end = listed.end()
            use(free, m.start(), end)


def chained(
    text: str, head: re.Match[str], free: list[bool], known: Collection[str]
) -> Iterable[tuple[str, Span]]:
    """Use up and return the further numbers of a list ("campaigns 8 and 13"). After a plural the second
    belongs to the list whatever comes next; any other only where it exists, or ends its clause, and is
    no count of what follows ("campaign 8 and 3 products")."""
    at, sure = head.end(), bool(_PLURAL.match(head.group()) and _AND.match(text, head.end()))
    while (m := _LIST.match(text, at)) and all(free[m.start() : m.end()]):
        listed = m["key"] in known and not counts_what_follows(text, m.end())
        if not (sure or listed or _ENDS_LIST.match(text, m.end())):
            return
        use(free, m.start(), m.end())
        yield m["key"], m.span("key")
        at, sure = m.end(), False


def persons(text: str, free: list[bool], is_customer: Callable[[str], bool]) -> Iterable[tuple[str, Span]]:
    """Use up and return the customers whose ids stand where a person stands."""
    chain = -1
    for m in BARE.finditer(text):
        if not all(free[m.start() : m.end()]) or not is_customer(m.group(1)):
            continue
        goes_on = chain >= 0 and _PERSON_CHAIN.fullmatch(text[chain : m.start()])
        before, after = text[: m.start()], text[m.end() :]
        named = (goes_on or _PERSON.search(before)) and _PERSON_NEXT.match(after)
        if named or (_IS.search(before) and _LIKELY_TO.match(after)) or _SURELY_PERSON_NEXT.match(after):
            use(free, m.start(), m.end())
            chain = m.end()
            yield m.group(1), m.span(1)


def stands_for_a_person(text: str, span: Span) -> bool:
    """Whether a number that could be a year is rather somebody who buys or is offered something."""
    return bool(_BUYS.match(text, span[1]) or _OFFERED.search(text[: span[0]]))
