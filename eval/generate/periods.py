"""Periods of the sample's year as people say them, with their first and last day."""

from __future__ import annotations

import calendar
import random
from dataclasses import dataclass
from datetime import date

from eval.generate.wording import Both

YEAR = 2017
_NUMERALS = "一 二 三 四 五 六 七 八 九 十 十一 十二".split()
_ORDINALS = ("first", "second", "third", "fourth")


@dataclass(frozen=True, slots=True)
class Period:
    """`said` as a question says it; days as ISO dates, None where the period is not limited."""

    said: Both
    start: str | None
    end: str | None


WHOLE = Period(Both("", ""), None, None)


def month(rng: random.Random, number: int) -> Period:
    """Return one month (1 to 12)."""
    name = calendar.month_name[number]
    english = rng.choice((f"in {name}", f"in {name} {YEAR}", f"in {name}"))
    chinese = rng.choice(
        (f"{number}月", f"{_NUMERALS[number - 1]}月", f"{YEAR}年{number}月", f"{number}月份")
    )
    return Period(Both(english, chinese), *_days(number, number))


def any_month(rng: random.Random) -> Period:
    """Return a month, each as likely."""
    return month(rng, rng.randint(1, 12))


def any_period(rng: random.Random) -> Period:
    """Return a month, quarter, half, span of months, or the time since a month."""
    kind = rng.choice(("month", "month", "quarter", "half", "span", "since"))
    if kind == "month":
        return any_month(rng)
    if kind == "quarter":
        q = rng.randint(1, 4)
        english = rng.choice((f"in the {_ORDINALS[q - 1]} quarter", f"in Q{q}"))
        said = Both(english, rng.choice((f"第{_NUMERALS[q - 1]}季度", f"{_NUMERALS[q - 1]}季度")))
        return Period(said, *_days(3 * q - 2, 3 * q))
    if kind == "half":
        late = rng.random() < 0.5
        said = Both(f"in the {_ORDINALS[late]} half of {YEAR}", f"{YEAR}年{'下' if late else '上'}半年")
        return Period(said, *(_days(7, 12) if late else _days(1, 6)))
    first = rng.randint(2, 9)
    name = calendar.month_name[first]
    if kind == "since":
        return Period(
            Both(f"since the beginning of {name}", f"{first}月初以来"), _days(first, first)[0], None
        )
    last = first + rng.randint(1, 3)
    english = rng.choice(
        (f"from {name} to {calendar.month_name[last]}", f"between {name} and {calendar.month_name[last]}")
    )
    return Period(Both(english, f"{first}月到{last}月"), *_days(first, last))


def perhaps(rng: random.Random, share: float = 0.75) -> Period:
    """Return a period, or now and then the whole time."""
    return any_period(rng) if rng.random() < share else WHOLE


def _days(first: int, last: int) -> tuple[str, str]:
    end = date(YEAR, last, calendar.monthrange(YEAR, last)[1])
    return date(YEAR, first, 1).isoformat(), end.isoformat()
