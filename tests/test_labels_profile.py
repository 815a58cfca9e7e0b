"""Labels of the planted shop's customers, and the profile document in its forms."""

from __future__ import annotations

import html
import json
from functools import cache

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from scipy import integrate, stats

import cli
from customers.errors import BadInput, Unknown
from customers.profiles import document, page
from customers.profiles.profile_labels import ratio_above, share_above
from customers.shop import Shop
from customers.values import LABEL_KINDS
from tests import corner, shops


@cache
def planted() -> Shop:
    return Shop.open(shops.built())


def keys(customer: str, kind: str) -> set[str]:
    return {label.key for label in planted().labels(customer, [kind])}


def test_interests_are_of_the_planted_taste_and_never_a_staple():
    found = {
        str(c): {k[9:] for k in keys(str(c), "interest") if k.startswith("category:")}
        for c in range(0, 200, 5)
    }
    for customer, interests in found.items():
        assert interests <= set(shops.TASTES[shops.taste_of(int(customer))]), customer
    # Who comes every fourth day leaves no doubt.
    assert found["0"] == found["45"] == set(shops.TASTES["baby"])


def test_everybody_has_one_segment_label_as_sure_as_the_clustering_is_stable():
    (stability,) = planted().query("SELECT max(stability) FROM segment_choice WHERE chosen")[0]
    for customer in ("0", "100"):
        (label,) = [one for one in planted().labels(customer, ["interest"]) if one.key.startswith("segment:")]
        assert label.confidence == pytest.approx(min(max(stability, 0), 0.9999))


def test_customer_data_is_a_label_with_confidence_one_and_is_missing_where_unknown():
    (label,) = planted().labels("4", ["basic"])
    assert (label.key, label.name.en, label.name.zh) == ("age=25-34", "Age: 25-34", "年龄：25-34")
    assert (label.confidence, label.source) == (1.0, "customer data")
    assert not keys("5", "basic")


def test_only_who_stopped_has_stopped():
    (lapsed,) = [one for one in planted().labels(shops.STOPPED, ["behaviour"]) if one.key == "lapsed"]
    away, gap = planted().query(
        "SELECT recency_days, greatest(days_between, 7) FROM customer_summary WHERE customer_id = ?",
        [shops.STOPPED],
    )[0]
    assert lapsed.value == str(away)
    assert lapsed.confidence == pytest.approx(min(1 - np.exp(-away / gap), 0.9999))
    who = planted().query("SELECT customer_id FROM customer_labels WHERE key = 'lapsed'")
    assert who == [(shops.STOPPED,)]


def test_evening_shoppers_are_those_planted_in_the_evening():
    """A customer's hour is 9 + customer % 12: from 18:00 on for nine to eleven."""
    for customer in range(40):
        assert ("evening" in keys(str(customer), "behaviour")) == (customer % 12 >= 9), customer


def test_a_fifth_spends_much_and_a_fifth_little():
    spend = [s for (s,) in planted().query("SELECT spend FROM customer_summary")]
    for key, quantile, compare in (
        ("heavy_spender", 0.8, np.greater_equal),
        ("light_spender", 0.2, np.less_equal),
    ):
        (n,) = planted().query("SELECT count(*) FROM customer_labels WHERE key = ?", [key])[0]
        assert n == compare(spend, np.quantile(spend, quantile)).sum()


def test_likely_purchases_have_their_probability_as_confidence():
    for label in planted().labels("0", ["preference"]):
        (p,) = planted().query(
            "SELECT probability FROM preferences WHERE customer_id = '0' AND category = ?", [label.key[5:]]
        )[0]
        assert label.confidence == pytest.approx(min(p, 0.9999))
        assert p >= 0.3


def test_every_label_is_of_a_known_kind_source_and_day_and_surely_between_0_and_1():
    rows = planted().query("SELECT DISTINCT kind, as_of, confidence, key FROM customer_labels")
    rules = document.read_rules(planted()._reader)
    for kind, as_of, confidence, key in rows:
        assert kind in LABEL_KINDS
        assert as_of == shops.LAST
        assert 0 <= confidence <= 1
        assert kind == "basic" or document.rule_of(rules, key), key


def test_share_above_is_the_posterior_and_ratio_above_too():
    def density(x: float) -> float:
        return float(stats.beta.pdf(x, 10 * 0.3 + 8, 10 * 0.7 + 2))

    assert share_above([8], [10], 0.3)[0] == pytest.approx(integrate.quad(density, 0.3, 1)[0], abs=1e-6)
    mean, above = ratio_above([30], [10], 1.2)
    assert mean[0] == pytest.approx(2.0)
    assert above[0] == pytest.approx(1 - stats.gamma.cdf(1.2, 40, scale=1 / 20))
    assert share_above([3], [10], 0.3)[0] == pytest.approx(0.5, abs=0.06)


# documents ------------------------------------------------------------------------------------
@pytest.mark.parametrize("customer", ["0", "5", "7", "199"])
def test_a_document_keeps_to_its_schema(customer: str):
    Draft202012Validator.check_schema(document.schema())
    found = planted().profile_document(customer)
    Draft202012Validator(document.schema()).validate(json.loads(json.dumps(found)))
    assert found["customer_id"] == customer
    assert len(found["labels"]) == len(planted().labels(customer))


