"""What every model server must do for the agent, whichever engine it is; see test_serving.py, test_vllm.py.

A suite subclasses `ServingContract` and gives the fixture `tuned`: a server of the 0.5B with `random_adapter` as the
planner's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from agent import lines
from agent.binding import bind
from agent.endpoint import PLANNER
from agent.errors import Cancelled, LLMRejected, LLMTimeout, LLMUnavailable, OutputCutOff
from agent.lexicon import Lexicon
from agent.link import Linker
from agent.llm import LLM
from agent.plan import Planner, follows, grammar
from agent.prompts import default_prompts
from agent.serving import Endpoint
from agent.subject import Subject
from agent.tuning.export import write_gguf
from customers.encoder import MultilingualEncoder
from tests import corner

COUNT = [{"role": "user", "content": "Count from one to one thousand in English words, one word a line."}]
STOPS_WITHIN_S = 20.0


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_CUSTOMER = {"anyOf": [{"enum": ["88"]}, _object(**{"from": {"enum": [1]}, "take": {"enum": ["customers"]}})]}
NESTED = _object(
    calls={
        "type": "array",
        "minItems": 1,
        "maxItems": 1,
        "items": {
            "anyOf": [
                _object(
                    tool={"const": "recommend"}, args=_object(customer=_CUSTOMER, count={"enum": [3, 5]})
                ),
                _object(tool={"const": "profile"}, args=_object(customer=_CUSTOMER)),
            ]
        },
    }
)
"""A plan whose argument may be taken from an earlier call: an object chosen among several, twice over."""


def unlike_any(word: str) -> list[dict[str, str]]:
    """A prompt of some three thousand tokens that no server has computed before."""
    numbers = " ".join(f"{word} {n * n % 997}" for n in range(600))
    return [{"role": "user", "content": f"{word} {time.time_ns()}: {numbers}. Repeat all of this."}]


@cache
def _linker() -> Linker:
    return Linker(corner.shop(), Lexicon(corner.shop(), MultilingualEncoder()))


@cache
def _planner() -> Planner:
    return Planner(corner.shop(), MultilingualEncoder(), default_prompts())


def turn(question: str) -> tuple[list[dict[str, str]], dict[str, Any], Subject]:
    """The real prompt, the real grammar and the subject of a question to the corner shop."""
    links = _linker().link(question)
    subject = Subject(links, list(links.customers), list(links.keys("category")))
    planner, schema = _planner(), grammar(subject, corner.shop())
    return planner.messages(subject), schema, subject


def random_adapter(out: Path) -> Path:
    """Write a LoRA adapter of random weights for the 0.5B: whoever is asked through it answers something else."""
    chance = np.random.default_rng(0)
    tensors = {}
    for layer in range(24):
        tensors[f"blk.{layer}.attn_output.weight.lora_a"] = chance.normal(0, 0.3, (4, 896)).astype(np.float32)
        tensors[f"blk.{layer}.attn_output.weight.lora_b"] = chance.normal(0, 0.5, (896, 4)).astype(np.float32)
    write_gguf(out, "random", 8.0, tensors)
    return out


class ServingContract:
    """Run by each engine's suite."""

    @pytest.fixture
    def tuned(self) -> Endpoint:
        raise NotImplementedError

    @pytest.fixture
    def endpoint(self, tuned: Endpoint) -> Endpoint:
        """The server without its planner: every question goes to the model as it is."""
        return replace(tuned, planner="")

    def busy(self, endpoint: Endpoint) -> bool:
        """Whether the server is computing an answer."""
        raise NotImplementedError

    @pytest.fixture
    def llm(self, endpoint: Endpoint) -> Iterator[LLM]:
        client = LLM(endpoint, timeout_s=200)
        yield client
        client.close()

    def test_plans_and_nothing_else_are_asked_of_the_planner(self, tuned: Endpoint, llm: LLM) -> None:
        question = [{"role": "user", "content": "Name three fruits."}]
        plain = llm.text(question, max_tokens=12, slot="plan")[0]
        with closing(LLM(tuned, timeout_s=200)) as planning:
            assert planning.plans_in_lines
            assert planning.text(question, max_tokens=12, slot="plan")[0] != plain
            assert planning.text(question, max_tokens=12, slot="answer")[0] == plain
            choices = ["measure spend month", "recommend found", "chat"]
            found = planning.text(question, schema=lines.schema(choices), max_tokens=60, slot="plan")[0]
            assert lines.read(found, {line: {"tool": line} for line in choices})

    def refused(self, endpoint: Endpoint) -> None:
        """Ask a server that must not answer."""
        with closing(LLM(endpoint, retries=0)) as client:
            client.text(COUNT, max_tokens=2)

    @pytest.mark.parametrize(
        "question",
        ["What should we offer customer 88?", "Why does customer 88 like milk?", "88和99谁花得多？"],
    )
    def test_a_plan_keeps_to_its_turns_grammar(self, llm: LLM, question: str) -> None:
        messages, schema, subject = turn(question)
        plan, usage = llm.plan(messages, schema, max_tokens=300)
        assert follows(plan, schema)
        calls = bind(plan, subject)
        for call in calls:
            assert call.args.get("customer", "88") in ("88", "99")
        assert 0 < usage.completion_tokens < 100  # no tokens spent on spaces

    def test_a_plan_cannot_name_what_its_grammar_lacks(self, llm: LLM) -> None:
        schema = {
            "type": "object",
            "properties": {"customer": {"type": "string", "enum": ["88"]}},
            "required": ["customer"],
            "additionalProperties": False,
        }
        asked = [{"role": "user", "content": 'Reply with {"customer": "123"} exactly.'}]
        assert llm.plan(asked, schema, max_tokens=30)[0] == {"customer": "88"}

    def test_arguments_that_are_objects_of_several_forms_keep_to_them(self, llm: LLM) -> None:
        asked = [{"role": "user", "content": "Call recommend for the customer found by the earlier call 2."}]
        plan, _ = llm.plan(asked, NESTED, max_tokens=80)
        (call,) = plan["calls"]
        assert call["tool"] in ("recommend", "profile")
        assert follows(plan, NESTED)
        assert call["args"]["customer"] in ("88", {"from": 1, "take": "customers"})

    def test_the_beginning_of_a_prompt_is_computed_once(self, llm: LLM) -> None:
        messages, schema, _ = turn("What should we offer customer 88?")
        llm.plan(messages, schema, max_tokens=300)
        messages, schema, _ = turn("Why does customer 99 like wine?")
        _, usage = llm.plan(messages, schema, max_tokens=300)
        assert usage.cached_tokens > usage.prompt_tokens / 2

    def test_the_same_question_gets_the_same_plan(self, llm: LLM) -> None:
        messages, schema, _ = turn("How much milk was sold?")
        first = llm.plan(messages, schema, max_tokens=300)[0]
        assert llm.plan(messages, schema, max_tokens=300)[0] == first

    def test_a_plan_cut_off_is_said_to_be(self, llm: LLM) -> None:
        messages, schema, _ = turn("What should we offer customer 88?")
        with pytest.raises(OutputCutOff):
            llm.plan(messages, schema, max_tokens=2)

    def test_text_arrives_piece_by_piece_and_ends_with_its_cost(self, llm: LLM) -> None:
        stream = llm.stream(COUNT, max_tokens=40)
        pieces = list(stream)
        assert len(pieces) > 5
        assert "".join(pieces) == stream.text
        assert stream.cut_off
        assert 30 <= stream.usage.completion_tokens <= 40
        assert stream.usage.prompt_tokens > 10

    def test_a_withdrawn_question_frees_the_server(self, llm: LLM, endpoint: Endpoint) -> None:
        cancel = threading.Event()
        pieces = iter(llm.stream(COUNT, max_tokens=2000, cancel=cancel))
        assert len(list(islice(pieces, 3))) == 3
        assert self.busy(endpoint)
        cancel.set()
        with pytest.raises(Cancelled):
            list(pieces)
        self.until(lambda: not self.busy(endpoint))  # the two thousand tokens would take minutes

    def test_a_question_withdrawn_before_its_first_word_frees_the_server(
        self, llm: LLM, endpoint: Endpoint
    ) -> None:
        cancel, ended = threading.Event(), threading.Event()
        got: list[object] = []

        def ask_much() -> None:
            try:
                got.append(llm.text(unlike_any("withdrawn"), max_tokens=500, cancel=cancel))
            except Cancelled as error:
                got.append(error)
            ended.set()

        threading.Thread(target=ask_much).start()
        self.until(lambda: self.busy(endpoint))
        cancel.set()
        assert ended.wait(2)  # the asker does not wait for the prompt to be computed
        assert isinstance(got[0], Cancelled)
        self.until(lambda: not self.busy(endpoint))
        assert llm.text(COUNT, max_tokens=2)[0]

    def test_a_slow_answer_is_given_up_once_and_frees_the_server(self, endpoint: Endpoint) -> None:
        with (
            closing(LLM(endpoint, timeout_s=0.2)) as impatient,
            pytest.raises(LLMTimeout, match="too slowly"),
        ):
            impatient.text(unlike_any("slow"), max_tokens=500)
        self.until(lambda: not self.busy(endpoint))

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STOPS_WITHIN_S
        while not true():
            assert time.monotonic() < deadline, "not in time"
            time.sleep(0.02)

    def test_two_questions_at_once_are_both_answered(self, llm: LLM) -> None:
        got: dict[str, str] = {}

        def count(slot: str) -> None:
            got[slot] = llm.text(COUNT, max_tokens=8, slot=slot)[0]

        threads = [threading.Thread(target=count, args=(slot,)) for slot in ("plan", "answer")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(got) == {"plan", "answer"}
        assert all(got.values())

    def test_refusals_are_one_line_of_ours(self, endpoint: Endpoint, llm: LLM) -> None:
        with pytest.raises(LLMRejected, match="context") as too_long:
            llm.text([{"role": "user", "content": "word " * 9000}], max_tokens=2)
        assert "\n" not in str(too_long.value)
        with pytest.raises(LLMRejected, match="SHOPKEEPER_LLM_KEY"):
            self.refused(replace(endpoint, key="wrong"))

    def test_a_wrong_address_is_no_server(self, endpoint: Endpoint) -> None:
        with pytest.raises(LLMUnavailable, match="shopkeeper llm"):
            self.refused(replace(endpoint, base_url="http://127.0.0.1:9/v1"))

    def test_it_listens_on_loopback_and_names_its_model(self, endpoint: Endpoint) -> None:
        assert endpoint.base_url.startswith("http://127.0.0.1:")
        listed = [model["id"] for model in ask(endpoint, "/v1/models").json()["data"]]
        assert listed in ([endpoint.model], [endpoint.model, PLANNER])  # on vLLM an adapter is a model too


def ask(endpoint: Endpoint, path: str) -> httpx.Response:
    """GET a path beside the server's /v1."""
    headers = {"Authorization": f"Bearer {endpoint.key}"}
    url = endpoint.base_url.removesuffix("/v1") + path
    return httpx.get(url, headers=headers, trust_env=False).raise_for_status()
