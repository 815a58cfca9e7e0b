"""What every model server must do for the agent, whichever engine it is; see test_serving.py, test_vllm.py.

A suite subclasses `ServingContract` and gives the fixture `endpoint`: a server of a real, small model.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

import httpx
import pytest

from agent.errors import Cancelled, LLMRejected, LLMUnavailable, OutputCutOff
from agent.lexicon import Lexicon
from agent.link import Linker
from agent.llm import LLM
from agent.plan import Planner, Subject, bind, follows, grammar
from agent.prompts import default_prompts
from agent.serving import Endpoint
from customers.encoder import MultilingualEncoder
from tests import corner

COUNT = [{"role": "user", "content": "Count from one to one thousand in English words, one word a line."}]
STOPS_WITHIN_S = 20.0


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
    return _planner().messages(subject), grammar(subject, corner.shop()), subject


class ServingContract:
    """Run by each engine's suite."""

    @pytest.fixture
    def endpoint(self) -> Endpoint:
        raise NotImplementedError

    def busy(self, endpoint: Endpoint) -> bool:
        """Whether the server is computing an answer."""
        raise NotImplementedError

    @pytest.fixture
    def llm(self, endpoint: Endpoint) -> Iterator[LLM]:
        client = LLM(endpoint, timeout_s=200)
        yield client
        client.close()

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
        deadline = time.monotonic() + STOPS_WITHIN_S  # the two thousand tokens would take minutes
        while self.busy(endpoint) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not self.busy(endpoint)

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
        listed = ask(endpoint, "/v1/models").json()["data"]
        assert [model["id"] for model in listed] == [endpoint.model]


def ask(endpoint: Endpoint, path: str) -> httpx.Response:
    """GET a path beside the server's /v1."""
    headers = {"Authorization": f"Bearer {endpoint.key}"}
    url = endpoint.base_url.removesuffix("/v1") + path
    return httpx.get(url, headers=headers, trust_env=False).raise_for_status()
