"""The examples of the planner's tuning, and the adapter's way from PEFT to llama.cpp and back to vLLM."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.lexicon import Lexicon
from agent.link import Linker
from agent.models import CATALOGUE, check_gguf, planner_adapter
from agent.plan import Planner
from agent.prompts import default_prompts
from agent.subject import PSEUDO
from agent.tuning.dataset import Example, examples
from agent.tuning.export import to_gguf, write_gguf
from customers.encoder import MultilingualEncoder
from tests import corner
from tools import TOOLS


@cache
def _planner() -> Planner:
    return Planner(corner.shop(), MultilingualEncoder(), default_prompts())


def made(*rows: dict[str, object]) -> list[Example]:
    linker = Linker(corner.shop(), Lexicon(corner.shop(), MultilingualEncoder()))
    return examples(rows, corner.shop(), _planner(), linker)


def labelled() -> list[dict[str, Any]]:
    files = sorted(Path(str(resources.files("prompts"))).glob("tuning/*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_question_becomes_the_prompt_that_a_turn_would_put():
    (one,) = made({"q": "What should we offer customer 3?", "calls": [{"tool": "recommend"}]})
    assert one == Example("Q: What should we offer customer 3?\nNames: customer", '["recommend"]')


def test_what_the_linked_question_does_not_allow_is_left_out():
    assert made({"q": "What should we offer?", "calls": [{"tool": "recommend"}]}) == []


def test_the_turn_before_is_told_where_a_question_leans_on_it():
    before = {"q": "Who is customer 3?", "calls": [{"tool": "profile", "about": "everything"}]}
    (one,) = made(
        {"q": "And what does she like?", "before": before, "calls": [{"tool": "profile", "about": "tastes"}]}
    )
    assert one.user.startswith('Before: Who is customer 3? ["profile everything"]\nQ: And what')
    assert "Names: customer" in one.user


def test_a_call_that_takes_what_another_finds_says_so_last():
    row = {"q": "Customer 3's pet category, push it to whom?",
           "calls": [{"tool": "profile", "about": "tastes"}, {"tool": "audience", "from": "found"}]}  # fmt: skip
    assert made(row)[0].target == '["profile tastes","audience found"]'


def test_every_label_is_a_call_that_exists():
    known = {"measure": {"quantity", "by"}, "profile": {"about"}}
    for row in labelled():
        for call in row["calls"]:
            assert call["tool"] in {*TOOLS, *PSEUDO}, row
            options = {name for name in call if name not in ("tool", "category", "from")}
            assert options == known.get(call["tool"], set()), row


def test_no_question_that_is_judged_is_taught():
    judged = set()
    for file in Path(str(resources.files("eval"))).glob("cases/**/*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            judged |= {turn["question"] for turn in case.get("turns", [case])}
    taught = {str(row["q"]) for row in labelled()}
    assert not judged & taught


def test_an_adapter_survives_the_way_to_llama_cpp_and_back(tmp_path: Path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="LEFT OUT: needs the extra deep")
    pytest.importorskip("torch", reason="LEFT OUT: needs the extra deep")
    torch_file = pytest.importorskip("safetensors.torch", reason="LEFT OUT: needs the extra deep")
    from agent.vllm_adapter import convert

    chance, peft = np.random.default_rng(1), tmp_path / "peft"
    peft.mkdir()
    weights = {}
    for side, shape in (("A", (4, 64)), ("B", (96, 4))):
        key = f"base_model.model.model.layers.0.self_attn.q_proj.lora_{side}.weight"
        weights[key] = chance.normal(size=shape).astype(np.float32)
    safetensors.save_file(weights, peft / "adapter_model.safetensors")
    (peft / "adapter_config.json").write_text(json.dumps({"lora_alpha": 8}))
    to_gguf(peft, tmp_path / "a.gguf", "test")
    convert(tmp_path / "a.gguf", tmp_path / "back")
    back = torch_file.load_file(tmp_path / "back" / "adapter_model.safetensors")
    assert json.loads((tmp_path / "back" / "adapter_config.json").read_text())["r"] == 4
    for key, value in weights.items():
        assert np.allclose(back[key].float().numpy(), value, atol=0.05)


def test_the_catalogue_s_planner_is_a_whole_gguf_file():
    for name, spec in CATALOGUE.items():
        if spec.planner:
            adapter = planner_adapter(name)
            assert adapter is not None
            check_gguf(adapter)
    assert planner_adapter("some/other-model") is None


def test_an_adapter_written_here_is_a_gguf_file(tmp_path: Path):
    weights = {"blk.0.attn_q.weight.lora_a": np.ones((2, 32), np.float32),
               "blk.0.attn_q.weight.lora_b": np.ones((32, 2), np.float32)}  # fmt: skip
    write_gguf(tmp_path / "a.gguf", "x", 4.0, weights)
    check_gguf(tmp_path / "a.gguf")
