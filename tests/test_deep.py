"""Deep models: what they learn, what they keep, and what a stopped run leaves. `make test-deep` runs them."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cli
from customers.deep.recipe import Recipe
from customers.errors import BadInput

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from deep_processes import made, train  # noqa: E402

from customers.deep import (  # noqa: E402
    augment,
    checkpoint,
    compress,
    preference,
    reading,
    saved,
    search,
    sequences,
    wordings,
)
from customers.deep.behaviour import BehaviourTransformer, SeriesConvolution  # noqa: E402
from customers.deep.loop import BEST, LAST, fit, logits, loss_of  # noqa: E402
from customers.deep.text import VARIANTS, hashed  # noqa: E402

pytestmark = pytest.mark.deep
ROOT = Path(__file__).parents[1]


def auc(truth, scores) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(np.asarray(truth).ravel(), np.asarray(scores).ravel()))


# The loop ------------------------------------------------------------------------------------
def test_the_convolution_learns_a_planted_rule_and_its_loss_falls(tmp_path):
    torch.manual_seed(0)
    model = SeriesConvolution(3, 2)
    held = made(200, 3)
    before = auc(held["target"], logits(model, held))
    history = fit(model, made(400, 1), made(80, 2), Recipe(epochs=12, batch=16, rate=5e-3), tmp_path)
    assert history.train_loss[-1] < 0.5 * history.train_loss[0]
    assert auc(held["target"], logits(model, held)) > 0.97 > before
    assert list((tmp_path / "log").rglob("events.out.tfevents.*"))


def test_a_stopped_run_goes_on_and_ends_as_an_unbroken_one(tmp_path):
    class Stopped(Exception):
        pass

    def stop(text: str) -> None:
        if text.startswith("epoch 2"):
            raise Stopped

    def run(folder: Path, say=lambda _: None):
        torch.manual_seed(0)
        model = SeriesConvolution(3, 2)
        return model, fit(model, made(120, 1), made(40, 2), Recipe(epochs=4, batch=16), folder, say=say)

    whole, history = run(tmp_path / "whole")
    with pytest.raises(Stopped):
        run(tmp_path / "broken", stop)
    again, gone_on = run(tmp_path / "broken")
    assert gone_on.dev_loss == history.dev_loss
    assert len(gone_on.dev_loss) == 4
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    with pytest.raises(BadInput, match="another recipe"):
        fit(SeriesConvolution(3, 2), made(120, 1), made(40, 2), Recipe(batch=8), tmp_path / "broken")


def test_training_ends_early_with_the_best_epoch_where_nothing_can_be_learned(tmp_path):
    noise = made(60, 5)
    noise["target"] = (torch.rand(60, 3, generator=torch.Generator().manual_seed(9)) < 0.5).float()
    dev = made(60, 6)
    dev["target"] = (torch.rand(60, 3, generator=torch.Generator().manual_seed(8)) < 0.5).float()
    model = SeriesConvolution(3, 2)
    history = fit(model, noise, dev, Recipe(epochs=60, batch=8, rate=2e-2, patience=2), tmp_path)
    assert history.stopped_early
    assert len(history.dev_loss) == history.best_epoch + 2
    assert float(loss_of(model, dev).detach()) == pytest.approx(min(history.dev_loss), abs=1e-5)


def test_two_processes_learn_what_one_does_with_a_batch_twice_as_large(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(ROOT / "tests" / "deep_processes.py"), str(tmp_path / "two"), "20"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    alone = train(tmp_path / "one", 40)
    together, about = checkpoint.read(tmp_path / "two" / LAST)
    assert about["signature"]["processes"] == 2
    best, _ = checkpoint.read(tmp_path / "two" / BEST)
    for name, value in alone.state_dict().items():
        assert torch.allclose(value, best[name], atol=2e-4), name
    assert any(name.startswith("optimiser.") for name in together)


def test_damaged_weights_and_a_missing_gpu_say_what_to_do(tmp_path):
    (tmp_path / LAST).write_bytes(b"not weights")
    with pytest.raises(BadInput, match="no readable weights"):
        fit(SeriesConvolution(3, 2), made(10, 1), made(10, 2), Recipe(), tmp_path)
    with pytest.raises(BadInput, match="holds no trained model"):
        saved.load(tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(BadInput, match="no GPU"):
            fit(SeriesConvolution(3, 2), made(10, 1), made(10, 2), Recipe(device="cuda"), tmp_path / "gpu")


def test_the_search_is_never_worse_than_where_it_began(tmp_path):
    losses = {}

    def dev_loss(recipe: Recipe, folder: Path) -> float:
        losses[recipe] = abs(np.log10(recipe.rate) + 2)
        return losses[recipe]

    base = Recipe(rate=1e-3)
    found = search.search(dev_loss, base, 6, tmp_path)
    assert losses[found] == min(losses.values()) < losses[base]
    assert len(json.loads((tmp_path / "trials.json").read_text())) == 6


# Behaviour -----------------------------------------------------------------------------------
def sessions(rows: int, seed: int, length: int = 10):
    """Customers that buy category 0 and 1 in turn (and 2 always); next is the other one than last."""
    chance = torch.Generator().manual_seed(seed)
    turn = torch.randint(0, 2, (rows, 1), generator=chance)
    bought = (turn + torch.arange(length)) % 2
    cells = torch.stack([1 + bought, torch.full_like(bought, 3)], 2)
    ages = (torch.arange(length).flip(0) * 7 + 1).expand(rows, -1).contiguous()
    after = 1 - bought[:, -1]
    target = torch.stack([after == 0, after == 1, torch.ones_like(after) == 1], 1).float()
    return {"cells": cells, "ages": ages, "target": target}


def test_the_transformer_learns_an_order_that_counts_do_not_tell(tmp_path):
    torch.manual_seed(0)
    model = BehaviourTransformer(3, 1, width=16, layers=1, dropout=0.0)
    fit(model, sessions(300, 1), sessions(60, 2), Recipe(epochs=8, batch=16, rate=5e-3), tmp_path, log=False)
    held = sessions(100, 3)
    assert auc(held["target"][:, :2], logits(model, held)[:, :2]) > 0.97


def test_pretraining_learns_the_next_session_without_labels(tmp_path):
    torch.manual_seed(0)
    model = BehaviourTransformer(3, 1, width=16, layers=1, dropout=0.0)
    rows = {name: value for name, value in sessions(200, 1).items() if name != "target"}
    begun = float(model.pretraining_loss(rows).detach())
    history = fit(
        preference.Pretraining(model), rows, rows, Recipe(epochs=6, batch=16, rate=5e-3), tmp_path, log=False
    )
    assert history.dev_loss[-1] < 0.3 * begun


def test_no_place_of_the_transformer_sees_a_later_one():
    torch.manual_seed(0)
    model = BehaviourTransformer(3, 1, width=16, layers=2).eval()
    rows = sessions(4, 1)
    changed = rows | {"cells": rows["cells"].clone()}
    changed["cells"][:, -1] = 3
    before, now = model._encoded(rows)
    after, then = model._encoded(changed)
    assert torch.allclose(before[:, :-1], after[:, :-1], atol=1e-5)
    assert not torch.allclose(now, then, atol=1e-3)


def test_empty_places_change_nothing():
    torch.manual_seed(0)
    model = BehaviourTransformer(3, 1, width=16, layers=2)
    torch.nn.init.normal_(model.heed.weight)
    rows = sessions(4, 1)
    wider = {
        "cells": torch.cat([torch.zeros(4, 5, 2, dtype=torch.long), rows["cells"]], 1),
        "ages": torch.cat([torch.full((4, 5), -1), rows["ages"]], 1),
    }
    assert torch.allclose(logits(model, rows), logits(model, wider), atol=1e-4)


def test_what_is_copied_is_the_decayed_count_of_each_category():
    model = BehaviourTransformer(3, 2, width=16)
    cells = torch.tensor(
        [[[1, 3], [1, 0], [5, 2]]]
    )  # purchases of 0 and 2; of 0; a cart of 1, a purchase of 1
    ages = torch.tensor([[60, 30, 0]])
    told = model._copied({"cells": cells, "ages": ages}, torch.zeros(1, 3, 16))
    halves = np.array([7.0, 30.0, 90.0, 360.0])

    def decay(age: int) -> np.ndarray:
        return 0.5 ** (age / halves)

    mass = {0: decay(60) + decay(30), 1: decay(0), 2: decay(60)}
    weight = decay(60) + decay(30) + decay(0)
    shown = told[0].detach().numpy().reshape(3, 4, 3)  # category, copy, (purchase, cart, share)
    for category in range(3):
        assert shown[category, :, 0] == pytest.approx(np.log(mass[category] + 0.05), abs=1e-4)
        assert shown[category, :, 2] == pytest.approx(
            np.log((mass[category] + 0.02) / (weight + 1)), abs=1e-4
        )
    assert shown[1, :, 1] == pytest.approx(np.log(decay(0) + 0.05), abs=1e-4)


def test_augmentation_hides_a_part_and_leaves_the_rows_given_alone():
    rows, chance = sessions(200, 1), torch.Generator().manual_seed(0)
    kept = {name: value.clone() for name, value in rows.items()}
    altered = augment.sessions(rows, 1.0, chance)
    assert all(torch.equal(rows[name], kept[name]) for name in rows)
    assert 0.08 < float((altered["ages"] == -1).float().mean()) < 0.2
    assert not (altered["ages"][:, -1] == -1).any()
    assert bool(((altered["cells"] == rows["cells"]) | (altered["cells"] == 0)).all())
    assert torch.equal(augment.sessions(rows, 0.0, chance)["cells"], rows["cells"])


def test_pruning_zeroes_the_share_asked_for_and_the_smallest_first():
    torch.manual_seed(0)
    model = SeriesConvolution(3, 2)
    layers = [
        p
        for n, p in model.named_parameters()
        if n.endswith("weight") and p.dim() > 1 and "category" not in n and "bias" not in n
    ]
    made_of = torch.cat([p.detach().abs().ravel() for p in layers])
    found = compress.pruned(model, 0.5)
    zeros = sum(
        int((part.weight == 0).sum())
        for part in found.modules()
        if isinstance(part, (torch.nn.Linear, torch.nn.Conv1d))
    )
    assert zeros == pytest.approx(0.5 * len(made_of), abs=2)
    assert not any((p == 0).all() for p in layers)  # the model itself is as it was
    with pytest.raises(BadInput, match="pruning"):
        compress.pruned(model, 1.0)


# Text ----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A BERT of two narrow layers with random weights and a word list."""
    transformers = pytest.importorskip("transformers")
    BertConfig, BertModel = transformers.BertConfig, transformers.BertModel

    folder = tmp_path_factory.mktemp("encoder")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"good bad very not it is a was fine poor nice ugly".split(),
    ]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(words), **shape)).save_pretrained(folder)
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def opinions():
    pairs = list(itertools.product(["it is", "it was", "a", "very", "is"], ["", "very "], range(4)))
    good, bad = ("good", "fine", "nice", "nice good"), ("bad", "poor", "ugly", "ugly bad")
    rows = [(f"{a} {b}{words[n]}", y) for a, b, n in pairs for y, words in ((1, good), (0, bad))]
    return wordings.split(
        [t for t, _ in rows], [y for _, y in rows], ["bad", "good"], list(range(len(rows))), "made up"
    )


