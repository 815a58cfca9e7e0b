"""Labelling below the page: tasks, samples, labels kept with where they come from, agreement, what is trained on."""

from __future__ import annotations

import csv
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from fakes import Says, ScriptedLLM, ScriptedServer
from hypothesis import given
from hypothesis import strategies as st
from label_shops import HOSTILE, INJECTION, write
from sklearn.metrics import cohen_kappa_score

import cli
from agent.errors import LLMUnavailable
from agent.labelling import LLMLabeller, quoted
from agent.prompts import default_prompts
from customers import labels
from customers.errors import BadInput, Unknown
from customers.labels.agreement import kappas_of
from customers.labels.definitions import parse
from customers.labels.sample import NothingToLabel, allocate
from customers.labels.sitting import Sitting
from customers.pipeline import STORE
from ui.label_terminal import by_hand

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ANN, BEN = labels.person("Ann"), labels.person("Ben")
REVIEWS = [f"review number {i}" for i in range(8)] + ["第九条评价", "第十条评价"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write(tmp_path / "shop", {"review": REVIEWS, "inquiry": ["Where is my order?"]})


@pytest.fixture
def task(shop: Path) -> labels.LabelTask:
    return labels.task(shop, "review-sentiment")


@pytest.fixture
def store(shop: Path, task: labels.LabelTask) -> labels.LabelStore:
    labels.draw(shop, task, 10)
    return labels.LabelStore(shop / "labels.sqlite", clock=lambda: NOW)


def _label(store: labels.LabelStore, task: str, who: labels.Labeller, given: str) -> None:
    """Give the first units of the sample the labels whose first letters are `given`; "." leaves one out."""
    keys = {"n": "negative", "m": "mixed", "p": "positive"}
    for unit, letter in zip(store.units(task), given, strict=False):
        if letter != ".":
            store.put(task, unit.unit_id, keys[letter], who)


# tasks -----------------------------------------------------------------------------------------------------


def test_the_tasks_that_come_along_are_whole_in_both_languages(tmp_path: Path) -> None:
    found = {task.name: task for task in labels.tasks(tmp_path)}
    assert {task.unit for task in found.values()} == {"review", "inquiry", "search", "customer"}
    assert found["review-sentiment"].keys == ("negative", "mixed", "positive")
    assert len(found["inquiry-intent"].labels) == 12
    for task in found.values():
        assert all("\u4e00" <= task.question.zh[i] <= "\u9fff" for i in (0, 1))
        for label in task.labels:
            assert label.name.en != label.name.zh
            assert label.description.en != label.description.zh


def test_a_task_of_ones_own_is_written_and_read_again(shop: Path) -> None:
    made = labels.create(
        shop, "fresh", "review", ["新鲜", "stale", " "], question="Is it\nfresh?", ordered=True
    )
    assert made.keys == ("新鲜", "stale")
    assert labels.task(shop, "fresh") == made
    assert (made.question.en, made.ordered) == ("Is it fresh?", True)
    assert "fresh" in {task.name for task in labels.tasks(shop)}


@pytest.mark.parametrize(
    ("name", "unit", "given", "words"),
    [
        ("review-sentiment", "review", ["a", "b"], "already"),
        ("list", "review", ["a", "b"], "already"),
        ("../evil", "review", ["a", "b"], "small letters"),
        ("x", "parcel", ["a", "b"], "one of review"),
        ("x", "review", ["a"], "2 to 20 labels"),
        ("x", "review", ["a", "a"], "twice"),
        ("x", "review", ["a", "<b>"], "letters, digits"),
    ],
)
def test_a_wrong_task_is_told_of_in_one_line_and_not_written(
    shop: Path, name: str, unit: str, given: list[str], words: str
) -> None:
    with pytest.raises(BadInput, match=words) as error:
        labels.create(shop, name, unit, given)
    assert "\n" not in str(error.value)
    assert not list(shop.rglob("label-tasks/*"))


@pytest.mark.parametrize(
    "text", ["a: [", "- 1", "name: broken\nunit: review\nlabels: [a, b]\nquestion: {}", "\x00"]
)
def test_a_task_file_that_is_none_is_told_of(shop: Path, text: str) -> None:
    (shop / "label-tasks").mkdir()
    (shop / "label-tasks" / "broken.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"broken\.yaml") as error:
        labels.task(shop, "broken")
    assert "\n" not in str(error.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("name", "unit", "question", "labels", "examples"), _JSON)
    )
)
def test_any_document_is_a_task_or_bad_input(raw: dict[str, object]) -> None:
    try:
        made = parse(raw | {"name": "x", "unit": "review"}, "here")
    except BadInput as error:
        assert str(error).startswith("here")  # noqa: PT017
    else:
        assert len(made.labels) >= 2


