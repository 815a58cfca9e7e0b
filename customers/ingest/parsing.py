"""From the text of a plain file to ids, numbers and times, with expressions that run on every engine.

Each function returns null where the text says nothing or cannot be read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime

import ibis

from customers.stores.events import Column, Table

MISSING = ("", "nan", "none", "null", "n/a", "na", "nat", "<na>", "-", "\\n", "无", "空", "未知", "unknown")

# A text that `filled` or `identifier` would change.
UNTIDY = r"^\s|\s$|^\d+\.0$|^(?i:" + "|".join(re.escape(word) for word in MISSING) + ")$"

_WHOLE = r"^(\d+)\.0$"
_OWED = r"^\((.*)\)$"
PLAIN_NUMBER = r"^-?\d{1,15}(\.\d{1,15})?$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_CLOCK = r"(?:\D+?(\d{1,2})[:时点](\d{1,2})(?:[:分](\d{1,2}))?)?"
_YEAR_FIRST = r"^(\d{4})\D{1,2}(\d{1,2})\D{1,2}(\d{1,2})" + _CLOCK
_COMPACT = r"^(\d{4})(\d{2})(\d{2})(?:\D?(\d{2}):?(\d{2}):?(\d{2})?)?$"
_YEAR_LAST = r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})" + _CLOCK
PLAIN_TIME = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}:\d{2}(\.\d+)?)?$"
_RATING = r"^(?:[^\d\-+.,]*[^\d\-+.,A-Za-z])?([+-]?\d+(?:[.,]\d+)?)\s*(?:(?:[/／]|(?i:out )?(?i:of))\s*\d+)?[^\d/]*$"
_STAR_WORDS = {
    n: f"^({english}|{chinese})[ -]?(stars?|星|星级|分)$"
    for n, (english, chinese) in enumerate(
        zip("zero one two three four five".split(), "零一二三四五", strict=True)
    )
}
_OFFSET = r"\d:\d\d(?::\d\d(?:\.\d+)?)? ?([+-])(\d{2}):?(\d{2})?$"


def filled(text: Column) -> Column:
    """The text without blanks around it; null where it stands for a missing value."""
    trimmed = text.strip()
    return ibis.ifelse(trimmed.lower().isin(MISSING), ibis.null("string"), trimmed)


def identifier(text: Column) -> Column:
    """An id as text; a whole number that came as a float ("12.0") loses its ending."""
    told = filled(text)
    # Engines write a group in a replacement differently, but extract it alike.
    return ibis.ifelse(told.re_search(_WHOLE), told.re_extract(_WHOLE, 1), told)


def number(text: Column, decimal: str) -> Column:
    """A number, currency signs and thousands separators taken off; "(5)" is -5."""
    unsigned = filled(text).re_replace(r"[\s¥￥$€£元%]|[A-Z]{3}", "")
    owed: Column = ibis.literal("-") + unsigned.re_extract(_OWED, 1)
    bare: Column = ibis.ifelse(unsigned.re_search(_OWED), owed, unsigned)
    bare = bare.replace(".", "").replace(",", ".") if decimal == "," else bare.replace(",", "")
    good: Column = ibis.ifelse(bare.re_search(_NUMBER), bare, ibis.null("string"))
    found = good.try_cast("float64")
    return ibis.ifelse(found.abs() <= sys.float_info.max, found, ibis.null("float64"))


def rating(text: Column) -> Column:
    """A number of stars or points: "4", "4.5 stars", "4/5" (4), "评分:4星", "四星", "★★★★☆" (4)."""
    value = filled(text)
    said = value.re_extract(_RATING, 1).replace(",", ".").try_cast("float64")
    stars = value.length() - value.replace("★", "").length()
    drawn: Column = ibis.ifelse(value.re_search(r"^[★☆]+$"), stars.cast("float64"), ibis.null("float64"))
    words = [(value.lower().re_search(word), ibis.literal(float(n))) for n, word in _STAR_WORDS.items()]
    return ibis.coalesce(said, drawn, ibis.cases(*words, else_=ibis.null("float64")))


def joined(texts: Sequence[Column]) -> Column:
    """Several texts as one, a line each; null where all are missing."""
    end: Column = ibis.literal("\n")
    lines = end.join([filled(text).fill_null("") for text in texts])
    return filled(lines.re_replace(r"\n+", "\n"))


def readings(texts: Table, careful: Callable[[Column], Column], plain: str | None, kind: str) -> Table:
    """Read a table of distinct texts (column `text`); adds the column `value`.

    Texts that match the pattern `plain` are cast to `kind` as they are; only the rest pays for the
    careful reading.
    """
    if plain is None:
        return texts.mutate(value=careful(texts.text))
    easy = texts.filter(texts.text.re_search(plain))
    hard = texts.filter(~texts.text.re_search(plain))
    return ibis.union(
        easy.mutate(value=easy.text.try_cast(kind)), hard.mutate(value=careful(hard.text).cast(kind))
    )


def time(text: Column, written: str) -> Column:
    """A naive time as it is written (see `mapping.TIMES`), an offset at its end left aside."""
    value = filled(text)
    if written.startswith("epoch"):
        seconds = value.try_cast("float64") / (1000.0 if written.endswith("milliseconds") else 1.0)
        sane: Column = ibis.ifelse(seconds.between(-5e9, 1e11), seconds, ibis.null("float64"))
        return ibis.literal(datetime(1970, 1, 1)) + sane.floor().cast("int64").as_interval("s")
    if written == "year-first":
        return ibis.coalesce(_stamp(value, _YEAR_FIRST, (1, 2, 3)), _stamp(value, _COMPACT, (1, 2, 3)))
    order = (3, 1, 2) if written == "month-first" else (3, 2, 1)
    return ibis.coalesce(_stamp(value, _YEAR_LAST, order), _stamp(value, _YEAR_FIRST, (1, 2, 3)))


def _stamp(value: Column, pattern: str, order: tuple[int, int, int]) -> Column:
    year, month, day = (value.re_extract(pattern, group) for group in order)
    hour, minute, second = (_two(value.re_extract(pattern, group)) for group in (4, 5, 6))
    hour = _half_day(value, hour)
    dash, colon = ibis.literal("-"), ibis.literal(":")
    text = year + dash + _two(month) + dash + _two(day) + " " + hour + colon + minute + colon + second
    return ibis.ifelse(year.length() == 4, text, ibis.null("string")).try_cast("timestamp")


def _two(digits: Column) -> Column:
    return (ibis.literal("00") + digits).right(2)


def _half_day(value: Column, hour: Column) -> Column:
    """Hours of a twelve-hour clock on the twenty-four-hour one."""
    upper = value.upper()
    afternoon = upper.re_search(r"P\.?M\.?$") | value.contains("下午")
    morning = upper.re_search(r"A\.?M\.?$") | value.contains("上午")
    number = hour.try_cast("int64")
    later = ibis.ifelse(number < 12, number + 12, number).cast("string")
    return ibis.cases((afternoon, later), (morning & (hour == "12"), "00"), else_=hour)


def offset_seconds(text: Column) -> Column:
    """Seconds east of UTC that a time's text ends with ("+08:00", "-0500"); 0 without any."""
    sign = text.re_extract(_OFFSET, 1)
    hours = text.re_extract(_OFFSET, 2).try_cast("int64").fill_null(0)
    minutes = text.re_extract(_OFFSET, 3).try_cast("int64").fill_null(0)
    return (hours * 3600 + minutes * 60) * ibis.ifelse(sign == "-", -1, 1)