def test_the_recurrent_reader_learns_and_is_loaded_again(tmp_path, opinions):
    data = reading.rows(opinions, None)
    model = reading.build(2, None, target=data.train["target"])
    reading.train(model, data, Recipe(epochs=10, batch=8, rate=5e-3), tmp_path)
    assert reading.tested(model, data).accuracy > 0.9
    saved.describe(tmp_path, {"name": "gru", "classes": data.classes})
    again, about = saved.load(tmp_path)
    texts = ["very good", "it was ugly"]
    assert np.allclose(reading.read(model, texts, None), reading.read(again, texts, None), atol=1e-6)
    assert about["classes"] == ["bad", "good"]


def test_hashed_words_are_the_same_everywhere_and_chinese_is_read_by_character():
    found = hashed(["Good good", "很好", ""])
    assert found["ids"][0, 0] == found["ids"][0, 1]
    assert found["mask"].sum(1).tolist() == [2, 2, 1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_trains_its_own_part_and_is_loaded_again(tmp_path, tiny, opinions, variant):
    data = reading.rows(opinions, tiny)
    model = reading.build(2, tiny, variant, target=data.train["target"])
    whole = sum(p.numel() for p in model.encoder.parameters())
    before = {
        name: value.clone() for name, value in model.state_dict().items() if name in model.pretrained_names
    }
    recipe = replace(reading.RECIPES[variant], epochs=8, batch=8, rate=1e-3 if variant == "full" else 1e-2)
    history = reading.train(model, data, recipe, tmp_path)
    if variant == "full":
        assert history.trained > whole
    else:
        assert history.trained < 0.6 * whole
        assert before
        assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())
        kept, _ = checkpoint.read(tmp_path / BEST)
        assert sum(value.numel() for value in kept.values()) < 0.7 * whole
    assert history.train_loss[-1] < history.train_loss[0]
    saved.describe(
        tmp_path, {"name": "text", "variant": variant, "encoder": str(tiny), "classes": data.classes}
    )
    again, _ = saved.load(tmp_path)
    texts = ["very good", "it was ugly", "not fine"]
    assert np.allclose(reading.read(model, texts, tiny), reading.read(again, texts, tiny), atol=1e-5)


