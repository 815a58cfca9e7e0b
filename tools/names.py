"""How the shop's things are called in an answer. `Called` is a name in both languages, made safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from customers.errors import Unknown
from customers.values import Name
from tools.words import label, listing

if TYPE_CHECKING:
    from customers.shop import Shop


@dataclass(frozen=True, slots=True)
class Called:
    """A displayed name by language; `all` lists its written forms for the verifier."""

    en: str
    zh: str

    @property
    def all(self) -> tuple[str, ...]:
        return (self.en,) if self.en == self.zh else (self.en, self.zh)

    def __getitem__(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


def called(name: Name) -> Called:
    """Return a shop name as it may be shown."""
    return Called(label(name.en), label(name.zh))


def category(shop: Shop, key: str) -> Called:
    """Return the displayed name of a category key."""
    return called(shop.name("category", key))


def product(shop: Shop, product_id: str) -> Called:
    """Return the displayed name of a product with its id, which alone is unique."""
    name = called(shop.name("product", product_id))
    return Called(f"{name.en} (#{product_id})", f"{name.zh}（#{product_id}）")


def campaign(shop: Shop, key: str) -> Called:
    """Return the displayed name of a campaign; in Chinese by its number, where it has no name of its own."""
    name = called(shop.name("campaign", key))
    own = name.en != f"Campaign {key}"
    return Called(name.en, name.zh if own else f"活动{label(key)}")


def kept_out(shop: Shop, things: Mapping[str, Sequence[str]]) -> Called:
    """Return the displayed names of things by kind that are left out, as one list."""
    found = [
        product(shop, key) if kind == "product" else called(shop.name(kind, key))
        for kind, keys in things.items()
        for key in keys
    ]
    en, zh = (listing((one[language] for one in found), language) for language in ("en", "zh"))
    return Called(en, zh)


def customer(customer_id: str) -> Called:
    """Return how a customer is called."""
    return Called(f"customer {label(customer_id)}", f"{label(customer_id)}号顾客")


def attribute(shop: Shop, key: str) -> Called:
    """Return the displayed name of a customer attribute; its key, as words, where it has none."""
    try:
        return called(shop.name("attribute", key))
    except Unknown:
        plain = label(key.replace("_", " "))
        return Called(plain, plain)


def attribute_value(shop: Shop, attribute: str, value: str) -> Called:
    """Return the displayed name of one value of a customer attribute; the value itself where it has none."""
    try:
        return called(shop.name("attribute_value", f"{attribute}={value}"))
    except Unknown:
        return Called(label(value), label(value))
