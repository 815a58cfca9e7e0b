"""What the wording of a question speaks for: which tools, which quantity, which breakdown.

Cues narrow the turn's grammar, so that an option can only be what the question says; the model
chooses among what is left. A question without any cue leaves everything open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def _cue(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


TOOL_CUES = {
    "profile": _cue(
        r"\bwho\s+is\b|\btell\s+me\b.{0,20}\babout\b|\bknow\s+about\b|\bprofile\b|\bdescribe\b|\bsummar|\boverview\b|\bwhat\s+kind\s+of\s+(?:customer|shopper|person)|\b(?:last|first|latest)\s+(?:visit|come|came|here|purchase|shop|order|in|trip)|\bhow\s+often\b|\bwhen\s+(?:did|was|does|is|will)\b"
        r"|\b(?:like|likes|love|prefer|favou?rites?|tastes?|usually|mostly|typically|spends?\s+(?:the\s+)?most)\b|\bhow\s+old\b|\b(?:kids|children|married|income|family|household\s+size|demographics?|age)\b|\b(?:will|likely|going\s+to)\b.{0,30}\b(?:buy|purchase|need)\b|\bbuy\s+next\b|\bwhat\s+does\b|\bbackground\b"
        r"|是谁|介绍|情况|资料|画像|什么样的(?:顾客|客户|人)|上次|最近一次|最后一次|多久|什么时候|何时|频率|喜欢|爱买|常买|偏好|习惯|口味|多大|几岁|年龄|收入|孩子|结婚|已婚|家庭|接下来|下次|可能(?:会)?买|会买|了解|概况|背景|主要买|通常买|平时买|总结|描述"),
    "recommend": _cue(
        r"\brecommend|\bsuggest|\boffer(?!s\b)|\bpitch|\bupsell|\bcross-?sell|\binstead\b|\balternativ|\bsubstitut|\breplac|\bwhat\s+else\b|\bshould\s+(?:we|i)\b.{0,25}\b(?:sell|give|show|propose|promote)\b|\binterest(?:ed)?\b|\bmight\b.{0,20}\b(?:want|like|need|enjoy|buy)\b|\bnew\s+(?:products?|items?|things?)\b|\btry\b|\bgift\b"
        r"|推荐|建议.{0,6}(?:买|商品|产品)|推(?:销|什么|点)|卖.{0,4}(?:给|什么)|送.{0,4}什么|替代|替换|代替|换成|还(?:会|可能|想)(?:想)?(?:要|买)|可能(?:会)?(?:喜欢|感兴趣|想要)|感兴趣|提供什么|没买过|没试过|介绍.{0,6}(?:商品|产品)"),
    "explain_preference": _cue(
        r"\bwhy\b|\bhow\s+(?:likely|probable|come)\b|\b(?:chance|chances|odds|probability|likelihood|propensity|likely)\b|\breasons?\b|\bexplain|\bwhat\s+makes\b|\bwill\b.{0,30}\bbuy\b"
        r"|为什么|为何|怎么会|概率|可能性|几率|多大(?:的)?(?:可能|机会)|原因|理由|解释|依据|会不会"),
    "similar_customers": _cue(
        r"\b(?:similar|resembl\w*|alike|lookalikes?|look-alikes?|twins?|comparable)\b|\b(?:shops?|buys?|behaves?|act|is|are|customers?|who|anyone|else|people|just)\s+(?:\w+\s+)?like\b(?!\s+to)|\bsame\s+(?:tastes?|habits?|behaviou?r)|\bnearest\b"
        r"|相似|类似|像|相近|差不多的(?:顾客|客户)|同类(?:顾客|客户)"),
    "segments": _cue(r"\bsegments\b|\bsegmentation\b|\b(?:customer|kinds?\s+of|types?\s+of|groups?\s+of)\s+(?:groups?|customers|shoppers|clusters?|types)\b|\bgroups\b|\bclusters\b|分群|群体|细分|几类|哪几类|哪些类型|人群|分成|分为"),
    "segment": _cue(r"\bsegments?\b|\bgroup\b|\bcluster\b|分群|群体|细分|人群|households"),
    "audience": _cue(
        r"\baudience\b|\btarget|\bwho\s+(?:should|would|will|might|could|to|can|do\s+we|is\s+likely|are\s+likely|wants|needs)\b|\bwhom\b|\bwhich\s+(?:\d+\s+|\w+\s+)?(?:customers?|households?|shoppers?|people)\s+(?:should|would|will|might|could|to|can|are\s+(?:most\s+)?likely|are\s+best)\b"
        r"|\b(?:send|mail|address|invite|coupon|promot\w*|advertis\w*|ad|ads|campaign|push)\b|\bfind\b.{0,25}\b(?:customers|households|people|shoppers)\b|\b(?:customers|households|people|shoppers|list)\s+for\b|\bmost\s+likely\s+to\s+buy\b"
        r"|目标|受众|触达|投放|推广|促销|优惠券|广告|(?:发|送|寄|推)给(?:谁|哪)|发送|应该给谁|给(?:哪些|哪几|哪\d*|谁)|最(?:有)?可能(?:会)?(?:买|购买)|找(?:出)?.{0,8}(?:位|个|名)(?:顾客|客户)|适合.{0,6}(?:顾客|客户|人)|谁(?:会|最可能|可能|应该|想)"),
    "search_products": _cue(
        r"\b(?:do|does)\s+(?:you|we|the\s+shop)\s+(?:sell|have|carry|stock|offer)\b|\b(?:find|search|look\s+for|looking\s+for|list|show)\b(?!.{0,25}\b(?:customers|households|segments|campaigns)\b)|\bis\s+there\b|\bare\s+there\b|\bwhich\s+(?:kinds?|sorts?|products?|types?|brands?)\b|\bwhat\s+(?:kinds?|sorts?|types?)\s+of\b|\bwhich\b.{0,20}\bdo\s+(?:you|we)\s+(?:have|sell|carry|stock)\b|\bwhat\b.{0,25}\bdo\s+(?:you|we)\s+(?:have|sell|carry|stock)\b|\bhow\s+much\s+(?:is|are|does|do)\b.{0,30}\bcosts?\b|\bprice\s+of\b|\bcosts?\b"
        r"|有(?:没有|哪些|什么|哪几种)|卖(?:不卖|什么|哪些)|搜|查找|找.{0,6}(?:商品|产品)|多少钱一|售价|价格|有.{1,12}吗"),
    "bought_with": _cue(
        r"\btogether\b|\bgo(?:es)?\s+(?:well\s+)?(?:with|along)\b|\bpair|\bcombin|\bbundle|\balongside\b|\bcompanions?\b|\bcomplement|\balso\s+(?:buy|bought|purchase|get|pick)|\bsame\s+basket|\bbaskets?\s+with\b|\b(?:bought|buy|purchased|sold|want|eat|serve|have)\b.{0,25}\bwith\b|\bassociat|\bcross-?sell|\bnext\s+to\b|\bwhat\s+else\b"
        r"|一起|搭配|同时|组合|捆绑|关联|配(?:什么|着)|还(?:会|常|经常|可能)?(?:会)?买|购物篮"),
    "campaign": _cue(r"\bcampaigns?\b|\bredempt|\bredeem|\bcoupons?\s+(?:campaign|did|do|work)|活动|兑换|核销"),
}  # fmt: skip

QUANTITY_CUES = {
    "redemptions": _cue(r"\bredeem\w*\b|\bredempt\w*\b|兑换|核销"),
    "received": _cue(r"\breceived?\b|\bwere\s+(?:sent|reached)\b|\breach(?:ed)?\b|收到|触达"),
    "mean_basket": _cue(
        r"\b(?:average|mean|typical|usual)\b.{0,20}\b(?:basket|trip|visit|order|ticket|receipt|transaction)\b|\b(?:per|each|every|a)\s+(?:trip|visit|basket|order|shopping\s+trip|transaction)\b|\bbasket\s+(?:size|value)\b"
        r"|客单价|每(?:次|单|趟|笔)|单次|一次(?:花|消费|买)"),
    "mean_spend": _cue(r"\b(?:average|mean)\b.{0,25}\b(?:spend|spent|spending)\b(?!.{0,20}\b(?:trip|visit|basket|order)\b)|\b(?:spend|spending|spent)\b.{0,20}\bon\s+average\b|\b(?:per|each)\s+(?:customer|household|head|person|capita|shopper)\b|\baverage\s+customer\b|人均|平均(?:每[位个人名].{0,4})?(?:消费|花费|支出|花)|每(?:位|个|名)(?:顾客|客户|人)"),
    "mean_price": _cue(r"\b(?:average|mean)\b.{0,20}\bprice\b|\bprice\s+(?:per|a)\s+unit\b|均价|单价|平均价格|平均售价"),
    "customers": _cue(r"\bhow\s+many\s+(?:of\s+(?:our|the)\s+)?(?:\w+\s+){0,2}?(?:customers?|households?|people|shoppers?|clients?|buyers?|users?|members?|families|homeowners|renters)\b|\bnumber\s+of\s+(?:customers|households|shoppers|buyers|people)\b|\b(?:percentage|percent|share|proportion|fraction)\s+of\s+(?:our\s+|the\s+|all\s+)?(?:customers|households|shoppers|people)\b|\b(?:most|fewest)\s+(?:customers|buyers|shoppers)\b|多少(?:位|名|个)?(?:顾客|客户|人|家庭|用户|会员)|(?:几|多少)(?:位|名)|顾客(?:数|人数|数量)|人数|百分之多少的(?:顾客|客户|人)"),
    "baskets": _cue(r"\bhow\s+(?:many\s+times|often)\b|\b(?:how\s+many|number\s+of|most|fewest|total)\s+(?:\w+\s+)?(?:trips?|visits?|baskets?|orders?|transactions?|purchases)\b|几次|多少次|次数|频次|多少(?:单|笔)|订单数|客流"),
    "products": _cue(r"\bhow\s+many\s+(?:different\s+|distinct\s+)?(?:products|items|articles|skus)\b|\bnumber\s+of\s+(?:different\s+|distinct\s+)?(?:products|items|skus)\b|多少种|几种|多少款|品种数"),
    "units": _cue(r"\bunits?\b|\bpieces?\b|\bquantit|\bhow\s+many\b(?!\s+(?:of\s+(?:our|the)\s+)?(?:\w+\s+){0,2}?(?:customers?|households?|people|shoppers?|clients?|buyers?|users?|members?|families|homeowners|renters|trips?|visits?|baskets?|orders?|times|transactions?|segments?|groups?|campaigns?|coupons?|categories|departments|products|items|days|different))|\bvolume\b|\bbest[\s-]*sell|\bsells?\s+(?:the\s+)?(?:best|most|worst|least)|\bmost\s+(?:popular|sold|bought|purchased)\b|\bbuys?\s+(?:the\s+)?most\b|销量|件数|多少件|多少个|卖得最|最(?:畅销|热销|受欢迎)|数量"),
    "spend": _cue(r"\bspen[dt]\w*\b|\bsales?\b|\brevenue|\bturnover\b|\bmoney\b|\bearn|\bbrought?\s+in\b|\bbring\b|\bhow\s+much\b|\bworth\b|\bvaluable\b|\bbest\s+(?:customers?|month|department|categor)|\btop\b|\bdollars?\b|\bincome\s+from\b|\bbuys?\s+(?:the\s+)?most\b|\bsells?\s+(?:the\s+)?(?:best|most|worst|least)|\bbest[\s-]*sell|\bshare\b|\bwho\s+(?:buys|bought)\b|消费|花(?:了|费|多少|得|最|钱)|销售|营业额|收入|金额|多少钱|卖了|卖得|贡献|最(?:有价值|重要|好的顾客)|占(?:比|了|销|总)?|业绩|支出"),
}  # fmt: skip

GROUPING = _cue(
    r"\bwhich\b|\bwho\b|\bwhose\b|\btop\b|\bbest\b|\bworst\b|\brank|\bby\s+(?:\w+\s+)?(?:month|age|income|category|department|segment|brand|product|campaign|weekday|customer|type|household|children|home|marital)|\bper\s+(?:month|category|department|segment|brand|product|weekday|age|type)|\beach\s+(?:month|category|department|segment|brand|product|weekday|age|type|group)|\bevery\s+month|\bsplit|\bbreak\s?down|\bcompar|\bvs\.?\b|\bversus\b|\bshare\b|\bpercentage\b|\bproportion\b|\bmost\b|\bleast\b|\bhighest\b|\blowest\b|\btrend|\bover\s+time\b|\bdevelop|\bor\b|\bdistribut|\bmore\b|\bless\b|\bdiffer|\bwhat\s+are\b|\bwhen\b|\bpeak|\bmonthly\b|\blist\b"
    r"|哪|谁|各|按|排[名行序]|前[\d一二三四五六七八九十]|最|分别|比较|对比|占|比例|趋势|走势|变化|分布|还是|逐月|每个?(?:月|品类|部门|分群|品牌|年龄)|更[多高少低]|倒数"
)  # fmt: skip

DIMENSION_CUES = {
    "customer": _cue(r"\bcustomers?\b|\bhouseholds?\b|\bshoppers?\b|\bclients?\b|\bwho\b|\bbuyers?\b|\bpeople\b|顾客|客户|谁|用户|会员|家庭|买家"),
    "department": _cue(r"\bdepartments?\b|部门"),
    "category": _cue(r"\bcategor|\bkinds?\s+of\s+(?:goods|products)|品类|类别|种类|哪类|哪几类"),
    "type": _cue(r"\bproduct\s+types?\b|\btypes?\s+of\b|商品类型"),
    "product": _cue(r"\bproducts?\b|\bitems?\b|\barticles?\b|\bskus?\b|商品|产品|单品|东西"),
    "brand": _cue(r"\bbrands?\b|\blabels?\b|品牌|牌子"),
    "segment": _cue(r"\bsegments?\b|\bgroups?\b|\bclusters?\b|分群|群体|人群"),
    "campaign": _cue(r"\bcampaigns?\b|活动"),
    "month": _cue(r"\bmonth|\bwhen\b|\btrend|\bover\s+time\b|\bseason|\bpeak|\bdevelop|月|趋势|走势|季节|旺季|淡季|什么时候"),
    "weekday": _cue(r"\bweekdays?\b|\bdays?\s+of\s+the\s+week\b|\bwhich\s+day\b|\bbusiest\s+day|星期|周几|礼拜|哪一?天"),
}  # fmt: skip
_ATTRIBUTE_CUES = {
    "age": _cue(r"\bage|\bold(?:er)?\b|\byoung|年龄|岁|年轻|年长"),
    "income": _cue(r"\bincome|\bearning\s+(?:group|class|band)|\brich|\bwealth|收入(?!来)"),
    "home_ownership": _cue(r"\bhome\s?own|\bown\s+their\b|\brent|住房|有房|租房"),
    "marital_status": _cue(r"\bmarri|\bmarital|\bsingles?\b|\bunmarried|婚"),
    "household_size": _cue(r"\bhousehold\s+sizes?|\bfamily\s+sizes?|\bsizes?\s+of\s+(?:the\s+)?(?:household|famil)|家庭人数|家庭规模|几口"),
    "household_comp": _cue(r"\bcomposition|家庭构成|家庭结构"),
    "kids_count": _cue(r"\bkids?\b|\bchild|孩子|小孩|子女"),
}  # fmt: skip
ABOUT_CUES = {
    "spending": _cue(r"\bspen[dt]\w*\b|\bmoney\b|\bworth\b|消费|花|金额"),
    "visits": _cue(r"\b(?:when|often|last|first|latest|frequen\w*|visits?|trips?|regular\w*)\b|什么时候|何时|多久|上次|最近|频率|次数|几次"),
    "tastes": _cue(r"\b(?:likes?|loves?|prefers?|favou?rites?|tastes?|usually|mostly|typically|spends?\s+(?:the\s+)?most|categor\w*)\b|喜欢|爱|偏好|习惯|口味|主要|常买|通常|平时|品类"),
    "attributes": _cue(r"\b(?:old|age|kids|children|married|income|family|demographics?|household\s+size|homeowner|rents?)\b|多大|几岁|年龄|收入|孩子|婚|家庭|年纪"),
    "next": _cue(r"\b(?:will|likely|next|going\s+to|predict\w*|expect\w*)\b|接下来|下次|会买|可能|预测|将"),
}  # fmt: skip
_COMPLAINT = _cue(
    r"\brefunds?\b|\bmoney\s+back\b|\bcomplain(?:s|ed|ing|t|ts)?\b|\b(?:spoil(?:ed|t)|rotten|mou?ldy|expired|damaged|broken|defective)\b|\bwrong\s+(?:item|order|product)\b|\breturn(?:ing)?\s+(?:it|them|this|the)\b|\bcompensat"
    r"|退款|退货|退钱|投诉|变质|坏了|发霉|过期|破损|赔偿|发错|换货"
)
_SEVERAL = _cue(r"\band\s+(?:what|how|who|which|when|why|where|then|also|recommend|suggest|tell|show|give|list)\b|\balso\b|\bthen\b|[?？].*[?？]|[;；]|并且|然后|以及(?=.{0,6}(?:推荐|多少|哪|谁|什么))|同时(?:推荐|告诉)|，(?:再|还要|另外|并)")


def is_complaint(text: str) -> bool:
    """Whether a text tells of a matter that staff must settle."""
    return bool(_COMPLAINT.search(text))


def tools(text: str) -> set[str]:
    """Return the tools that the wording speaks for; `measure` where it names a quantity."""
    found = {name for name, cue in TOOL_CUES.items() if cue.search(text)}
    return found | ({"measure"} if quantities(text) else set())


def quantities(text: str) -> list[str]:
    """Return the quantities that the wording names; a mean rules the plain sum out."""
    found = [name for name, cue in QUANTITY_CUES.items() if cue.search(text)]
    if any(name.startswith("mean_") for name in found):
        found = [name for name in found if name.startswith("mean_")]
    special = [name for name in found if name in ("redemptions", "received", "customers", "baskets", "products")]
    if special and set(found) - set(special) <= {"spend", "units"}:
        strong = QUANTITY_CUES["spend"].search(re.sub(r"\bhow\s+much\b|\btop\b|\bshare\b|\bmoney\b|占\w?", "", text))
        return special if not strong or special[0] in ("redemptions", "received") else found
    return found


def about(text: str) -> list[str]:
    """Return the parts of a profile that the wording asks for; ["everything"] where it names none."""
    return [name for name, cue in ABOUT_CUES.items() if cue.search(text)] or ["everything"]


def breakdowns(text: str, linked: Iterable[str], several: Sequence[str], attributes: Sequence[str]) -> list[str]:
    """Return what a figure may be broken down by, as the question says it; ["none"] for one figure.

    linked: dimensions of which something is named (a share of it may be asked). several: those of
    which two or more things are named (a comparison). attributes: the shop's customer attributes.
    """
    if several and GROUPING.search(text):
        return list(several)
    if not GROUPING.search(text):
        return ["none"]
    found = [name for name, cue in DIMENSION_CUES.items() if cue.search(text)]
    found += [a for a in attributes if (_ATTRIBUTE_CUES.get(a) or _cue(re.escape(a.replace("_", " ")))).search(text)]
    if re.search(r"\bshare\b|\bpercent|\bproportion|\bfraction|占|比例|百分", text, re.IGNORECASE):
        found += [d for d in linked if d not in found]
        return found + ["none"]
    return found or ["none"]


def asks_several(text: str) -> bool:
    """Whether a text asks for more than one thing."""
    return bool(_SEVERAL.search(text))