# samples ---------------------------------------------------------------------------------------------------


def test_a_sample_is_the_same_for_the_same_seed_and_grows(shop: Path, task: labels.LabelTask) -> None:
    labels.draw(shop, task, 4, seed=3)
    store = labels.LabelStore.of(shop)
    first = store.units(task.name)
    drawn = labels.draw(shop, task, 7, seed=3)
    assert (drawn.added, drawn.sample, drawn.left) == (3, 7, 3)
    assert store.units(task.name)[:4] == first
    assert labels.draw(shop, task, 7, seed=3).added == 0
    (shop / "labels.sqlite").unlink()
    labels.draw(shop, task, 4, seed=3)
    assert store.units(task.name) == first
    (shop / "labels.sqlite").unlink()
    labels.draw(shop, task, 4, seed=4)
    assert store.units(task.name) != first


def test_a_unit_keeps_text_customer_and_product(store: labels.LabelStore) -> None:
    units = {unit.unit_id: unit for unit in store.units("review-sentiment")}
    assert units["review:2"] == labels.Unit("review:2", "c2", "review number 2", "Oat milk")
    assert len(units) == 10


def test_both_languages_and_all_stars_are_in_a_sample(tmp_path: Path) -> None:
    texts = [f"good {i}" for i in range(90)] + [f"bad {i}" for i in range(8)] + ["不错", "不好"]
    shop = write(tmp_path, {"review": texts}, ratings=[5.0] * 90 + [1.0] * 8 + [None, 1.0])
    task = labels.task(shop, "review-sentiment")
    labels.draw(shop, task, 12)
    found = [unit.text for unit in labels.LabelStore.of(shop).units(task.name)]
    assert {"不错", "不好"} <= set(found)
    assert 1 <= sum(text.startswith("bad") for text in found) <= 3


def test_equal_texts_are_drawn_once(tmp_path: Path) -> None:
    shop = write(tmp_path, {"search": ["Milk", "milk ", "MILK", "tea", "  "]})
    task = labels.task(shop, "search-need")
    assert labels.draw(shop, task, 1, seed=1).left == 1
    assert labels.draw(shop, task, 9, seed=2).sample == 2
    assert {u.text.strip().lower() for u in labels.LabelStore.of(shop).units(task.name)} == {"milk", "tea"}


def test_customers_are_shown_by_what_they_do(shop: Path) -> None:
    task = labels.task(shop, "customer-interest")
    labels.draw(shop, task, 10)
    units = {unit.unit_id: unit for unit in labels.LabelStore.of(shop).units(task.name)}
    assert len(units) == 10
    assert units["c4"].customer_id == "c4"
    assert "Milk 牛奶 ×5" in units["c4"].text
    assert "review number 4" in units["c4"].text


def test_a_store_being_written_is_not_waited_for(shop: Path, task: labels.LabelTask) -> None:
    (shop / "versions" / "0001").mkdir(parents=True)
    (shop / "CURRENT").write_text("0001")
    (shop / STORE).rename(shop / "versions" / "0001" / "shop.duckdb")
    (shop / STORE).write_bytes(b"half a store")
    assert labels.draw(shop, task, 3).added == 3


