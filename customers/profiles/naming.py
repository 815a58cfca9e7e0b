"""The rule that a segment's given name is held against: it must say what really sets the segment apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from customers.profiles.segment_facts import match
from customers.profiles.segments import defining
from customers.stores import segment_names
from customers.values import Name, Segment

LONGEST = 40
_LIFT = 1.5
_GENERAL = frozenset("and other misc all food foods product products item items pack packs fresh frozen "
                     "shopper shoppers lover lovers fan fans buyer buyers customer customers store".split())  # fmt: skip
_GENERAL_ZH = frozenset("其他 食品 用品 商品 产品 顾客 客群 购物 冷冻 爱好 好者".split())
_PEOPLE = frozenset("young old elderly senior seniors adult adults teen teens student students family families parent "
                    "parents mom moms mum mums dad dads mother mothers father fathers kid kids child children baby "
                    "babies men man women woman male female rich poor wealthy affluent income single singles couple "
                    "couples retired household households".split())  # fmt: skip
_PEOPLE_ZH = ("年轻", "青年", "老年", "中年", "老人", "学生", "家庭", "父母", "妈妈", "宝妈", "爸爸", "孩子", "儿童",
              "婴儿", "男性", "女性", "男士", "女士", "富裕", "高收入", "低收入", "单身", "情侣", "夫妻", "退休", "上班族")  # fmt: skip
_WORD = re.compile(r"[a-z]+")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")

Synonyms = Iterable[tuple[str, str, str, str]]
"""(kind, key, language, word) as `Shop.synonyms` gives them."""


def marks(segment: Segment, synonyms: Synonyms = ()) -> dict[str, list[str]]:
    """By language, what the categories that set the segment apart (lift of at least 1.5) are called."""
    apart = {t.category: t.name for t in segment.top if t.lift >= _LIFT}
    named = set(defining(list(segment.top)))
    kept = {key: name for key, name in apart.items() if name in named}
    found = {language: [name[language] for name in kept.values()] for language in ("en", "zh")}
    for kind, key, language, word in synonyms:
        if kind == "category" and key in kept and language in found:
            found[language].append(word)
    return found


def refusal(name: Name, said: Mapping[str, Sequence[str]], taken: Collection[Name] = ()) -> str | None:
    """Why a name may not stand, in one line for who gave it; None where it may.

    said: the segment's `marks`. taken: the other segments' names. Who its customers are is not to be told
    by a name: only words that a category's own name has may sound like it ("baby food").
    """
    for language in ("en", "zh"):
        text = name[language].strip()
        if not text or len(text) > LONGEST:
            return f"the {language} name must have 1 to {LONGEST} characters"
        if any(ch.isdigit() for ch in text):
            return f"the {language} name may hold no digits"
        if any(not (ch.isalpha() or ch in " &'-、和与·，,") for ch in text):
            return f"the {language} name may hold words only"
        if any(text.casefold() == other[language].casefold() for other in taken):
            return f"the {language} name is another segment's already"
    if not name.en.isascii() or not _CHINESE.search(name.zh) or re.search(r"[A-Za-z]", name.zh):
        return "the en name must be English and the zh name Chinese"
    own = {language: " ".join(said.get(language, ())).lower() for language in ("en", "zh")}
    people = (_stems(name.en) & _stems(" ".join(_PEOPLE))) - _stems(own["en"])
    if people or any(word in name.zh and word not in own["zh"] for word in _PEOPLE_ZH):
        return "a name says what they buy, not who they are"
    if not (_stems(name.en) & _stems(own["en"])) - _stems(" ".join(_GENERAL)):
        return "the en name must mention one of the categories that set the segment apart"
    if not (_pairs([name.zh]) & _pairs(said.get("zh", ()))) - _GENERAL_ZH:
        return "the zh name must mention one of the categories that set the segment apart, in Chinese"
    return None


def carry(
    before: Path | None,
    out: Path,
    now: Mapping[str, str],
    segment_of: Mapping[str, str],
    segments: Sequence[Segment],
    synonyms: Sequence[tuple[str, str, str, str]],
) -> None:
    """Give segments that go on from the version `before` the names that a model gave them there, where
    those still say what sets them apart. now, segment_of: customer -> segment, now and before."""
    given = segment_names.read(before) if before else {}
    matched = match(now, segment_of) if given else {}
    kept: dict[str, segment_names.GivenName] = {}
    for segment in segments:
        old = given.get(matched.get(segment.segment_id, ""))
        rest = [s.name for s in segments if s is not segment]
        if old and refusal(Name(old.en, old.zh), marks(segment, synonyms), rest) is None:
            kept[segment.segment_id] = old
    if kept:
        segment_names.write(out, kept)


def _stems(text: str) -> set[str]:
    """Words without the plural's ending: "berries" and "berry" are one."""
    return {
        re.sub(r"(ies|y|es|s|e)$", "", word) or word for word in _WORD.findall(text.lower()) if len(word) > 2
    }


def _pairs(texts: Iterable[str]) -> set[str]:
    """Neighbouring Chinese characters, which is what Chinese words are mostly made of; a name of one
    character ("茶") is one by itself."""
    found = set()
    for text in texts:
        chinese = "".join(ch for ch in text if _CHINESE.match(ch))
        found |= {chinese[i : i + 2] for i in range(len(chinese) - 1)}
    return found
