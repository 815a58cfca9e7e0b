"""Which of the shop's customers a desk's contact is; nobody, where that is not certain."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from api.desk.base import Contact
from api.desk.settings import DeskSettings
from customers.errors import BadInput


class Contacts:
    """Maps contacts to customer ids of one shop.

    known: whether the shop has a customer of this id. A contact that the desk does not vouch for is nobody,
    unless the desk's `trust` is "all": a visitor can type any name and any e-mail into a chat window.
    """

    def __init__(self, settings: DeskSettings, known: Callable[[str], bool]) -> None:
        self._trusts_all = settings.trust == "all"
        self._known = known
        self._table = read_table(settings.contacts) if settings.contacts else {}

    def customer(self, contact: Contact | None) -> str | None:
        """Return the customer's id, None for an unknown contact."""
        if contact is None or not (contact.verified or self._trusts_all):
            return None
        for name in _names(contact):
            found = self._table.get(name, name)
            if self._known(found):
                return found
        return None


def _names(contact: Contact) -> Iterator[str]:
    """What a contact may be called in the table, the surest first. A desk's own id needs its prefix, so that
    contact number 7 of the desk is not taken for customer 7."""
    if contact.identifier:
        yield contact.identifier
    if contact.attribute:
        yield contact.attribute
    if contact.id:
        yield f"id:{contact.id}"
    if contact.email:
        yield email_hash(contact.email)


def email_hash(email: str) -> str:
    """Return sha256:… of an e-mail, lower-cased, so that the table need not hold addresses."""
    return "sha256:" + hashlib.sha256(email.strip().lower().encode()).hexdigest()


def read_table(path: Path) -> Mapping[str, str]:
    """Return the rows of a CSV with the columns contact and customer. Raises BadInput."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"contact", "customer"} <= set(rows.fieldnames or ()):
                raise BadInput(f"{path} needs the columns contact and customer")
            table: dict[str, str] = {}
            for row in rows:
                contact, customer = (row["contact"] or "").strip(), (row["customer"] or "").strip()
                if contact and customer and table.setdefault(contact, customer) != customer:
                    raise BadInput(f"{path}: line {rows.line_num} gives {contact} to a second customer")
            return table
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