def test_the_schema_refuses_what_is_no_profile():
    found = planted().profile_document("0")
    check = Draft202012Validator(document.schema())
    for broken in ({"labels": None}, {"extra": 1}, {"as_of": "yesterday"}):
        assert list(check.iter_errors(found | broken))


def test_kinds_that_are_not_asked_for_are_left_out_with_the_facts_behind_them():
    found = planted().profile_document("0", ["behaviour"])
    assert {label["kind"] for label in found["labels"]} == {"behaviour"}
    assert found["label_kinds"] == ["behaviour"]
    assert not any(found[part] for part in ("attributes", "segment", "tastes", "likely", "predictions"))
    Draft202012Validator(document.schema()).validate(found)


def test_predictions_are_those_of_the_build_and_said_as_estimates():
    found = planted().profile_document("0")
    row = planted().query(
        "SELECT next_order_low, next_order, next_order_high, churn, value, value_low, value_high"
        " FROM customer_predictions WHERE customer_id = '0'"
    )[0]
    told = found["predictions"]
    days = [told["next_order"][name] for name in ("low", "median", "high")]
    assert days == [day and day.isoformat() for day in row[:3]]
    assert told["churn"]["probability"] == row[3]
    assert [told["value"][name] for name in ("expected", "low", "high")] == [round(x, 2) for x in row[4:]]
    shown = page.render_page(found)
    assert f"Estimates from what was known on {shops.LAST}, not facts." in shown
    assert page.percent(row[3]) in document.render_text(found).split("No order within 60 days")[1]
    without = found | {"predictions": None}
    assert "Estimates from" not in page.render_page(without)
    assert 'id="en" checked' in shown
    assert 'id="zh" checked' in page.render_page(found, "zh")
    Draft202012Validator(document.schema()).validate(json.loads(json.dumps(without)))


def test_a_date_beyond_the_horizon_is_not_told_as_one():
    told = planted().profile_document("0")
    late = told["predictions"]["next_order"] | {"low": "2024-07-01", "median": None, "high": None}
    found = told | {"predictions": told["predictions"] | {"next_order": late}}
    assert (
        page.outlook_words(found, "en")[0][1]
        == "probably later than 90 days; 8 times in 10 2024-07-01 – later than 90 days"
    )
    never = told | {"predictions": told["predictions"] | {"next_order": late | {"low": None}}}
    assert page.outlook_words(never, "zh")[0][1] == "很可能在90天之后"


def test_a_month_without_a_trip_has_its_place_on_the_page():
    told = planted().profile_document("0")
    spent = [{"month": "2023-11", "spend": 3.0}, {"month": "2024-02", "spend": 5.0}]
    shown = page.render_page(told | {"behaviour": told["behaviour"] | {"spend_by_month": spent}})
    assert "2023-12: 0.00" in shown
    assert "2024-01: 0.00" in shown
    assert "2024-03" not in shown.split("<svg")[1].split("</svg>")[0]


def test_an_unknown_kind_and_an_unknown_customer_are_refused():
    with pytest.raises(BadInput, match="no kind of label 'mood'"):
        planted().labels("0", ["mood"])
    with pytest.raises(Unknown):
        planted().profile_document("nobody")


def test_the_page_tells_every_label_in_both_languages_and_obeys_none_of_them():
    found = planted().profile_document("0")
    found["labels"][0]["name"] = {"en": corner.HOSTILE, "zh": corner.HOSTILE}
    shown = page.render_page(found)
    assert "<script" not in shown
    assert "Planted &lt;shop&gt;" in shown
    for label in found["labels"]:
        for language in ("en", "zh"):
            assert html.escape(label["name"][language], quote=True) in shown
    assert not any(word in shown for word in ("http://", "https://", "src=", "@import")) or "evil" in shown
    assert shown.count("<section") == 2


def test_an_estimate_is_never_told_as_certain():
    rows = planted().query(
        "SELECT source, max(confidence) FROM customer_labels WHERE kind <> 'basic' AND key <> 'lapsed'"
        " AND kind <> 'behaviour' GROUP BY source"
    )
    assert all(most < 1 for _, most in rows)
    assert [page.percent(share) for share in (0.9999, 1.0, 0.5, 0.004)] == [">99%", "100%", "50%", "<1%"]


def test_the_command_prints_json_a_page_and_text(tmp_path, capsys):
    shop = ["--shop", str(shops.built())]
    target = tmp_path / "profile.html"
    assert cli.main(["profile", "0", "--json", "--html", str(target), *shop]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(planted().profile_document("0")))
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert cli.main(["profile", "0", "--language", "zh", *shop]) == 0
    assert "购物行为" in capsys.readouterr().out


def test_the_command_refuses_a_customer_that_is_not_there_in_one_line(capsys):
    assert cli.main(["profile", "nobody", "--shop", str(shops.built())]) == 2
    assert capsys.readouterr().err.count("\n") == 1
