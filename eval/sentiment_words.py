"""The textbook's sentiment, as baselines only: look for "good" and "bad", or count words of two long lists.

The lists are stronger than a textbook's: some 40 words of each kind, written for reviews of shops.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from customers.errors import BadInput
from customers.features.sentiment.reading import Language

_GOOD: dict[Language, tuple[str, ...]] = {
    "en": tuple(
        "good great excellent amazing wonderful fantastic perfect best love loved lovely nice happy beautiful "
        "awesome pleased satisfied comfortable enjoy enjoyed recommend recommended quality favorite gorgeous "
        "fabulous soft cute pretty flattering compliments easy fast fresh delicious helpful worth like liked".split()
    ),
    "zh": tuple(
        "好 不错 喜欢 满意 棒 赞 很好 优秀 值得 推荐 漂亮 美 舒服 实惠 便宜 划算 方便 干净 新鲜 好吃 好用 质量好 "
        "正品 完美 给力 放心 支持 超值 精致 清晰 流畅 快 甜 香 温馨 热情 周到 开心 感谢 惊喜".split()
    ),
}
_BAD: dict[Language, tuple[str, ...]] = {
    "en": tuple(
        "bad poor terrible awful horrible worst hate hated disappointing disappointed disappointment cheap ugly "
        "broken waste return returned returning uncomfortable wrong problem problems useless slow unhappy itchy "
        "scratchy thin flimsy ripped torn defective boring dirty stale expensive refund unfortunately dislike".split()
    ),
    "zh": tuple(
        "差 坏 烂 垃圾 失望 后悔 差评 难用 难吃 难看 难闻 慢 贵 假货 假 骗 脏 破 臭 退货 退 问题 投诉 糟糕 恶心 "
        "无语 卡 死机 掉色 起球 薄 小 漏 吵 旧 不好 不满 上当 气愤 浪费 酸".split()
    ),
}


def counted(text: str, language: Language) -> float:
    """(good words - bad words) / (good + bad), from -1 to 1; 0 where there is none. Chinese words are found
    as strings, English ones as whole words; negation plays no part."""
    if language == "zh":
        good, bad = (sum(text.count(word) for word in words["zh"]) for words in (_GOOD, _BAD))
    else:
        found = re.findall(r"[a-z']+", text.lower())
        good, bad = (sum(word in words["en"] for word in found) for words in (_GOOD, _BAD))
    return (good - bad) / (good + bad) if good + bad else 0.0


_PAIR: dict[Language, tuple[str, str]] = {"en": ("good", "bad"), "zh": ("好", "坏")}


def good_or_bad(text: str, language: Language) -> float:
    """1 where the text holds "good" (好), -1 where it holds "bad" (坏), 0 where it holds both or neither."""
    good, bad = (word in text.lower() for word in _PAIR[language])
    return float(good) - float(bad)


def read_words(path: Path) -> set[str]:
    """The Chinese words of a published list, one a line, in UTF-8 or GB18030; lines that are none are passed over.
    Raises BadInput where the file cannot be read or holds none."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); give a list of words") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030", "replace")
    words = {line.strip() for line in text.splitlines()}
    found = {word for word in words if re.fullmatch(r"[\u4e00-\u9fff]+", word)}
    if not found:
        raise BadInput(f"{path}: holds no Chinese word; give a list with one a line")
    return found


def listed(texts: Sequence[str], good: set[str], bad: set[str]) -> NDArray[np.float64]:
    """As `counted`, of Chinese texts by two published lists, shape (texts,): where several of their words begin at
    a place the longest counts; words of both lists count for neither."""
    both = good & bad
    begin: dict[str, list[str]] = {}
    for word in sorted((good | bad) - both, key=lambda word: (-len(word), word)):
        begin.setdefault(word[0], []).append(word)
    scores = np.zeros(len(texts))
    for place, text in enumerate(texts):
        at, tally = 0, [0, 0]
        while at < len(text):
            word = next((w for w in begin.get(text[at], ()) if text.startswith(w, at)), None)
            if word is not None:
                tally[word in bad] += 1
            at += len(word or " ")
        scores[place] = (tally[0] - tally[1]) / max(sum(tally), 1)
    return scores
