"""The build: what it leaves behind, what it refuses, and that readers never see half of one."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path

import duckdb
import pytest

from customers.errors import BadInput, NotBuilt, Unknown
from customers.pipeline import build
from customers.shop import Shop
from customers.stores import versions
from tests import shops


class Told:
    """Progress that remembers the stages, and can be made to fail at one."""

    def __init__(self, fail_at: str = "") -> None:
        self.stages: list[str] = []
        self.fail_at = fail_at

    def stage(self, name: str) -> None:
        self.stages.append(name)
        if name == self.fail_at:
            raise KeyboardInterrupt

    def step(self, done: int, total: int) -> None:
        assert 0 <= done <= total


@pytest.fixture(scope="module")
def built() -> Path:
    return shops.built()


@pytest.fixture
def shop_dir(built, tmp_path) -> Path:
    """A copy of the built shop that a test may spoil."""
    return Path(shutil.copytree(built, tmp_path / "shop"))


def test_manifest_and_report(built):
    version = versions.current(built)
    manifest = json.loads((version / "manifest.json").read_text())
    assert next(stage["name"] for stage in manifest["stages"]) == "copy the store"
    assert all(stage["seconds"] >= 0 and stage["peak_mib"] > 0 for stage in manifest["stages"])
    page = (version / "report" / "report.html").read_text()
    assert "Planted &lt;shop&gt;" in page
    assert "<b>bought" not in page
    text = (version / "report" / "report.md").read_text()
    assert "nothing \\| &lt;b&gt;bought" in text
    assert "<b>" not in text
    for plot in ("months", "segments", "choice", "reliability"):
        assert (version / "report" / f"{plot}.png").read_bytes().startswith(b"\x89PNG")


def test_unchanged_inputs_build_nothing(shop_dir):
    before = versions.current(shop_dir)
    told = Told()
    assert build(shop_dir, told) == before
    assert told.stages == []


def test_changed_inputs_build_a_new_version(shop_dir):
    before = Shop.open(shop_dir)
    con = duckdb.connect(str(shop_dir / "store" / "shop.duckdb"))
    con.execute("DELETE FROM events WHERE customer_id = '1'")
    con.close()
    assert build(shop_dir).name == "0002"
    after = Shop.open(shop_dir)
    assert not after.has_customer("1")
    assert after.has_customer("2")
    # A reader that was open all the while still answers from the version that it opened.
    assert before.profile("1").spend > 0
    assert before.similar_customers("1", 3)
    before.close()
    after.close()


def test_the_current_version_and_the_one_before_are_kept(tmp_path):
    for _ in range(4):
        versions.publish(tmp_path, versions.begin(tmp_path))
    assert versions.current(tmp_path).name == "0004"
    assert sorted(path.name for path in (tmp_path / "versions").iterdir()) == ["0003", "0004"]


def test_build_that_fails_leaves_the_old_version(shop_dir):
    before = versions.current(shop_dir)
    with pytest.raises(KeyboardInterrupt):
        build(shop_dir, Told(fail_at="segments"), force=True)
    assert versions.current(shop_dir) == before
    assert [path.name for path in (shop_dir / "versions").iterdir()] == ["0001"]


def _build_until_killed(shop: str, at: str) -> None:
    class Kill(Told):
        def stage(self, name: str) -> None:
            if name == at:
                os.kill(os.getpid(), 9)

    build(Path(shop), Kill(), force=True)


def test_killed_build_leaves_the_old_version_whole_and_the_next_cleans_up(shop_dir):
    before = versions.current(shop_dir)
    child = multiprocessing.get_context("spawn").Process(
        target=_build_until_killed, args=(str(shop_dir), "recommenders")
    )
    child.start()
    child.join(120)
    assert child.exitcode == -9
    assert versions.current(shop_dir) == before
    assert (shop_dir / "versions" / "0002.partial").is_dir()
    with versions.build_lock(shop_dir):
        fresh = versions.begin(shop_dir)
        assert fresh.name == "0002.partial"
        assert not any(fresh.iterdir())
    shop = Shop.open(shop_dir)
    assert shop.profile("0").baskets == 60
    shop.close()


def test_second_build_at_once_is_refused(shop_dir):
    with versions.build_lock(shop_dir), pytest.raises(BadInput, match="another build"):
        build(shop_dir)


def test_no_store_is_said(tmp_path):
    with pytest.raises(BadInput, match="shopkeeper data"):
        build(tmp_path / "nothing")


def test_store_without_purchases_is_said_and_nothing_is_left(tmp_path):
    store = tmp_path / "store" / "shop.duckdb"
    shops.write_store(store)
    con = duckdb.connect(str(store))
    con.execute("DELETE FROM events")
    con.close()
    with pytest.raises(BadInput, match="no purchase"):
        build(tmp_path)
    assert list((tmp_path / "versions").iterdir()) == []
    with pytest.raises(NotBuilt):
        Shop.open(tmp_path)


def test_short_and_bare_data_still_builds(tmp_path):
    """Twenty days, without types and mostly without categories: no preference models, and it says so."""
    store = tmp_path / "store" / "shop.duckdb"
    shops.write_store(store)
    con = duckdb.connect(str(store))
    con.execute("DELETE FROM events WHERE ts >= '2024-01-21'")
    con.execute("UPDATE products SET type = NULL")
    con.execute("UPDATE products SET category = NULL WHERE category <> 'MILK'")
    con.close()
    build(tmp_path)
    shop = Shop.open(tmp_path)
    assert shop.profile("0").baskets == 5
    assert shop.profile("0").likely == ()
    assert shop.search_products("diapers", 1)[0].name.endswith("diapers")
    assert len(shop.similar_customers("0", 3)) == 3
    with pytest.raises(Unknown, match="no preference model"):
        shop.explain_preference("0", "MILK")
    report = (shop.version / "report" / "report.md").read_text()
    assert "too short" in report
    shop.close()