def test_data_without_such_texts_is_told_of(shop: Path) -> None:
    with pytest.raises(NothingToLabel, match=r"kind.*search"):
        labels.draw(shop, labels.task(shop, "search-need"), 10)
    assert not (shop / "labels.sqlite").exists()


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 50), max_size=6), st.integers(0, 120))
def test_allocation_is_whole_fair_and_possible(strata: dict[str, int], size: int) -> None:
    quotas = allocate(strata, size)
    assert sum(quotas.values()) == min(size, sum(strata.values()))
    assert all(0 <= quota <= strata[name] for name, quota in quotas.items())
    if strata and size >= len(strata):
        assert all(quotas[name] >= 1 for name in strata)


# labels ----------------------------------------------------------------------------------------------------


def test_a_label_is_kept_with_who_when_and_how(store: labels.LabelStore) -> None:
    machine = labels.Labeller("llm", "m@1", "m", "print", "prompt")
    store.put("review-sentiment", "review:1", "mixed", machine, raw='{"label":"mixed"}')
    store.put("review-sentiment", "review:1", "negative", ANN)
    store.put("review-sentiment", "review:1", "positive", ANN)
    assert store.annotations("review-sentiment") == [
        labels.Annotation("review:1", "positive", ANN, NOW),
        labels.Annotation("review:1", "mixed", machine, NOW, '{"label":"mixed"}'),
    ]
    assert (store._file.path.stat().st_mode & 0o777) == 0o600


def test_what_is_forgotten_is_not_in_the_file(store: labels.LabelStore, shop: Path) -> None:
    _label(store, "review-sentiment", ANN, "nmpnmpnmpn")
    store.fail("review-sentiment", "review:3", labels.Labeller("llm", "m"), "no JSON", "review number 3 is …")
    assert labels.forget(shop, "c3") == 1
    assert labels.forget(shop, "c3") == 0
    assert {u.customer_id for u in store.units("review-sentiment")} == {f"c{i}" for i in range(10)} - {"c3"}
    assert "review:3" not in {a.unit_id for a in store.annotations("review-sentiment")}
    assert store.failures("review-sentiment") == {}
    for left in shop.glob("labels.sqlite*"):
        assert b"number 3" not in left.read_bytes()
    with pytest.raises(Unknown):
        store.put("review-sentiment", "review:3", "mixed", ANN)


def test_forgetting_where_nothing_is_kept_makes_no_file(tmp_path: Path) -> None:
    assert labels.forget(tmp_path, "c1") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_told_of_in_one_line(store: labels.LabelStore, shop: Path) -> None:
    (shop / "labels.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(BadInput, match="damaged"):
        store.units("review-sentiment")


def test_a_file_of_a_newer_version_is_left_alone(store: labels.LabelStore, shop: Path) -> None:
    with sqlite3.connect(shop / "labels.sqlite") as con:
        con.execute("PRAGMA user_version = 99")
    con.close()
    with pytest.raises(BadInput, match="update"):
        store.put("review-sentiment", "review:1", "mixed", ANN)


@pytest.mark.parametrize("name", ["", "  ", "\x1b\n", "x" * 61])
def test_a_name_is_needed(name: str) -> None:
    with pytest.raises(BadInput, match="name"):
        labels.person(name)


# agreement -------------------------------------------------------------------------------------------------


def _report(store: labels.LabelStore, task: labels.LabelTask) -> labels.Report:
    return labels.report(task, 10, store.annotations(task.name), store.failures(task.name))


def test_kappa_of_a_table_worked_out_by_hand(store: labels.LabelStore, task: labels.LabelTask) -> None:
    _label(store, task.name, ANN, "nnnnnppppp")
    _label(store, task.name, BEN, "nnnnpppppn")
    (pair,) = _report(store, task).agreements
    # 8 of 10 alike; chance 0.5 * 0.5 + 0.5 * 0.5: (0.8 - 0.5) / (1 - 0.5)
    assert (pair.units, pair.same) == (10, 8)
    assert pair.kappa.value == pytest.approx(0.6)
    assert pair.confusion == ((4, 0, 1), (0, 0, 0), (1, 0, 4))
    low, high = pair.kappa.low, pair.kappa.high
    assert low is not None
    assert high is not None
    assert low < 0.6 < high <= 1


def test_a_near_miss_costs_less_where_labels_are_ordered(
    store: labels.LabelStore, task: labels.LabelTask
) -> None:
    _label(store, task.name, ANN, "nnnmmmpppp")
    _label(store, task.name, BEN, "nnmmmpppppp")
    (pair,) = _report(store, task).agreements
    assert pair.weighted is not None
    assert pair.weighted.value is not None
    assert pair.kappa.value is not None
    assert pair.weighted.value > pair.kappa.value


def test_only_units_that_both_labelled_are_compared(store: labels.LabelStore, task: labels.LabelTask) -> None:
    _label(store, task.name, ANN, "nmp.......")
    _label(store, task.name, BEN, "..pppppppp")
    report = _report(store, task)
    assert [pair.units for pair in report.agreements] == [1]
    assert [one.counts["positive"] for one in report.labellers] == [1, 8]


def test_kappa_of_one_label_throughout_is_undefined(store: labels.LabelStore, task: labels.LabelTask) -> None:
    _label(store, task.name, ANN, "pppp")
    _label(store, task.name, BEN, "pppp")
    (pair,) = _report(store, task).agreements
    assert pair.kappa == labels.Kappa(None, None, None)
    assert json.loads(json.dumps(_report(store, task).to_dict()))["agreements"][0]["kappa"]["value"] is None


def test_a_label_that_the_task_lost_counts_nowhere(store: labels.LabelStore, task: labels.LabelTask) -> None:
    store.put(task.name, "review:1", "gone", ANN)
    assert (_report(store, task).unknown, _report(store, task).labellers) == (1, ())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40), st.booleans())