def test_int8_is_smaller_and_says_nearly_the_same(tmp_path, tiny, opinions):
    data = reading.rows(opinions, tiny)
    model = reading.build(2, tiny, "lora")
    reading.train(model, data, replace(reading.RECIPES["lora"], epochs=3, batch=8), tmp_path)
    texts = opinions.texts[:20]
    whole, merged, small = (
        reading.read(m, texts, tiny) for m in (model, compress.merged(model), compress.int8(model))
    )
    assert np.allclose(whole, merged, atol=1e-5)
    assert np.abs(whole - small).max() < 0.05
    assert compress.size(compress.int8(model)) < 0.8 * compress.size(compress.merged(model))


def test_a_pretrained_encoder_tells_wordings_it_never_saw(tmp_path):
    from customers.deep.extra import encoder_folder

    found = wordings.simulated("inquiries", "en", rows=160, seed=0)
    data = reading.rows(found, encoder_folder())
    model = reading.build(len(found.classes), encoder_folder(), "frozen")
    reading.train(model, data, replace(reading.RECIPES["frozen"], epochs=6, batch=16), tmp_path)
    assert reading.tested(model, data).accuracy > 3 / len(found.classes)


# The command ---------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A simulated shop, read as any other."""
    from customers.simulate.shop import Asked, simulate

    folder = tmp_path_factory.mktemp("simulated") / "files"
    simulate(folder, Asked(customers=80, days=200, format="parquet"))
    where = folder.with_name("shop")
    assert cli.main(["data", str(folder), "--yes", "--shop", str(where)]) == 0
    return where


