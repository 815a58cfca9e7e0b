"""The read side of a built shop, against planted answers and independent queries."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np
import pytest

from customers.errors import BadInput, NotBuilt, Unknown
from customers.profiles.preference import sigmoid
from customers.shop import Shop
from customers.stores.vectors import CUSTOMERS, PRODUCTS, VectorStore, VectorStoreError
from tests import shops


@pytest.fixture(scope="module")
def shop():
    opened = Shop.open(shops.built())
    yield opened
    opened.close()


def test_info(shop):
    assert (shop.info.customers, shop.info.first_day, shop.info.last_day) == (200, shops.FIRST, shops.LAST)
    assert shop.info.products == len(shops.CATEGORIES) * 5


def test_names_and_keys(shop):
    assert shop.name("category", "DIAPERS").zh == "尿布"
    assert shop.name("brand", "Private").en == "Private label"
    assert list(shop.keys("category")) == sorted(shops.CATEGORIES)
    assert list(shop.customer_ids())[:3] == ["0", "1", "2"]
    assert shop.customer_ids()[-1] == "199"
    assert shop.keys("campaign") == ["1"]
    assert shop.keys("attribute") == ["age"]
    assert shop.product_name("p0") == "Red diapers"


def test_unknown_things_are_unknown(shop):
    for ask in (
        lambda: shop.profile("9999"),
        lambda: shop.name("category", "ROCKETS"),
        lambda: shop.keys("planet"),
        lambda: shop.segment("99"),
        lambda: shop.similar_customers("nobody"),
        lambda: shop.explain_preference("0", "ROCKETS"),
        lambda: shop.product_name("p999"),
        lambda: shop.category_history("0", "ROCKETS"),
    ):
        with pytest.raises(Unknown):
            ask()
    with pytest.raises(BadInput):
        shop.search_products("  ")


def test_profile_agrees_with_the_events(shop):
    card = shop.profile("0")
    rows = shop.query(
        "SELECT ts::DATE, amount, basket_id FROM events WHERE customer_id = ? AND kind = 'purchase'", ["0"]
    )
    assert card.spend == pytest.approx(sum(amount for _, amount, _ in rows))
    assert card.baskets == len({basket for *_, basket in rows}) == 60
    assert card.days_between == 4.0
    assert card.mean_basket == pytest.approx(card.spend / 60)
    assert (card.first_day, card.last_day) == (min(rows)[0], max(rows)[0])
    assert card.recency_days == (shops.LAST - card.last_day).days
    assert sum(spend for _, spend in card.spend_by_month) == pytest.approx(card.spend)
    assert card.spend_by_month[0][0] == shops.FIRST
    assert card.attributes == {"age": "25-34"}
    assert shop.profile("1").attributes == {}
    assert (card.campaigns_received, card.coupons_redeemed) == (1, 1)
    assert shop.profile("1").coupons_redeemed == 0


def test_tastes_have_true_shares_and_lifts(shop):
    taste = shop.profile("0").top_categories[0]
    own, everybody = (
        dict(shop.query(f"SELECT category, sum(amount) FROM events JOIN products USING (product_id)"
                        f" WHERE kind = 'purchase' {rest} GROUP BY 1"))
        for rest in ("AND customer_id = '0'", "")
    )  # fmt: skip
    share = own[taste.category] / sum(own.values())
    assert taste.spend == pytest.approx(max(own.values()))
    assert taste.share == pytest.approx(share)
    assert taste.lift == pytest.approx(share / (everybody[taste.category] / sum(everybody.values())))
    assert shop.category_history("0", taste.category) == taste


def test_segments_are_the_planted_tastes(shop):
    found = shop.segments()
    assert sum(s.size for s in found) == 200
    assert sum(s.share for s in found) == pytest.approx(1)
    membership = {customer: segment for customer, segment, *_ in shop.segment_map()}
    for taste in shops.TASTES:
        members = [membership[str(c)] for c in range(200) if shops.taste_of(c) == taste]
        most = max(set(members), key=members.count)
        assert members.count(most) >= 0.95 * len(members)
        named = {top.category for top in shop.segment(most).top if top.lift >= 1.5}
        assert named == set(shops.TASTES[taste])
    assert len({s.name.en for s in found}) == len({s.name.zh for s in found}) == len(found) == 3


def test_similar_customers_share_the_taste_and_agree_with_brute_force(shop):
    found = shop.similar_customers("150", n=5)
    assert all(shops.taste_of(int(one.customer_id)) == "wine" for one in found)
    assert "150" not in {one.customer_id for one in found}
    assert {"WINE", "CHEESE", "OLIVES"} & set(found[0].shared_categories)
    store = VectorStore(shop.version / "chroma")
    vectors = {key: store.vector(CUSTOMERS, key) for key in shop.customer_ids()}
    cosine = {key: float(vector @ vectors["150"]) for key, vector in vectors.items() if key != "150"}
    best = sorted(cosine, key=lambda key: -cosine[key])[:5]
    assert [one.customer_id for one in found] == best
    assert found[0].similarity == pytest.approx(cosine[best[0]], abs=1e-4)
    assert np.linalg.norm(vectors["150"]) == pytest.approx(1, abs=1e-4)
    with pytest.raises(VectorStoreError):
        store.nearest(CUSTOMERS, np.ones(3, dtype=np.float32), 1)
    with pytest.raises(VectorStoreError):
        store.count("nothing")
    store.close()


def test_probabilities_follow_behaviour(shop):
    likely = shop.profile("100").likely
    assert [p.probability for p in likely] == sorted((p.probability for p in likely), reverse=True)
    served = {p.category for p in likely}
    assert served & set(shops.TASTES["cat"])
    assert not served & set(shops.TASTES["baby"])
    chance = dict(shop.query("SELECT customer_id, probability FROM preferences WHERE category = 'DIAPERS'"))
    assert chance["0"] > 0.8 > 0.3 > chance["150"]
    assert chance[shops.STOPPED] < 0.5 * chance["16"]  # customer 16 comes as often and did not stop


def test_explanation_adds_up(shop):
    told = shop.explain_preference("0", "DIAPERS")
    (served,) = shop.query(
        "SELECT probability FROM preferences WHERE customer_id = '0' AND category = 'DIAPERS'"
    )[0]
    assert told.probability == pytest.approx(served, abs=1e-6)
    odds = np.log(told.probability / (1 - told.probability))
    average = sigmoid(np.array(odds - sum(c.logit for c in told.contributions)))
    stranger = shop.explain_preference("150", "DIAPERS")
    other = np.log(stranger.probability / (1 - stranger.probability))
    again = sigmoid(np.array(other - sum(c.logit for c in stranger.contributions)))
    assert average == pytest.approx(again, abs=1e-4)  # both are told against the same mean customer
    value = {c.feature: c.value for c in told.contributions}
    assert value["baskets"] == shop.category_history("0", "DIAPERS").baskets
    sizes = [abs(c.logit) for c in told.contributions]
    assert sizes == sorted(sizes, reverse=True)


def test_search_finds_products_in_both_languages(shop):
    assert shop.search_products("diapers", n=3)[0].category == "DIAPERS"
    assert shop.search_products("猫粮", n=1)[0].category == "CAT FOOD"
    only = shop.search_products("something blue", n=5, category="WINE")
    assert len(only) == 5
    assert {hit.category for hit in only} == {"WINE"}
    assert [hit.score for hit in only] == sorted((hit.score for hit in only), reverse=True)


def test_every_product_name_has_a_vector(shop):
    store = VectorStore(shop.version / "chroma")
    sold = shop.query("SELECT count(DISTINCT name) FROM events JOIN products USING (product_id)")[0][0]
    assert store.count(PRODUCTS) == sold
    assert store.count(CUSTOMERS) == 200
    store.close()


def test_recommendations_and_audience_come_through(shop):
    assert {r.category for r in shop.recommend("150", n=3, category="WINE")} == {"WINE"}
    reached = shop.audience(category="DIAPERS", n=10)
    assert len(reached.members) == 10
    assert all(shops.taste_of(int(m.customer_id)) == "baby" for m in reached.members)


def test_threads_get_the_same_answers(shop):
    ids = [str(c) for c in range(40)]
    alone = [(shop.profile(c), shop.similar_customers(c, 2)) for c in ids]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda c: (shop.profile(c), shop.similar_customers(c, 2)), ids))
    assert together == alone


def test_directory_without_a_build(tmp_path):
    with pytest.raises(NotBuilt, match="shopkeeper build"):
        Shop.open(tmp_path)
    (tmp_path / "CURRENT").write_text("0009\n")
    with pytest.raises(NotBuilt):
        Shop.open(tmp_path)


def test_simulated_events_are_counted_apart(shop, tmp_path):
    version = tmp_path / "0001"
    shutil.copytree(shop.version, version)
    con = duckdb.connect(str(version / "shop.duckdb"))
    con.execute(
        "INSERT INTO events (event_id, kind, customer_id, ts, source)"
        " VALUES ('simulated:1', 'browse', '1', '2024-02-01 10:00:00', 'simulated')"
    )
    con.close()
    filled = Shop(version)
    try:
        assert (filled.info.simulated, filled.info.events) == (1, shop.info.events)
        assert shop.info.simulated == 0
        assert filled.info.filled
        assert not shop.info.filled
    finally:
        filled.close()
