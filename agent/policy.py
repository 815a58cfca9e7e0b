"""What is decided before any model sees the question: handoff, and what is always refused."""

from __future__ import annotations

import re
from typing import Literal

from agent import cues

# Tools that may still help where something went wrong; without one of them a complaint is staff's.
_ANSWERS = frozenset({"recommend", "measure"})

Policy = Literal["handoff", "refuse_instructions", "refuse_price"]

_HANDOFF = re.compile(
    r"\b(?:talk|speak|connect|transfer|chat|pass|hand|put)\b.{0,30}\b(?:to|with|over|through)\b.{0,20}\b(?:human|person|agent|representative|manager|supervisor|someone|somebody|colleague|staff|people)\b"
    r"|\b(?:real|live|actual)\s+(?:person|human|agent)\b|\bhuman\s+(?:agent|help|support|please)\b|\b(?:want|need|get me|give me)\s+(?:a|an|the|your)\s+(?:human|person|manager|supervisor|representative)\b"
    r"|转(?:接)?(?:到)?人工|人工(?:客服|服务)|真人|(?:找|叫|联系|转给|转接|换)(?:一下|个|一个|你们|你们的|给)*(?:经理|主管|同事|客服人员|工作人员|负责人|人来)|找人(?:工|来)",
    re.IGNORECASE,
)  # fmt: skip
_INSTRUCTIONS = re.compile(
    r"\b(?:system|hidden|initial|developer|secret|original)\s+(?:prompts?|instructions?|messages?)\b|\byour\s+(?:prompts?|instructions?|rules|guidelines)\b"
    r"|\b(?:ignore|disregard|forget|override)\b.{0,30}\b(?:previous|prior|above|all|your|earlier)\b.{0,30}\b(?:instructions?|prompts?|rules)\b"
    r"|\b(?:api|access|secret)\s*keys?\b|\bpasswords?\b|(?:系统|初始|隐藏|内部)(?:提示词?|指令|提示语)|(?:你|您)的(?:提示词?|指令|系统设定|规则)|提示词|忽略.{0,12}(?:指令|规则|要求|提示)|密码|密钥",
    re.IGNORECASE,
)  # fmt: skip
_PRICE = re.compile(
    r"\bcharg(?:e|ing)\b(?!\s*coal).{0,60}\b(?:more|higher|extra|less|price|customers?|them|her|him|segment|loyal|rich)\b|\bhow\s+much\s+(?:more\s+)?(?:can|could|should|may)\s+(?:we|i)\s+charge\b"
    r"|\b(?:raise|increase|set|adjust|hike|bump|personali[sz]ed?|individual|custom|special|higher|different)\b.{0,30}\bpric(?:e|es|ing)\b.{0,60}\b(?:customers?|them|her|him|segments?|loyal|rich|wealthy|income|each|who|household|profile|people)\b"
    r"|\bpric(?:e|es|ing)\b.{0,40}\b(?:will(?:ing)?\s+(?:to\s+)?(?:pay|accept)|afford|tolerate)\b|\bwilling(?:ness)?\s+to\s+pay\b|\bwhat\s+price\s+(?:should|can|could)\b.{0,40}\b(?:customers?|her|him|them|segments?)\b|\bprice\s+discriminat"
    r"|杀熟|(?:涨价|提价|抬价|加价|提高价格|调高价格|抬高价格)|(?:更|较)高的?(?:价格|售价|价)|愿意(?:付|支付|出|花).{0,6}(?:多少|更多|更高|价)|(?:个性化|单独|专属|不同|差别|差异化)的?(?:定价|价格|售价)|(?:收|卖|开|定).{0,6}(?:多少|什么|高|贵).{0,4}(?:价|钱才)|(?:给|对|为|针对).{0,14}(?:定价|开价|报.{0,3}价|多收|卖贵)",
    re.IGNORECASE,
)  # fmt: skip
_THANKS = re.compile(r"^\W*(?:(?:ok(?:ay)?|great|perfect|good)[\s,.!]*)?(?:many\s+)?(?:thanks|thank\s+you|thx|cheers|谢谢|多谢|感谢)[^?？]{0,24}$", re.IGNORECASE)


def decide(text: str) -> Policy | None:
    """Return the policy that a question falls under, or None."""
    if _INSTRUCTIONS.search(text):
        return "refuse_instructions"
    if _PRICE.search(text):
        return "refuse_price"
    if _HANDOFF.search(text):
        return "handoff"
    if cues.is_complaint(text) and not cues.tools(text) & _ANSWERS:
        return "handoff"
    return None


def is_thanks(text: str) -> bool:
    """Whether a text only says thanks."""
    return bool(_THANKS.match(text))
