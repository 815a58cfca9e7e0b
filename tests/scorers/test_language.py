from __future__ import annotations

import pytest

from eval.scorers.language import check
from tests.scorers.ground import reply, turn, untouched


@pytest.mark.parametrize(
    ("language", "answer"), [("en", "He came on Monday (周一)."), ("zh", "他星期一来过 Main Street 店。")]
)
def test_the_script_that_prevails_decides(language: str, answer: str):
    other = {"en": "zh", "zh": "en"}[language]
    right = reply(answer, language=language)
    assert check(turn(language=language), right, untouched()) == {"language": []}
    assert len(check(turn(language=other), right, untouched())["language"]) == 2
    assert len(check(turn(language=language), right | {"language": other}, untouched())["language"]) == 1


def test_names_of_products_are_in_no_language():
    name = "Private label ground coffee twelve ounce bag"
    offer = [{"product_id": "1", "name": name, "score": 1.0, "reason": "x"}]
    told = reply(f"推荐：{name}", language="zh", recommendations=offer)
    assert check(turn(language="zh"), told, untouched()) == {"language": []}
    assert check(turn(language="zh"), told | {"recommendations": []}, untouched())["language"]