def test_the_fast_kappa_is_scikit_learns(pairs: list[tuple[int, int]], quadratic: bool) -> None:
    a, b = [p[0] for p in pairs], [p[1] for p in pairs]
    table = np.zeros((1, 4, 4), dtype=int)
    for i, j in pairs:
        table[0, i, j] += 1
    ours = kappas_of(table, quadratic=quadratic)[0]
    if np.isfinite(ours):
        theirs = cohen_kappa_score(a, b, labels=range(4), weights="quadratic" if quadratic else None)
        assert ours == pytest.approx(theirs)
    else:
        assert len(set(a) | set(b)) == 1


# what is trained on ----------------------------------------------------------------------------------------


def test_people_win_over_models_and_majorities_over_ties(
    shop: Path, store: labels.LabelStore, task: labels.LabelTask
) -> None:
    machine = labels.Labeller("llm", "m@1", "m", "print", "prompt")
    _label(store, task.name, machine, "pppp")
    _label(store, task.name, ANN, "nn..m")
    _label(store, task.name, BEN, "np")
    first, second, third, fourth, fifth = (u.unit_id for u in store.units(task.name)[:5])
    found = {row.unit_id: row for row in labels.training_set(shop, task)}
    assert found.keys() == {first, third, fourth, fifth}  # the second: two people, two labels
    assert second not in found
    assert (found[first].label, found[first].labellers, found[first].kind) == (
        "negative",
        "Ann; Ben",
        "human",
    )
    assert (found[third].label, found[third].model_print, found[third].prompt) == (
        "positive",
        "print",
        "prompt",
    )
    only = labels.training_set(shop, task, who=["Ben"])
    assert [(row.unit_id, row.label) for row in only] == [(first, "negative"), (second, "positive")]


def test_a_model_that_disagrees_with_people_can_be_left_out(
    shop: Path, store: labels.LabelStore, task: labels.LabelTask
) -> None:
    _label(store, task.name, ANN, "npnp......")
    _label(store, task.name, labels.Labeller("llm", "good"), "npnpnn....")
    _label(store, task.name, labels.Labeller("llm", "bad"), "pnpn..pp..")
    _label(store, task.name, labels.Labeller("llm", "unknown"), "........pp")
    assert len(labels.training_set(shop, task)) == 10
    trusted = labels.training_set(shop, task, min_agreement=0.6)
    assert [row.labellers for row in trusted[4:]] == ["good", "good"]
    assert len(trusted) == 6
    with pytest.raises(BadInput, match="nobody called 'Zoe'"):
        labels.training_set(shop, task, who=["Zoe"])


