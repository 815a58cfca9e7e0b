"""What exists in a shop and what it is called, held in memory: names, customers, products."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from customers import values as v
from customers.errors import NotBuilt, Unknown
from customers.product_names import chinese, split
from customers.stores import segment_names
from customers.stores.reader import Reader

NAMED = ("department", "category", "type", "brand", "attribute", "attribute_value")


@dataclass(frozen=True, slots=True)
class Product:
    """A product as the catalogue knows it; missing keys are ""."""

    product_id: str
    name: str
    category: str
    brand: str
    price: float | None
    type: str = ""

    def hit(self, score: float) -> v.ProductHit:
        """This product as found with `score`."""
        return v.ProductHit(self.product_id, self.name, self.category, self.brand, self.price, score)


class Catalogue:
    """Names and keys by kind; customers are those with a purchase."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._names: dict[str, dict[str, v.Name]] = {kind: {} for kind in NAMED}
        for kind, key, en, zh in reader.rows(
            "SELECT kind, key, name_en, name_zh FROM names WHERE key IS NOT NULL ORDER BY kind, key"
        ):
            self._names.setdefault(kind, {})[key] = v.Name(en or key, zh or en or key)
        self._names["segment"] = {
            key: v.Name(en, zh)
            for key, en, zh in reader.rows(
                "SELECT segment_id, name_en, name_zh FROM segments ORDER BY segment_id"
            )
        }
        given = segment_names.read(reader.path.parent)  # by a model, instead of those made of categories
        self._names["segment"] |= {
            key: v.Name(name.en, name.zh) for key, name in given.items() if key in self._names["segment"]
        }
        self._names["campaign"] = {
            key: v.Name(name, name)
            for key, name in reader.rows("SELECT campaign_id, coalesce(name, campaign_id) FROM campaigns")
        }
        self._customers = {key for (key,) in reader.rows("SELECT customer_id FROM customer_summary")}
        self._keys = {kind: sorted(names, key=_natural) for kind, names in self._names.items()}
        self._keys["customer"] = sorted(self._customers, key=_natural)
        self.info = self._read_info()

    def name(self, kind: str, key: str) -> v.Name:
        """Raises Unknown where the kind has no such key."""
        found = self._names.get(kind, {}).get(key)
        if found is not None:
            return found
        if kind == "product":
            return self._product_name(self.product(key))
        if kind == "customer" and key in self._customers:
            return v.Name(key, key)
        raise Unknown(f"there is no {kind.replace('_', ' ')} {key!r} in this shop")

    def keys(self, kind: str) -> list[str]:
        """All keys of a kind in a stable order, numbers in numeric order. Raises Unknown for a kind
        that no shop has."""
        try:
            return self._keys[kind]
        except KeyError:
            raise Unknown(f"there is no kind {kind!r}; kinds are {', '.join(sorted(self._keys))}") from None

    def has_customer(self, customer_id: str) -> bool:
        return customer_id in self._customers

    def product(self, product_id: str) -> Product:
        """Raises Unknown."""
        try:
            return self._products[product_id]
        except KeyError:
            raise Unknown(f"there is no product {product_id!r} in this shop") from None

    def _product_name(self, product: Product) -> v.Name:
        """A product's own name, and in Chinese after its kind's where it has none."""
        if both := split(product.name):
            return both
        for kind, key in (("type", product.type), ("category", product.category)):
            named = self._names[kind].get(key)
            zh = chinese(product.name, named) if named else product.name
            if zh != product.name:
                return v.Name(product.name, zh)
        return v.Name(product.name, product.name)

    @cached_property
    def _products(self) -> dict[str, Product]:
        rows = self._reader.rows(
            "SELECT product_id, coalesce(name, product_id), coalesce(category, ''), coalesce(brand, ''), price,"
            " coalesce(type, '') FROM products"
        )
        return {row[0]: Product(*row) for row in rows}

    def _read_info(self) -> v.ShopInfo:
        rows = self._reader.rows("SELECT name, currency, first_day, last_day FROM shop")
        if not rows:
            raise NotBuilt(
                "the build lacks the shop's own row; run `shopkeeper data SOURCE` and `shopkeeper build`"
            )
        name, currency, first_day, last_day = rows[0]
        told = self._reader.rows(
            "SELECT 1 FROM duckdb_columns() WHERE table_name = 'events' AND column_name = 'source'"
        )  # a version built before events told their source has no simulated ones
        made = "source LIKE 'simulated%'" if told else "false"
        (events, simulated, products) = self._reader.rows(
            f"SELECT count(*), count(*) FILTER ({made}),"
            " count(DISTINCT product_id) FILTER (kind = 'purchase') FROM events"
        )[0]
        return v.ShopInfo(
            name, currency or "", first_day, last_day, len(self._customers), products,
            events - simulated or simulated, simulated,
        )  # fmt: skip


def _natural(key: str) -> tuple[int, int, str]:
    return (0, int(key), key) if key.isascii() and key.isdigit() else (1, 0, key)
