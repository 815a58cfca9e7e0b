"""The ordinary words of questions to a shop. What is none of them, and no name, is an unknown term.

Kept as plain words (English stemmed like the lexicon); a word that is missing here costs at worst a
clarifying question, never a wrong answer.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import lru_cache

from agent.lexicon import ORDINARY, stem, tokens
from agent.prompts import word_list

ENGLISH = ORDINARY
CHINESE = frozenset(word_list("words_zh"))
_LONGEST = max(map(len, CHINESE))

# Words of questions that also happen to be (parts of) names in shops' catalogues.
NEVER_NAMES = frozenset(
    "products product items item other others misc all value special new seasonal party home offers service "
    "商品 产品 其他 用品 食品 优惠 季节 顾客".split()
)
_FUNCTION = frozenset(
    "的了吗呢吧啊呀和与跟及或在从到对给为被把让向往于中里上下内外之其是有没无都也又再就只才很非常太挺真"
    "我你您他她它咱这那哪谁几每各要想会能可该请帮找问说讲写做看选挑送推荐叫买卖吃喝花付去回来用还更最更比按由则已曾将被个位"
)
# A word of questions that also ends nouns ("鼠标", "沙发"): it stays with an unknown character before it.
_COUNTERS = "款"
_NOUN_ENDS = frozenset("标本条发单表画")
_GOODS = frozenset(word_list("words_goods_zh"))
"""Things to buy that are one character; any other one is no term, but after one of the next."""
# One unknown character is a thing to buy right after one of these ("买书的顾客").
_GOODS_AFTER = re.compile(r"(?:买[了过的]?|卖[了过的]?|吃|喝|喜欢|推荐|促销)$")
_LIKE = 0.86
"""How like an ordinary word (difflib's ratio) a misspelt one is."""
_NUMBER = re.compile(r"\d+(?:st|nd|rd|th|s|k)?$")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")


@lru_cache(maxsize=1024)
def is_misspelt(word: str) -> bool:
    """Whether an unknown English word is an ordinary one with a letter or two wrong ("averge", "cusotmer")."""
    return (
        word.isascii() and len(word) > 4 and bool(difflib.get_close_matches(word.lower(), ENGLISH, 1, _LIKE))
    )


def content_terms(text: str, free: Sequence[bool]) -> list[tuple[str, int, int]]:
    """Return the stretches of a text that are neither used already nor ordinary words."""
    return sorted(
        [*_english_terms(text, free), *map(_uncounted, _chinese_terms(text, free))], key=lambda t: t[1]
    )


def _uncounted(found: tuple[str, int, int]) -> tuple[str, int, int]:
    """ "新款燕麦奶": 款 belongs to what stands before it."""
    term, start, end = found
    return (term[1:], start + 1, end) if term[0] in _COUNTERS and len(term) > 2 else found


def _english_terms(text: str, free: Sequence[bool]) -> list[tuple[str, int, int]]:
    runs: list[list[tuple[str, int, int]]] = []
    previous_end = -2
    for word, start, end in tokens(text):
        known = (
            word in ENGLISH or stem(word) in ENGLISH or len(word) < 3 or _NUMBER.match(word) or "'" in word
        )
        if known or not all(free[start:end]):
            continue
        if runs and start - previous_end <= 1:
            runs[-1].append((word, start, end))
        else:
            runs.append([(word, start, end)])
        previous_end = end
    return [(text[r[0][1] : r[-1][2]], r[0][1], r[-1][2]) for r in runs]


def _chinese_terms(text: str, free: Sequence[bool]) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    for run in _HAN_RUN.finditer(text):
        position, begun, lone = run.start(), None, None
        while position < run.end():
            step = _known_length(text, position, run.end()) if free[position] else 1
            if begun == position - 1 and step == 1 and text[position] in _NOUN_ENDS:
                position += 1
                continue
            if not free[position] or step:
                _close(found, text, begun, position)
                begun = None
                lone = position if step == 1 and free[position] and text[position] not in _FUNCTION else None
            elif begun is None:
                # 天气: a character that is a word by itself may begin a longer, unknown one
                begun = position if lone is None else lone
            position += step or 1
        _close(found, text, begun, run.end())
    return found


def _close(found: list[tuple[str, int, int]], text: str, begun: int | None, end: int) -> None:
    if begun is not None and (end - begun >= 2 or text[begun] in _GOODS or _GOODS_AFTER.search(text[:begun])):
        found.append((text[begun:end], begun, end))


def _known_length(text: str, start: int, end: int) -> int:
    for length in range(min(_LONGEST, end - start), 0, -1):
        if text[start : start + length] in CHINESE:
            return length
    return 0
