"""Accounts of one person on several platforms: found where their owners agreed, and only there."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("splink", reason="the extra `link` is not installed")
from cli import main
from customers.errors import BadInput
from customers.linking import comparable, link_accounts

FIRST = "Anna Ben Clara David Emma Frank Grace Henry Iris Jack Kate Liam Mona Noah Olga Paul".split()
LAST = "Smith Miller Brown Wilson Taylor Clark Walker Young Hall Wright Adams Baker Cole Dunn Ellis".split()


def people(n: int = 150, doubles: int = 30) -> tuple[list[dict[str, str]], set[frozenset[str]]]:
    """Accounts of `n` people, the first `doubles` with a second one that is written otherwise."""
    rng = random.Random(5)
    rows, truth = [], set()
    for number in range(n):
        first, last = rng.choice(FIRST), rng.choice(LAST)
        row = {
            "customer_id": f"a{number}", "name": f"{first} {last}", "email": f"{first}.{last}{number}@example.com".lower(),
            "phone": f"000{rng.randrange(10**8):08d}", "consent": "yes", "region": rng.choice(["N", "S", "E"]),
        }  # fmt: skip
        rows.append(row)
        if number < doubles:
            local, host = row["email"].split("@")
            other = row | {"customer_id": f"b{number}", "name": f"{last.upper()}, {first}"}
            other["email"] = f"{local}+shop@{host}" if number % 2 else ""
            other["phone"] = f"+{row['phone'][:3]} {row['phone'][3:]}" if number % 3 else row["phone"][:-1]
            rows.append(other)
            truth.add(frozenset((row["customer_id"], other["customer_id"])))
    return rows, truth


def test_case_order_and_punctuation_are_taken_out() -> None:
    one = comparable(
        {"customer_id": 1, "name": "SMITH, Ánna", "email": "Anna.S+x@Ex.com", "phone": "+000 123-45"}
    )
    assert (one["initial"], one["last"], one["email"], one["phone"]) == (
        "a",
        "smith",
        "anna.s@ex.com",
        "00012345",
    )
    assert comparable({"customer_id": 1, "name": "王伟", "email": "", "phone": ""})["last"] == "王"
    assert comparable({"customer_id": 1, "name": "", "email": "x", "phone": None})["email"] is None


@pytest.mark.slow
def test_planted_accounts_are_found_and_strangers_are_not() -> None:
    rows, truth = people()
    found = {frozenset((one.customer_id, one.other_id)) for one in link_accounts(rows).links}
    assert len(found & truth) / len(found) >= 0.95
    assert len(found & truth) / len(truth) >= 0.9


@pytest.mark.slow
def test_who_did_not_agree_is_not_compared() -> None:
    rows, _ = people()
    for row in rows[:20]:
        row["consent"] = "" if row["customer_id"].startswith("a") else "no"
    found = link_accounts(rows)
    silent = {row["customer_id"] for row in rows[:20]}
    assert found.without_consent == 20
    assert not {key for one in found.links for key in (one.customer_id, one.other_id)} & silent


def test_what_cannot_be_linked_is_refused_in_one_line(tmp_path: Path, capsys) -> None:
    rows, _ = people()
    with pytest.raises(BadInput, match="consent"):
        link_accounts([{k: v for k, v in row.items() if k != "consent"} for row in rows])
    with pytest.raises(BadInput, match="too few"):
        link_accounts(rows[:20])
    with pytest.raises(BadInput, match="twice"):
        link_accounts([*rows, rows[0]])
    path = tmp_path / "accounts.csv"
    path.write_text("customer_id,name\n1,A\n", encoding="utf-8")
    assert main(["link-accounts", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
