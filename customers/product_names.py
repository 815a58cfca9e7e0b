"""What a product is called in either language: by the part of its name that is in it, or, where a shop names its products in
English alone but its kinds of goods in both, in Chinese by the kind's name with the same size behind it."""

from __future__ import annotations

import re

from customers.values import Name

_UNITS = {
    "fl oz": "液量盎司", "oz": "盎司", "lb": "磅", "ct": "个装", "pc": "件", "pack": "连包", "dozen": "打",
    "ml": "毫升", "L": "升", "GAL": "加仑", "GA": "加仑", "QT": "夸脱", "PT": "品脱", "sq ft": "平方英尺", "ft": "英尺",
    "in": "英寸", "loads": "次用量", "stem": "枝", "carton": "条", "roll": "卷", "sheets": "张", "kit": "套",
    "cm": "厘米", "g": "克", "bag": "袋", "can": "罐", "bottle": "瓶",
}  # fmt: skip
_AMOUNT = re.compile(rf"(?<=\d) ({'|'.join(_UNITS)})(?![A-Za-z])")
_BETWEEN = (" · ", " | ", " / ")
_HAN, _LETTER = re.compile(r"[\u4e00-\u9fff]"), re.compile(r"[A-Za-z]{2}")
_OWN_BRAND = " (private label)"


def split(name: str) -> Name | None:
    """Return both names of a product that is called in both languages at once ("Oak Milk · 橡木牛奶"); None where it is not."""
    for mark in _BETWEEN:
        one, found, other = name.partition(mark)
        if found and mark not in other and bool(_HAN.search(one)) != bool(_HAN.search(other)):
            en, zh = (other, one) if _HAN.search(one) else (one, other)
            return Name(en.strip(), zh.strip()) if _LETTER.search(en) else None
    return None


def chinese(name: str, kind: Name) -> str:
    """Return the Chinese name of a product called `name`, of a `kind` of goods; `name` itself where it is not made of
    the kind's name, or the kind has no Chinese name."""
    rest = name.removeprefix(kind.en)
    if kind.zh == kind.en or rest == name or not (rest == "" or rest.startswith((", ", " ("))):
        return name
    rest = rest.replace(_OWN_BRAND, "（自有品牌）").replace(", ", "，")
    return kind.zh + _AMOUNT.sub(lambda found: _UNITS[found.group(1)], rest)
