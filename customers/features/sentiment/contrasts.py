"""Short sentences in which a word's polarity is turned around, written for training.

A few thousand reviews hold too little of "not bad at all" and "lovely, but it broke". These sentences
are made of our own words, balanced so that each word stands as often in good as in bad ones: what is
learned from them is the turn, not the word.
"""

from __future__ import annotations

from customers.features.sentiment.reading import Language

# (good word, bad word); a pattern's first mark says what it makes of them.
_WORDS: dict[Language, tuple[tuple[str, str], ...]] = {
    "en": (
        ("good", "bad"), ("great", "terrible"), ("comfortable", "uncomfortable"), ("fresh", "stale"),
        ("nice", "ugly"), ("tasty", "awful"), ("sturdy", "flimsy"), ("happy", "disappointed"),
        ("impressed", "annoyed"), ("beautiful", "cheap"), ("perfect", "horrible"), ("lovely", "nasty"),
    ),
    "zh": (
        ("好", "差"), ("好用", "难用"), ("好吃", "难吃"), ("漂亮", "难看"), ("新鲜", "烂"), ("舒服", "难受"),
        ("满意", "失望"), ("干净", "脏"), ("快", "慢"), ("结实", "薄"), ("好闻", "难闻"), ("划算", "贵"),
    ),
}  # fmt: skip
# {g} a good word, {b} a bad one.
_GOOD: dict[Language, tuple[str, ...]] = {
    "en": (
        "not {b} at all", "it is not {b}", "isn't {b}", "never {b}", "not as {b} as I feared", "{b}? no, {g}",
        "I thought it would be {b} but it is {g}", "a bit {b} at first but really {g}", "really {g}", "{g}",
    ),
    "zh": (
        "不{b}", "一点也不{b}", "一点都不{b}", "并不{b}", "没有想象中那么{b}", "以为会很{b}，没想到很{g}",
        "有点{b}，但是很{g}", "有点{b}但是很{g}", "虽然{b}，不过很{g}", "真{g}", "很{g}",
    ),
}  # fmt: skip
_BAD: dict[Language, tuple[str, ...]] = {
    "en": (
        "not {g} at all", "it is not {g}", "isn't {g}", "never {g}", "not as {g} as I hoped", "{g}? no, {b}",
        "I thought it would be {g} but it is {b}", "{g} at first but really {b}", "really {b}", "{b}",
    ),
    "zh": (
        "不{g}", "一点也不{g}", "一点都不{g}", "并不{g}", "没有想象中那么{g}", "以为会很{g}，没想到很{b}",
        "很{g}，但是太{b}", "很{g}但是太{b}", "虽然{g}，不过太{b}", "真{b}", "太{b}",
    ),
}  # fmt: skip
# What no pair of words makes: as many good ones as bad.
_SAYINGS: dict[Language, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        (
            "no problems", "no complaints", "without any problems", "nothing wrong with it", "can't complain",
            "never fails", "couldn't be better", "worth every penny", "will buy again", "no regrets",
            "not bad", "not bad at all", "not too bad", "not half bad", "no complaints at all",
            "I have no complaints", "I can't complain", "nothing to complain about", "couldn't be happier",
            "could not be happier", "never disappoints", "did not disappoint", "does not disappoint",
            "can't fault it", "nothing bad to say about it",
        ),
        (
            "many problems", "only complaints", "nothing but problems", "something wrong with it",
            "can't recommend it", "always fails", "couldn't be worse", "not worth the money",
            "will not buy again", "I regret buying it",
            "bad", "bad in all ways", "too bad", "half of it is bad", "all I have is complaints",
            "I have many complaints", "I can only complain", "a lot to complain about", "couldn't be unhappier",
            "could not be less happy", "always disappoints", "it did disappoint", "it does disappoint",
            "I can fault all of it", "nothing good to say about it",
        ),
    ),
    "zh": (
        (
            "没有问题", "没有任何毛病", "没有异味", "没坏", "没有让我失望", "挑不出毛病", "值得购买", "还会再买",
            "没有缺点", "不后悔", "不错", "很不错", "真的不错", "没得挑", "没的挑", "没什么可挑剔的", "一点毛病都挑不出来",
            "买了不后悔", "一点也不后悔", "没有失望", "没让人失望", "从不让人失望", "没什么可抱怨的",
        ),
        (
            "很多问题", "毛病很多", "有异味", "坏了", "让我失望", "没有一个好的", "不值得购买", "不会再买",
            "没有优点", "后悔买了", "错了", "发错了", "真的错了", "挑错了", "没的说，差", "可挑剔的很多", "一挑都是毛病",
            "买了就后悔", "非常后悔", "很失望", "让人失望", "总是让人失望", "抱怨很多",
        ),
    ),
}  # fmt: skip


def contrasts(language: Language) -> tuple[list[str], list[float]]:
    """Sentences made of patterns and words, and their polarity (1 good, 0 bad), as many of each."""
    texts: list[str] = []
    positive: list[float] = []
    for label, patterns, said in zip((1.0, 0.0), (_GOOD, _BAD), _SAYINGS[language], strict=True):
        made = [p.format(g=good, b=bad) for p in patterns[language] for good, bad in _WORDS[language]]
        made = [text for text in made if text not in said]
        texts += made
        positive += [label] * len(made)
    return texts, positive


def sayings(language: Language) -> tuple[list[str], list[float]]:
    """Set phrases that no pattern makes, and their polarity, as many of each."""
    good, bad = _SAYINGS[language]
    return [*good, *bad], [1.0] * len(good) + [0.0] * len(bad)