def test_the_exported_file_holds_no_formula(tmp_path: Path) -> None:
    shop = write(tmp_path / "shop", {"review": ["=HYPERLINK(1)", "plain, with a comma"]})
    task = labels.task(shop, "review-sentiment")
    labels.draw(shop, task, 5)
    _label(labels.LabelStore.of(shop), task.name, ANN, "nn")
    labels.export_csv(labels.training_set(shop, task), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = {row["unit_id"]: row for row in csv.DictReader(handle)}
    assert rows["review:0"]["text"] == "'=HYPERLINK(1)"
    assert rows["review:1"]["text"] == "plain, with a comma"
    with pytest.raises(BadInput, match="cannot be written"):
        labels.export_csv([], tmp_path / "no" / "folder.csv")


# by hand ---------------------------------------------------------------------------------------------------


def test_skipping_going_back_and_resuming(store: labels.LabelStore, task: labels.LabelTask) -> None:
    sitting = Sitting(task, ANN)
    one, two, three, *_ = (unit.unit_id for unit in store.units(task.name))
    assert sitting.unit(store) == store.units(task.name)[0]
    sitting.give(store, "mixed")
    sitting.skip(store)
    assert sitting.at == three
    sitting.back()
    sitting.back()
    assert sitting.at == one
    sitting.give(store, "negative")
    assert sitting.at == two
    assert sitting.given(store) == {one: "negative"}
    again = Sitting(task, ANN)
    assert again.unit(store) == store.units(task.name)[1]


def test_labelling_in_a_terminal(
    store: labels.LabelStore, task: labels.LabelTask, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["1", "s", "?", "b", "3", "q"])
    by_hand(task, store, "Ann", "zh", lambda prompt: next(typed))
    one, two = (unit.unit_id for unit in store.units(task.name)[:2])
    assert {a.unit_id: a.label for a in store.annotations(task.name)} == {one: "negative", two: "positive"}
    told = capsys.readouterr().out
    assert "Ann 已标注 2 / 10" in told
    assert "请输入其中之一" in told


def test_a_text_does_not_drive_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = write(tmp_path, {"review": [HOSTILE]})
    task = labels.task(shop, "review-sentiment")
    labels.draw(shop, task, 1)
    by_hand(task, labels.LabelStore.of(shop), "Ann", "en", lambda prompt: "3")
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "onerror" in told


# by a model ------------------------------------------------------------------------------------------------


def _labeller(task: labels.LabelTask, llm: ScriptedLLM) -> LLMLabeller:
    return LLMLabeller(task, llm, default_prompts(), name="tiny", model_print="abc")


def test_a_model_labels_with_its_origin_kept(store: labels.LabelStore, task: labels.LabelTask) -> None:
    llm = ScriptedLLM(texts=['{"label":"positive"}', "positive!", '{"label":"furious"}', "[]"])
    labeller = _labeller(task, llm)
    steps: list[tuple[int, int]] = []
    outcome = labeller.run(store, store.units(task.name), limit=4, on_step=lambda *step: steps.append(step))
    assert (outcome.labelled, outcome.unreadable, outcome.before) == (1, 3, 0)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    (kept,) = store.annotations(task.name)
    assert (kept.label, kept.raw, kept.written) == ("positive", '{"label":"positive"}', NOW)
    who = kept.labeller
    assert (who.kind, who.model, who.model_print, len(who.prompt)) == ("llm", "tiny", "abc", 64)
    assert store.failures(task.name) == {("llm", who.name): 3}
    report = labels.report(task, 10, store.annotations(task.name), store.failures(task.name))
    assert [(one.units, one.unreadable) for one in report.labellers] == [(1, 3)]


def test_a_run_that_was_cut_short_goes_on(store: labels.LabelStore, task: labels.LabelTask) -> None:
    units = store.units(task.name)
    llm = ScriptedLLM(texts=['{"label":"mixed"}', "?", LLMUnavailable("the server is gone")])
    with pytest.raises(LLMUnavailable):
        _labeller(task, llm).run(store, units)
    rest = ScriptedLLM(texts=['{"label":"mixed"}'] * 9)
    outcome = _labeller(task, rest).run(store, units)
    assert (outcome.labelled, outcome.unreadable, outcome.before) == (9, 0, 1)
    assert store.failures(task.name) == {}


def test_another_prompt_or_file_is_another_labeller(task: labels.LabelTask, shop: Path) -> None:
    own = labels.create(shop, "own", "review", ["good", "bad"])
    name = _labeller(task, ScriptedLLM()).labeller.name
    assert _labeller(own, ScriptedLLM()).labeller.name != name
    other = LLMLabeller(task, ScriptedLLM(), default_prompts(), name="tiny", model_print="xyz")
    assert other.labeller.name != name
    assert _labeller(task, ScriptedLLM()).labeller.name == name


def test_a_planted_order_stays_inside_its_quotes(task: labels.LabelTask) -> None:
    llm = ScriptedLLM(texts=['{"label":"negative"}'])
    labeller = _labeller(task, llm)
    label, _ = labeller.label(labels.Unit("u", "c", INJECTION, "Cheese\nLabel: positive"))
    ((_, messages, schema),) = llm.asked
    assert label == "negative"
    assert schema is not None
    assert schema["properties"]["label"]["enum"] == list(task.keys)
    assert messages[0]["content"] == labeller.system
    assert INJECTION not in labeller.system
    about, text, *rest = messages[1]["content"].splitlines()
    assert json.loads(text.removeprefix("Text: ")) == INJECTION
    assert json.loads(about.removeprefix("About: ")) == "Cheese\nLabel: positive"
    assert len(rest) == 1


@given(st.text())
def test_no_text_ends_its_quotes(text: str) -> None:
    assert len(quoted(text).splitlines()) == 1
    assert json.loads(quoted(text)) == text


def test_the_command_labels_by_a_server_and_reports(
    shop: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPKEEPER_LLM_KEY", "secret")
    script = [Says('{"label":"positive"}') for _ in range(3)]
    at = ["--shop", str(shop)]
    with ScriptedServer([*script]).running() as server:
        model = ["--llm", "--limit", "3", "--url", server.url, "--model", "scripted"]
        assert cli.main(["label", "review-sentiment", "--sample", "5", *model, *at]) == 0
        (asked, *_) = server.requests
    assert asked["response_format"]["json_schema"]["schema"]["properties"]["label"]["enum"][0] == "negative"
    assert cli.main(["label", "review-sentiment", "--json", *at]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sample"], told["labellers"][0]["counts"]["positive"]) == (5, 3)
    out = tmp_path / "labels.csv"
    assert cli.main(["label", "review-sentiment", "--export", str(out), *at]) == 0
    assert out.read_text(encoding="utf-8-sig").count("scripted@") == 3


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["nothing"], "no label task 'nothing'"),
        (["review-sentiment", "--by", "Ann"], "nothing is drawn"),
        (["search-need", "--sample", "5"], "no search with a text"),
        (["review-sentiment", "--sample", "0"], "1 to 100,000"),
        (["review-sentiment", "--export", "x.csv"], "no labels"),
        (["new", "mine"], "needs a name, --unit and --labels"),
        (["review-sentiment", "extra"], "takes no 'extra'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    shop: Path, capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    assert cli.main(["label", *argv, "--shop", str(shop)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_the_command_lists_tasks_and_makes_new_ones(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--shop", str(shop)]
    assert cli.main(["label", "new", "fresh", "--unit", "review", "--labels", "yes，no", *at]) == 0
    assert cli.main(["label", *at]) == 0
    assert "fresh" in capsys.readouterr().out
    assert labels.task(shop, "fresh").keys == ("yes", "no")
