"""A folder that reads a shop's build and keeps notes and conversations of its own, so that a run of a suite neither
sees nor touches what people noted, and so that names can be planted in a copy of its data."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import duckdb

from customers.stores import versions

_DATA = "shop.duckdb"


def shadow(shop: Path, folder: Path, product_names: Mapping[str, str] | None = None) -> Path:
    """Make `folder`, a shop's directory with the build of `shop`; what stood there before is removed.

    product_names: product ids -> names that take the place of the true ones, in a copy of the data. Returns the folder.
    Raises NotBuilt where the shop has no build, and ValueError for a product that it does not have.
    """
    version = versions.current(shop).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    inside = folder / "versions" / version.name
    inside.parent.mkdir(parents=True)
    if product_names:
        inside.mkdir()
        for part in version.iterdir():
            if part.name != _DATA:
                (inside / part.name).symlink_to(part)
        shutil.copyfile(version / _DATA, inside / _DATA)
        _rename(inside / _DATA, product_names)
    else:
        inside.symlink_to(version)
    (folder / "CURRENT").write_text(version.name, encoding="ascii")
    return folder


def _rename(data: Path, product_names: Mapping[str, str]) -> None:
    with duckdb.connect(str(data)) as con:
        known = {
            row[0]
            for row in con.execute(
                "SELECT product_id FROM products WHERE list_contains(?, product_id)", [list(product_names)]
            ).fetchall()
        }
        if unknown := sorted(product_names.keys() - known):
            raise ValueError(
                f"a name is planted on product {unknown[0]}, which the shop does not have; mend the case"
            )
        con.executemany(
            "UPDATE products SET name = ? WHERE product_id = ?",
            [[name, key] for key, name in product_names.items()],
        )
