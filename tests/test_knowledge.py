"""The knowledge of the desk: what files are read as, what is learnt from them, which reply is chosen, what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.encoder import MultilingualEncoder
from customers.errors import BadInput
from customers.knowledge import Inquiry, Policy, Template, reading, starter, templates, validation
from customers.knowledge.base import is_general
from customers.knowledge.intents import IntentModel
from customers.knowledge.store import KnowledgeStore
from customers.knowledge.values import LANGUAGES, Loaded, Record, intent_of, language_of, masked

ENCODER = MultilingualEncoder()


# the starter set ---------------------------------------------------------------------------
def test_the_starter_set_has_what_it_promises():
    assert len(starter.intents()) >= 40
    for language in LANGUAGES:
        of = [i for i in starter.inquiries() if i.language == language]
        labels = {i.label for i in of}
        assert {intent_of(label) for label in labels} == set(starter.intents())
        assert min(sum(i.label == label for i in of) for label in labels) >= 8
        assert {t.label for t in starter.templates() if t.language == language} == labels
        assert len({i.text.lower() for i in of}) == len(of)
        assert len({o.kind for o in starter.outside() if o.language == language}) >= 20


def test_each_answer_ends_in_a_reply_that_needs_nothing():
    for language in LANGUAGES:
        for label in {t.label for t in starter.templates()}:
            last = [t for t in starter.templates() if (t.label, t.language) == (label, language)][-1]
            assert not last.slots, last


def test_every_policy_that_a_reply_says_is_explained():
    used = {
        s.removeprefix("policy.") for t in starter.templates() for s in t.slots if s.startswith("policy.")
    }
    assert used == set(starter.policy_keys())


# reading -----------------------------------------------------------------------------------
def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_inquiries_by_their_usual_names(tmp_path: Path):
    path = _file(tmp_path, "old.csv", "Question,Intent,Answer,customer_id,rating\nWhere is it?,Order Status,On its way.,12,5\n"
                 "退款呢？,refund_status,,,1\n,stock,,,\n")  # fmt: skip
    found = reading.read(path)
    assert found.inquiries == (
        Inquiry("Where is it?", "en", "order_status", "On its way.", "12", False, True),
        Inquiry("退款呢？", "zh", "refund_status", "", "", False, False),
    )
    assert found.skipped == {"no question": 1}


def test_chinese_headers_and_chinese_encoding(tmp_path: Path):
    path = tmp_path / "客服.csv"
    path.write_bytes("问题,意图,客服回复\n能开发票吗,invoice,可以的\n".encode("gb18030"))
    (found,) = reading.read(path).inquiries
    assert (found.text, found.language, found.label, found.answer) == (
        "能开发票吗",
        "zh",
        "invoice",
        "可以的",
    )


def test_a_chatwoot_export(tmp_path: Path):
    talk = {
        "labels": ["invoice"],
        "meta": {"sender": {"identifier": "7"}},
        "messages": [
            {"content": "Can I have a bill?", "message_type": 0},
            {"content": "ask her for the number", "message_type": 1, "private": True},
            {"content": "Sure, it is in your mail.", "message_type": 1},
        ],
    }
    (found,) = reading.read(_file(tmp_path, "talks.json", json.dumps({"payload": [talk]}))).inquiries
    assert found == Inquiry("Can I have a bill?", "en", "invoice", "Sure, it is in your mail.", "7")


def test_a_zendesk_export_as_json_lines(tmp_path: Path):
    ticket = {
        "requester_id": 5, "description": "The kettle is dead", "satisfaction_rating": {"score": "good"},
        "comments": [{"author_id": 5, "body": "The kettle is dead"}, {"author_id": 9, "public": False, "body": "hm"},
                     {"author_id": 9, "body": "We send a new one."}],
    }  # fmt: skip
    (found,) = reading.read(_file(tmp_path, "t.jsonl", json.dumps(ticket) + "\n")).inquiries
    assert (found.text, found.answer, found.good) == ("The kettle is dead", "We send a new one.", True)


def test_templates_and_policies(tmp_path: Path):
    told = reading.read(_file(tmp_path, "t.csv", "intent,language,reply,human\nstock,en,We have {products.found}.,no\nstock,en,One moment.,yes\n"))  # fmt: skip
    assert [(t.label, t.text, t.human, t.rank) for t in told.templates] == [
        ("stock", "We have {products.found}.", False, 0),
        ("stock", "One moment.", True, 1),
    ]
    stated = reading.read(_file(tmp_path, "p.csv", "key,en,zh\nreturn_days,30 days,30天\n"))
    assert stated.policies == (Policy("return_days", "30 days", "30天"),)


@pytest.mark.parametrize(("text", "says"), [
    ("", "holds no rows"),
    ("a,b\n1,2\n", "no column that could be a question"),
    ("intent,reply\nstock,We have {price.secret}\n", "there is no slot {price.secret}"),
    ("intent,reply\nstock,We have {open\n", "a brace is open"),
    ("question\n\n", "holds no"),
    ("{broken", "line 1 is no JSON"),
    ("[1, 2]", "no list of objects"),
    ("key,en,zh\nreturn_days,,\n", "says nothing"),
])  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, text: str, says: str):
    with pytest.raises(BadInput, match=says.replace("{", r"\{").replace("}", r"\}")) as refused:
        reading.read(_file(tmp_path, "x.csv", text))
    assert "\n" not in str(refused.value)


@given(st.text())
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str):
    path = tmp_path_factory.mktemp("any") / "x.jsonl"
    path.write_bytes(json.dumps({"text": text}).encode())
    try:
        (found,) = reading.read(path).inquiries
    except BadInput:
        assert (
            not text.strip()
            or len(text) > reading.MOST_CHARS
            or not any(c.isprintable() and c != " " for c in text)
        )
    else:
        assert found.text == " ".join(found.text.split()) != ""


# recognising -------------------------------------------------------------------------------
SMALL = {
    "refund": ["Where is my refund?", "I want my money back", "我的退款呢", "什么时候退钱"],
    "hours": ["When are you open?", "opening hours please", "几点开门", "营业时间"],
    "pay": ["Can I pay by card?", "which payment methods", "可以刷卡吗", "怎么付款"],
}
ASKED = {"has my refund been paid": "refund", "退款到账了吗": "refund", "are you open on Sunday": "hours",
         "你们几点关门": "hours", "do you take credit cards": "pay", "能用信用卡付款吗": "pay"}  # fmt: skip


def _model() -> IntentModel:
    texts = [t for told in SMALL.values() for t in told]
    labels = [label for label, told in SMALL.items() for _ in told]
    return IntentModel(ENCODER).fit(
        texts, labels, ["who won the match", "今天天气怎么样", "write a poem", "1+1=?"]
    )


def test_a_few_examples_are_enough_for_what_is_plain():
    model = _model()
    assert list(model.predict(list(ASKED))) == list(ASKED.values())
    shares = model.shares(model.scores(list(ASKED)))
    np.testing.assert_allclose(shares.sum(1), 1)
    scope = model.in_scope(model.scores([*ASKED, "what is the capital of France", "明天会下雨吗"]))
    assert scope[:-2].min() > scope[-2:].max()


def test_a_model_is_the_same_from_its_file(tmp_path: Path):
    model = _model()
    model.save(tmp_path / "model.npz")
    again = IntentModel.load(tmp_path / "model.npz", ENCODER)
    np.testing.assert_allclose(again.scores(list(ASKED)), model.scores(list(ASKED)), atol=1e-5)


def test_a_sample_that_spans_everything_gives_the_exact_solution():
    """The kernel machine against its textbook form, (K + ridge I)^-1 y."""
    texts = [t for told in SMALL.values() for t in told]
    labels = np.repeat(list(SMALL), [len(told) for told in SMALL.values()])
    model = IntentModel(ENCODER, characters=0.0).fit(texts, list(labels))
    vectors = ENCODER.encode(texts).astype(float)
    kernel = np.exp(-2 * 0.7 * (1 - vectors @ vectors.T))
    targets = (labels[:, None] == model.labels_).astype(float)
    means = targets.mean(0)
    weights = np.linalg.solve(kernel + 0.15 * np.eye(len(texts)), targets - means)
    asked = ENCODER.encode(list(ASKED)).astype(float)
    expected = np.exp(-2 * 0.7 * (1 - asked @ vectors.T)) @ weights + means
    np.testing.assert_allclose(model.scores(list(ASKED))[:, :-1], expected, atol=2e-3)


def test_one_label_is_no_choice():
    with pytest.raises(BadInput, match="two kinds"):
        IntentModel(ENCODER).fit(["a", "b"], ["x", "x"])


@pytest.mark.slow
def test_the_starter_set_recognises_what_it_did_not_see():
    """One fold of the cross-validation of `shopkeeper bench knowledge`, which measures all five."""
    own, others = starter.inquiries(), starter.outside()
    inside = validation.texts_of(
        [i.text for i in own], [i.label for i in own], [i.language for i in own], ENCODER.encode
    )
    outside = validation.texts_of(
        [o.text for o in others], [o.kind for o in others], [o.language for o in others], ENCODER.encode
    )
    held = validation.near_groups(inside) % 5 == 0
    held_kinds = np.isin(outside.labels, sorted(set(outside.labels))[::5])
    model = IntentModel(ENCODER).fit(
        list(inside.texts[~held]), list(inside.labels[~held]), list(outside.texts[~held_kinds]),
        vectors=np.concatenate([inside.vectors[~held], outside.vectors[~held_kinds]]),
    )  # fmt: skip
    scores, stray = (
        model.scores(list(t.texts), t.vectors) for t in (inside.take(held), outside.take(held_kinds))
    )
    told = validation.Outcome(
        model.labels_[scores[:, :-1].argmax(1)], model.in_scope(scores), model.in_scope(stray)
    )
    for language in LANGUAGES:
        found = validation.figures(told, inside.take(held), outside.take(held_kinds), language)
        assert found["intent_macro_f1"] >= 0.88
        assert found["template_top1"] >= 0.85
        assert found["out_of_scope_auroc"] >= 0.93


def test_near_identical_wordings_are_one_group():
    texts = ["Where is my order?", "where is my order", "Do you sell kettles?", "几点开门", "几点开门？"]
    groups = validation.near_groups(validation.texts_of(texts, list("abcde"), ["en"] * 5, ENCODER.encode))
    assert groups[0] == groups[1]
    assert groups[3] == groups[4]
    assert len(set(groups)) == 3


def test_a_group_is_never_split():
    class Looks:
        seen: list[tuple[set[str], set[str]]] = []

        def fit_predict(self, train, outside, test, test_outside):
            self.seen.append((set(train.texts), set(test.texts)))
            assert not set(outside.labels) & set(test_outside.labels)
            return test.labels, np.ones(len(test)), np.zeros(len(test_outside))

    texts = [
        t
        for pair in (("Open now?", "open now"), ("Refund!", "refund"), ("Pay?", "pay"), ("Gift", "gift."))
        for t in pair
    ]
    inside = validation.texts_of(texts, ["x"] * 8, ["en"] * 8, ENCODER.encode)
    outside = validation.texts_of(["a", "b", "c"], ["k", "l", "m"], ["en"] * 3, ENCODER.encode)
    found = validation.cross_validate(Looks(), inside, outside, folds=3)
    assert list(found.told) == ["x"] * 8
    for train, test in Looks.seen:
        assert not {t.lower().strip("?!.") for t in train} & {t.lower().strip("?!.") for t in test}


# choosing ----------------------------------------------------------------------------------
FULL = Template("s.1", "stock.in", "en", "We have {products.found}.")
PLAIN = Template("s.2", "stock.in", "en", "Let me look.", human=True, rank=1)
OTHER = Template("r.1", "stock.re", "en", "It comes back on {order.day}.")
REPLIES = (FULL, PLAIN, OTHER, Template("z", "stock.in", "zh", "有。"), Template("p", "pay.x", "en", "Card."))


def _keys(**more: object) -> list[str]:
    shares = {"stock.in": 0.7, "stock.re": 0.2}
    given: dict[str, Any] = {"records": {}, "language": "en"} | more
    return [t.key for t in templates.ranked(REPLIES, shares, **given)]


def test_the_likeliest_answers_fullest_reply_comes_first():
    assert _keys() == ["s.1", "s.2", "r.1"]
    assert _keys(language="zh") == ["z"]


def test_what_failed_comes_later_and_then_not_at_all():
    assert _keys(records={"s.1": Record(0, 1)}) == ["s.2", "s.1", "r.1"]
    assert _keys(records={"s.1": Record(3, 1), "s.2": Record(0, 1)}) == ["s.1", "s.2", "r.1"]
    assert _keys(records={"s.1": Record(0, 4)}) == ["s.2", "r.1"]
    assert _keys(barred={"s.1"}) == ["s.2", "r.1"]


def test_the_shops_own_replies_come_before_ours():
    assert _keys(own={"s.2"}) == ["s.2", "s.1", "r.1"]


def test_slots_are_filled_whole_or_not_at_all():
    assert templates.fill(FULL, {"products.found": "Oat {milk}"}) == "We have Oat {milk}."
    assert templates.fill(FULL, {}) is None
    assert templates.fill(FULL, {"products.found": ""}) is None
    assert templates.fill(PLAIN, {}) == "Let me look."


@pytest.mark.parametrize(("answer", "general"), [
    ("Yes, on Tuesdays.", True),
    ("Your order 48213 left today.", False),
    ("Write to anna@example.com.", False),
    ("Dear Anna, it is on its way.", False),
    ("王女士，已经寄出。", False),
])  # fmt: skip
def test_an_answer_to_one_customer_is_not_said_to_another(answer: str, general: bool):
    assert is_general(Inquiry("q", "en", answer=answer, good=True)) is general
    assert not is_general(Inquiry("q", "en", answer=answer))
    assert is_general(Inquiry("q", "en", answer=answer, faq=True))


def test_which_number_is_asked_about_says_nothing_of_the_intent():
    assert masked("Where is order A-48213?") == masked("Where is order 9917702?") == "Where is order 1234?"
    assert masked("I have 2 of 30") == "I have 2 of 30"
    assert language_of("怎么付 PayPal") == "zh"


# keeping -----------------------------------------------------------------------------------
def _say(store: KnowledgeStore, session: str, key: str = "k", customer: str = "7") -> None:
    store.say(session=session, customer=customer, language="en", question="Where is it?", intent="order_status",
              label="order_status.where", key=key, action="reply", text="Here.")  # fmt: skip


def test_what_was_said_and_what_came_of_it_is_kept(tmp_path: Path):
    path = tmp_path / "knowledge.sqlite"
    store = KnowledgeStore(path)
    assert store.settle("nobody", "good") is None
    for n, outcome in enumerate(("good", "bad", "sent", "resolved")):
        _say(store, f"s{n}")
        store.settle(f"s{n}", outcome)
    store.settle("s1", "resolved")  # closing it says nothing against the rating
    again = KnowledgeStore(path)
    assert again.records()["k"] == Record(worked=2, failed=1)
    assert [s.session for s in again.learned()] == ["s0", "s2"]
    assert [s.session for s in again.failures()] == ["s1"]
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(BadInput, match="no outcome"):
        store.settle("s0", "splendid")  # type: ignore[arg-type]


def test_loads_replace_each_other_and_what_is_forgotten_is_gone(tmp_path: Path):
    path = tmp_path / "knowledge.sqlite"
    store = KnowledgeStore(path)
    secret = Inquiry("Where is my violet umbrella?", "en", "order_status", customer="7")
    store.load("a.csv", Loaded(inquiries=(Inquiry("x", "en"),), policies=(Policy("phone", "1", "1"),)))
    store.load("a.csv", Loaded(inquiries=(secret,), templates=(FULL,)))
    assert store.sources() == [("a.csv", 1, 1, 1, 0)]
    assert [i for _, _, i in store.inquiries()] == [secret]
    _say(store, "s", customer="7")
    assert store.erase_customer("7") == 2
    assert store.erase_customer("") == 0
    assert store.forget("a.csv") == 1
    assert b"violet" not in path.read_bytes()
    assert store.sources() == store.of("s") == []
