"""Periods in questions, against answers worked out by hand for data of January 1 to August 27, 2024."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.periods import chinese_number, find_periods, month_span

FIRST, LAST = date(2024, 1, 1), date(2024, 8, 27)  # the last day is a Tuesday


def days(text: str, first: date = FIRST, last: date = LAST) -> list[str]:
    """The periods of a text as "2024-06-01/2024-06-30"."""
    return [f"{p.start}/{p.end}" for p in find_periods(text, first, last)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a month without a year is the latest that the data touches
        ("sales in June", "2024-06-01/2024-06-30"),
        ("sales in August", "2024-08-01/2024-08-31"),
        ("sales in September", "2023-09-01/2023-09-30"),
        ("sales in December?", "2023-12-01/2023-12-31"),
        ("Jun. 2023", "2023-06-01/2023-06-30"),
        ("February of 2024", "2024-02-01/2024-02-29"),
        ("六月卖了多少", "2024-06-01/2024-06-30"),
        ("6月份的销售额", "2024-06-01/2024-06-30"),
        ("十二月", "2023-12-01/2023-12-31"),
        ("2023年11月", "2023-11-01/2023-11-30"),
        ("去年六月", "2023-06-01/2023-06-30"),
        ("去年的6月", "2023-06-01/2023-06-30"),
        # days
        ("on March 3", "2024-03-03/2024-03-03"),
        ("on March 3rd, 2023", "2023-03-03/2023-03-03"),
        ("3 March 2024", "2024-03-03/2024-03-03"),
        ("the 3rd of March", "2024-03-03/2024-03-03"),
        ("2024年3月5日", "2024-03-05/2024-03-05"),
        ("3月5号", "2024-03-05/2024-03-05"),
        ("on 2024-03-05", "2024-03-05/2024-03-05"),
        ("on 2024/3/5", "2024-03-05/2024-03-05"),
        ("on 3/5/2024", "2024-03-05/2024-03-05"),
        ("on 25/5/2024", "2024-05-25/2024-05-25"),
        ("in 2024-03", "2024-03-01/2024-03-31"),
        # ranges
        ("from March to May", "2024-03-01/2024-05-31"),
        ("January–March 2023", "2023-01-01/2023-03-31"),
        ("from March 2023 to April 2024", "2023-03-01/2024-04-30"),
        ("between June and August 2023", "2023-06-01/2023-08-31"),
        ("between March 3 and March 9", "2024-03-03/2024-03-09"),
        ("November to February", "2023-11-01/2024-02-29"),
        ("from June 5 to June 20", "2024-06-05/2024-06-20"),
        ("from June 5 to 20", "2024-06-05/2024-06-20"),
        ("from 5 to 20 June", "2024-06-05/2024-06-20"),
        ("5-20 June", "2024-06-05/2024-06-20"),
        ("5 – 10 May 2023", "2023-05-05/2023-05-10"),
        ("between the 3rd and the 9th of May", "2024-05-03/2024-05-09"),
        ("between 3 and 9 May", "2024-05-03/2024-05-09"),
        ("June 18th to the 24th", "2024-06-18/2024-06-24"),
        # to the last day of the data
        ("since June", "2024-06-01/2024-08-27"),
        ("since 5 June", "2024-06-05/2024-08-27"),
        ("since last month", "2024-07-01/2024-08-27"),
        ("since Easter", "2024-03-31/2024-08-27"),
        ("from June on", "2024-06-01/2024-08-27"),
        ("from June to date", "2024-06-01/2024-08-27"),
        ("sales in June on milk", "2024-06-01/2024-06-30"),
        ("6月以来", "2024-06-01/2024-08-27"),
        ("自6月以来", "2024-06-01/2024-08-27"),
        ("从6月起", "2024-06-01/2024-08-27"),
        ("6月至今", "2024-06-01/2024-08-27"),
        ("6月起码卖了多少", "2024-06-01/2024-06-30"),
        ("从5月到6月", "2024-05-01/2024-06-30"),
        ("from 2024-03-05 to 2024-04-02", "2024-03-05/2024-04-02"),
        ("三月至五月", "2024-03-01/2024-05-31"),
        ("3-5月", "2024-03-01/2024-05-31"),
        ("11月到2月", "2023-11-01/2024-02-29"),
        ("2024年3月至5月", "2024-03-01/2024-05-31"),
        ("从2023年3月到2024年5月", "2023-03-01/2024-05-31"),
        ("1月1日到3月31日", "2024-01-01/2024-03-31"),
        ("3月5日到10日", "2024-03-05/2024-03-10"),
        ("since March", "2024-03-01/2024-08-27"),
        ("since May 2023", "2023-05-01/2024-08-27"),
        # years, quarters, halves
        ("in 2023", "2023-01-01/2023-12-31"),
        ("2022-2023", "2022-01-01/2023-12-31"),
        ("2022年至2023年", "2022-01-01/2023-12-31"),
        ("Q1", "2024-01-01/2024-03-31"),
        ("Q2 2023", "2023-04-01/2023-06-30"),
        ("2023 Q2", "2023-04-01/2023-06-30"),
        ("2024Q1", "2024-01-01/2024-03-31"),
        ("Q4", "2023-10-01/2023-12-31"),
        ("in the third quarter of 2023", "2023-07-01/2023-09-30"),
        ("the first quarter", "2024-01-01/2024-03-31"),
        ("第二季度", "2024-04-01/2024-06-30"),
        ("一季度", "2024-01-01/2024-03-31"),
        ("去年第四季度", "2023-10-01/2023-12-31"),
        ("2023年第三季度", "2023-07-01/2023-09-30"),
        ("first half of the year", "2024-01-01/2024-06-30"),
        ("second half of 2023", "2023-07-01/2023-12-31"),
        ("the first half of last year", "2023-01-01/2023-06-30"),
        ("上半年", "2024-01-01/2024-06-30"),
        ("去年下半年", "2023-07-01/2023-12-31"),
        # relative to the data's last day, not to today
        ("last month", "2024-07-01/2024-07-31"),
        ("this month", "2024-08-01/2024-08-31"),
        ("last year", "2023-01-01/2023-12-31"),
        ("last quarter", "2024-04-01/2024-06-30"),
        ("last week", "2024-08-19/2024-08-25"),
        ("this week", "2024-08-26/2024-09-01"),
        ("yesterday", "2024-08-26/2024-08-26"),
        ("上个月", "2024-07-01/2024-07-31"),
        ("本月", "2024-08-01/2024-08-31"),
        ("去年", "2023-01-01/2023-12-31"),
        ("前年", "2022-01-01/2022-12-31"),
        ("上周", "2024-08-19/2024-08-25"),
        ("上季度", "2024-04-01/2024-06-30"),
        ("昨天", "2024-08-26/2024-08-26"),
        # rolling
        ("in the last 30 days", "2024-07-29/2024-08-27"),
        ("last two weeks", "2024-08-14/2024-08-27"),
        ("past three months", "2024-05-28/2024-08-27"),
        ("the past year", "2023-08-28/2024-08-27"),
        ("最近30天", "2024-07-29/2024-08-27"),
        ("最近三个月", "2024-05-28/2024-08-27"),
        ("近两周", "2024-08-14/2024-08-27"),
        ("过去半年", "2024-02-28/2024-08-27"),
        # seasons
        ("in the summer of 2023", "2023-06-01/2023-08-31"),
        ("last spring", "2024-03-01/2024-05-31"),
        ("last winter", "2023-12-01/2024-02-29"),
        ("in the fall", "2023-09-01/2023-11-30"),
        ("去年夏天", "2023-06-01/2023-08-31"),
        ("今年春季", "2024-03-01/2024-05-31"),
        # thirds and weeks of months
        ("early May sales", "2024-05-01/2024-05-10"),
        ("mid-February 2023", "2023-02-11/2023-02-20"),
        ("at the end of February", "2024-02-21/2024-02-29"),
        ("十一月上旬", "2023-11-01/2023-11-10"),
        ("2月下旬", "2024-02-21/2024-02-29"),
        ("6月底", "2024-06-21/2024-06-30"),
        ("the first week of July", "2024-07-01/2024-07-07"),
        ("the last week of February", "2024-02-23/2024-02-29"),
        ("七月第二周", "2024-07-08/2024-07-14"),
        ("year to date", "2024-01-01/2024-08-27"),
        ("month-to-date", "2024-08-01/2024-08-27"),
        ("今年以来", "2024-01-01/2024-08-27"),
        # holidays: the latest that is over
        ("the week before Christmas", "2023-12-18/2023-12-24"),
        ("圣诞节前一周", "2023-12-18/2023-12-24"),
        ("on Christmas Eve", "2023-12-24/2023-12-24"),
        ("on Thanksgiving", "2023-11-23/2023-11-23"),
        ("感恩节当天", "2023-11-23/2023-11-23"),
        ("on Black Friday 2022", "2022-11-25/2022-11-25"),
        ("during Easter week", "2024-03-25/2024-03-31"),
        ("over the weekend of Memorial Day", "2024-05-25/2024-05-26"),
        ("two weeks after Easter", "2024-04-01/2024-04-14"),
        ("on Mother's Day", "2024-05-12/2024-05-12"),
        ("情人节卖了多少玫瑰", "2024-02-14/2024-02-14"),
        # the month of May, not the verb
        ("sales in may", "2024-05-01/2024-05-31"),
        ("during May", "2024-05-01/2024-05-31"),
        ("May sales", "2024-05-01/2024-05-31"),
    ],
)
def test_one_period(text: str, expected: str):
    assert days(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "What should we offer customer 1842?", "May I ask who buys milk?", "Who may want cheese?",
        "May we send a coupon?", "Feb 30", "13月", "2024-13-45", "九十九月", "in the last 0 days", "最近怎么样",
        "a fall in sales", "Easter lilies", "Halloween candy sales", "情人节用品", "how is Easter candy doing", "2000 customers", "top 5 products", "", "给顾客1842推荐什么？",
    ],
)  # fmt: skip
def test_no_period(text: str):
    assert days(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("compare June and July", ["2024-06-01/2024-06-30", "2024-07-01/2024-07-31"]),
        # both sides of a list share the year that one of them names
        ("June or August 2023", ["2023-06-01/2023-06-30", "2023-08-01/2023-08-31"]),
        ("2023年6月和8月", ["2023-06-01/2023-06-30", "2023-08-01/2023-08-31"]),
        ("6月和8月相比", ["2024-06-01/2024-06-30", "2024-08-01/2024-08-31"]),
        ("Q1 vs Q2", ["2024-01-01/2024-03-31", "2024-04-01/2024-06-30"]),
        ("今年和去年", ["2024-01-01/2024-12-31", "2023-01-01/2023-12-31"]),
        ("top 5 March products", ["2024-03-01/2024-03-31"]),
    ],
)
def test_several_periods(text: str, expected: list[str]):
    assert days(text) == expected


@pytest.mark.parametrize(
    ("text", "future"),
    [("next month", True), ("明年", True), ("tomorrow", True), ("下周", True), ("in March 2025", True),
     ("this month", False), ("in 2019", False)],
)  # fmt: skip
def test_what_lies_after_the_data_is_marked(text: str, future: bool):
    (period,) = find_periods(text, FIRST, LAST)
    assert period.future is future


def test_a_whole_february_stays_whole_in_another_year():
    assert days("from February to March 2023") == ["2023-02-01/2023-03-31"]
    assert days("January to February 2023", last=date(2025, 6, 1)) == ["2023-01-01/2023-02-28"]


def test_last_months_across_new_year():
    assert days("last month", last=date(2017, 1, 31)) == ["2016-12-01/2016-12-31"]
    assert days("next month", last=date(2017, 12, 31)) == ["2018-01-01/2018-01-31"]
    assert days("上季度", last=date(2017, 2, 3)) == ["2016-10-01/2016-12-31"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("三", 3), ("十", 10), ("十二", 12), ("二十", 20), ("九十九", 99), ("07", 7), ("两", 2)],
)
def test_chinese_numbers(text: str, value: int):
    assert chinese_number(text) == value


def test_month_span_ends_on_the_months_last_day():
    assert month_span(2024, 2) == (date(2024, 2, 1), date(2024, 2, 29))
    assert month_span(2023, 1, 2) == (date(2023, 1, 1), date(2023, 2, 28))


PIECES = st.sampled_from(
    "June march may 2023 2024 1842 to and - 和 至 到 between 3 31 5th 年 月 日 季度 第 一 十二 最近 天 半年 last past next days"
    " months year Q3 of the half first 上 去年 夏天 / 之间 since , 0 99 星期 week winter . 号 fall".split()
)


@settings(deadline=None)  # the machine may be busy
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=9).map(" ".join), st.lists(PIECES, max_size=9).map("".join)),
       st.dates(date(1950, 1, 1), date(2090, 12, 31)))  # fmt: skip
def test_any_text_gives_ordered_disjoint_periods_inside_it(text: str, last: date):
    found = find_periods(text, last - timedelta(days=300), last)
    for period in found:
        assert 0 <= period.span[0] < period.span[1] <= len(text)
        assert period.start <= period.end
        assert period.text == text[slice(*period.span)].strip()
        assert period.future is (period.start > last)
    assert all(a.span[1] <= b.span[0] for a, b in pairwise(found))
