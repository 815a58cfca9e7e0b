from __future__ import annotations

import pytest

from eval.scorers.grounded import check
from tests.scorers.ground import ground, reply, step, turn


def measured(value: float, said: str) -> dict[str, object]:
    fact = f"Customer 2 spent {said}."
    return reply(
        f"{fact} [1]",
        steps=[step("measure", quantity="spend", by="none", filters={"customer": ["2"]})],
        citations=[{"n": 1, "tool": "measure", "fact": fact, "value": value}],
    )


def test_what_the_data_says_stands():
    assert check(turn(), measured(1234.5, "$1,234.50"), ground()) == {"grounded": []}


@pytest.mark.parametrize(
    ("value", "said"), [(1334.5, "$1,334.50"), (1234.5, "$1,243.50"), (-1234.5, "-$1,234.50")]
)
def test_another_figure_does_not(value: float, said: str):
    assert check(turn(), measured(value, said), ground())["grounded"]


def test_a_figure_without_a_source_does_not():
    right = measured(1234.5, "$1,234.50")
    assert check(turn(), right | {"answer": f"{right['answer']} That is 12% more."}, ground())["grounded"]
    assert check(turn(), right | {"answer": "They spent $1,234.50. [2]"}, ground())["grounded"]
