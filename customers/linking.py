"""One person's accounts on several platforms, linked with consent by probabilistic record linkage.

Fellegi & Sunter (1969): how much each agreement and disagreement speaks for one person is learnt from the
accounts themselves (expectation-maximisation) by Splink (extra `link`). An account is linked to at most one
other, each the other's best. Only accounts whose owners agreed are compared at all.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from customers.errors import BadInput

REQUIRED = ("customer_id", "name", "email", "phone", "consent")
_YES = frozenset({"yes", "y", "true", "1", "agreed", "是", "同意"})
_EXTRA = ("region", "household", "age")
_LEAST = 50


@dataclass(frozen=True, slots=True)
class AccountLink:
    """Two accounts that are one person's with a probability (0..1)."""

    customer_id: str
    other_id: str
    probability: float


@dataclass(frozen=True, slots=True)
class Linked:
    """The links, the surest first, and how many accounts were compared and left out for want of consent."""

    links: tuple[AccountLink, ...]
    compared: int
    without_consent: int


def link_accounts(
    accounts: Sequence[Mapping[str, Any]], *, threshold: float = 0.9, random_state: int = 1
) -> Linked:
    """Link accounts, each a mapping with at least REQUIRED ("region", "household", "age" help where they are known).

    threshold: least probability of a link. Raises BadInput where columns or the extra `link` are missing, an id comes
    twice, or fewer than 50 accounts agreed, which is too few to learn from.
    """
    splink = _splink()
    if missing := [name for name in REQUIRED if accounts and name not in accounts[0]]:
        raise BadInput(f"accounts lack {', '.join(missing)}; each needs {', '.join(REQUIRED)}")
    agreed = [a for a in accounts if str(a["consent"] or "").strip().casefold() in _YES]
    if len(agreed) < _LEAST:
        raise BadInput(
            f"{len(agreed)} accounts agreed to be linked; that is too few, it takes {_LEAST} or more"
        )
    ids = [str(a["customer_id"]) for a in agreed]
    if len(set(ids)) < len(ids):
        raise BadInput("a customer_id comes twice; give each account one row")
    told = {str(a["customer_id"]): comparable(a) for a in agreed}
    scored = _scored(splink, pd.DataFrame(list(told.values())), threshold, random_state)
    scored = [row for row in scored if not _clash(told[row[0]], told[row[1]])]
    return Linked(_one_to_one(scored), len(agreed), len(accounts) - len(agreed))


def comparable(account: Mapping[str, Any]) -> dict[str, str | None]:
    """Return an account in the form in which accounts are compared: case, accents, order of names, punctuation and
    what an address has after "+" taken out; what is empty is None."""
    first, last = _name(str(account["name"] or ""))
    local, _, host = str(account["email"] or "").strip().casefold().partition("@")
    digits = re.sub(r"\D", "", str(account["phone"] or ""))
    found = {
        "unique_id": str(account["customer_id"]), "initial": first[:1], "last": last,
        "email": f"{local.partition('+')[0]}@{host}" if local and host else "", "phone": digits[-8:],
        "phone_start": digits[:8], "email_start": local.partition("+")[0][:8],
        **{name: str(account.get(name) or "").strip().casefold() for name in _EXTRA},
    }  # fmt: skip
    return {name: value or None for name, value in found.items()}


def _name(text: str) -> tuple[str, str]:
    """First and last name; a Chinese name's first character is its last name."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    if "," in plain:
        last, _, first = plain.partition(",")
        plain = f"{first} {last}"
    words = re.findall(r"\w+", plain)
    if len(words) == 1 and re.fullmatch(r"[\u3400-\u9fff]{2,4}", words[0]):
        return words[0][1:], words[0][:1]
    return (words[0], words[-1]) if len(words) > 1 else ("", words[0] if words else "")


def _splink() -> Any:
    try:
        import splink
    except ImportError as error:
        raise BadInput("linking accounts needs the extra `link`: pip install 'shopkeeper[link]'") from error
    return splink


def _scored(
    splink: Any, frame: pd.DataFrame, threshold: float, random_state: int
) -> list[tuple[str, str, float]]:
    import splink.comparison_library as compare

    extra = [name for name in _EXTRA if any(frame[name].notna().tolist())]
    settings = splink.SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            compare.ExactMatch("initial"),
            compare.ExactMatch("last").configure(term_frequency_adjustments=True),
            compare.LevenshteinAtThresholds("email", [1]),
            compare.LevenshteinAtThresholds("phone_start", [1, 2]),
            *(compare.ExactMatch(name) for name in extra),
        ],
        blocking_rules_to_generate_predictions=[
            splink.block_on("email"), splink.block_on("phone_start"), splink.block_on("phone"),
            splink.block_on("email_start", "initial"), splink.block_on("last", "initial", *extra[:2]),
        ],
        retain_matching_columns=False,
    )  # fmt: skip
    api = splink.DuckDBAPI()
    try:
        linker = splink.Linker(api.register(frame), settings, log_level=logging.ERROR)
        learn = linker.training
        learn.estimate_probability_two_random_records_match(
            [splink.block_on("email", "initial"), splink.block_on("phone_start", "initial")], recall=0.7
        )
        learn.estimate_u_using_random_sampling(max_pairs=2e6, seed=random_state)
        for rule in (splink.block_on("email"), splink.block_on("phone_start")):
            learn.estimate_parameters_using_expectation_maximisation(rule)
        found = linker.inference.predict(threshold_match_probability=threshold).as_pandas_dataframe()
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "splink":
            raise
        raise BadInput(f"these accounts cannot be linked: {str(error).splitlines()[0]}") from error
    rows = zip(found["unique_id_l"], found["unique_id_r"], found["match_probability"], strict=True)
    return [(str(a), str(b), float(p)) for a, b, p in rows]


def _clash(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two accounts have addresses and numbers of their own: alike names and homes make nobody one person."""
    mails, phones = (one["email"], other["email"]), (one["phone_start"], other["phone_start"])
    if not all(mails) or not all(phones) or mails[0] == mails[1]:
        return False
    return sum(a != b for a, b in zip(str(phones[0]), str(phones[1]), strict=False)) > 2


def _one_to_one(scored: list[tuple[str, str, float]]) -> tuple[AccountLink, ...]:
    """The surest pairs first, each account in one at most."""
    taken: set[str] = set()
    found = []
    for a, b, p in sorted(scored, key=lambda row: (-row[2], row[0], row[1])):
        if not {a, b} & taken:
            taken |= {a, b}
            found.append(AccountLink(min(a, b), max(a, b), p))
    return tuple(found)
