"""A campaign's plan as a CSV file that a spreadsheet opens: one row a customer, the reason in both languages."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from customers.errors import BadInput
from customers.recommend.plan import Contact, Plan
from customers.values import Name

COLUMNS = (
    "rank", "customer_id", "coupon", "chance_to_redeem", "chance_to_buy_anyway", "gain", "expected_cost", "expected_net",
    "trips", "days_since_last", "segment", "reason_en", "reason_zh",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(plan: Plan, target: Name, segments: Mapping[str, str]) -> str:
    """Return the plan as CSV text. target: what the coupon is for. segments: segment names by customer.

    Chances and `gain` (how much more likely the coupon makes a purchase) are shares from 0 to 1; `gain`, and
    `expected_net` in money, are empty where the shop's campaigns taught no effect.
    """
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for rank, contact in enumerate(plan.contacts, 1):
        why = reason(contact, target, plan.learnt)
        rows.writerow([
            rank, _plain(contact.customer_id), f"{plan.terms.coupon:.2f}",
            f"{contact.redeems:.4f}" if plan.learnt else "", f"{contact.buys_anyway:.4f}",
            f"{contact.gain:.4f}" if plan.learnt else "", f"{contact.cost:.4f}",
            f"{contact.net:.4f}" if plan.learnt else "", contact.trips,
            "" if contact.days_since is None else contact.days_since,
            _plain(segments.get(contact.customer_id, "")), _plain(why["en"]), _plain(why["zh"]),
        ])  # fmt: skip
    return out.getvalue()


def table(columns: Sequence[str], cells: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV text that no spreadsheet reads as formulas; None is an empty cell."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows([_plain(c) if isinstance(c, str) else c for c in row] for row in cells)
    return out.getvalue()


def write(path: Path, text: str) -> None:
    """Write CSV text whole or not at all, with the mark by which spreadsheets know it as UTF-8. Raises BadInput."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8-sig")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise BadInput(
            f"{path} cannot be written ({error.strerror or error}); choose another file"
        ) from error


def reason(contact: Contact, target: Name, learnt: bool) -> dict[str, str]:
    """Why a customer is in the plan, from the row's own figures."""
    if contact.days_since is None:
        en, zh = [f"never bought {target.en}"], [f"从未买过{target.zh}"]
    else:
        trips = f"{contact.trips} trip{'s' if contact.trips != 1 else ''}"
        ago = contact.days_since
        last = f"{ago} day{'s' if ago != 1 else ''} before the data ends" if ago else "on the data's last day"
        en = [f"bought {target.en} on {trips}, last {last}"]
        zh = [f"买过{target.zh}{contact.trips}次，上次在数据截止{f'日前{ago}天' if ago else '当天'}"]
    if not learnt:
        en.append(f"{_percent(contact.buys_anyway)} likely to buy")
        zh.append(f"购买概率{_percent(contact.buys_anyway)}")
    else:
        en.append(f"{_percent(contact.redeems)} likely to redeem; {_percent(contact.buys_anyway)} likely to buy anyway, "
                  f"{100 * contact.gain:+.1f} points with the coupon")  # fmt: skip
        zh.append(f"兑换概率{_percent(contact.redeems)}；不发券的购买概率{_percent(contact.buys_anyway)}，"
                  f"发券后变化{100 * contact.gain:+.1f}个百分点")  # fmt: skip
    return {"en": "; ".join(en), "zh": "；".join(zh)}


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