@pytest.mark.parametrize("name", ["conv", "behaviour"])
def test_the_command_foresees_purchases_beside_the_plain_features(shop, capsys, name):
    assert cli.main(["train", name, "--shop", str(shop), "--epochs", "2", "--json"]) == 0
    told = capsys.readouterr()
    about = json.loads(told.out)
    assert about["test"]["roc_auc"] > 0.6
    assert set(about["plain"]) == set(about["both"]) == set(about["counts"]) == set(about["test"])
    assert "epoch 2 of 2: train loss" in told.err
    model, again = saved.load(shop / "deep" / name)
    assert again["categories"] == about["categories"]
    held = sequences.read_sequences(shop / "store" / "shop.duckdb", about["categories"])
    data = preference.rows(name, held, held.last_day)
    assert preference.probability(model, data.test).shape == (len(data.test_who), len(held.categories))


def test_the_command_reads_reviews_and_searches_recipes(shop, capsys):
    asked = ["train", "gru", "--shop", str(shop), "--epochs", "3", "--trials", "2"]
    assert cli.main(asked) == 0
    told = capsys.readouterr()
    assert "trial 2 of 2" in told.err
    assert "| plain features |" in told.out
    assert "precision" in told.out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["text", "--variant", "bigger"], "no variant"),
        (["text", "--texts", "/no/such.csv"], "cannot be read"),
        (["text", "--encoder", "/no/such"], "config.json"),
        (["conv", "--shop", "/no/such/shop"], "shop"),
        (["gru", "--epochs", "0", "--texts", "reviews"], "epochs is 0"),
    ],
)
def test_a_wrong_command_ends_in_one_line(shop, capsys, asked, said):
    where = [] if "--shop" in asked else ["--shop", str(shop)]
    assert cli.main(["train", *asked, *where]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert said in error[-1]
    assert error[-1].startswith("shopkeeper: ")
