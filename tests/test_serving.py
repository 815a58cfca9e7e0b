"""The model client against a scripted server over real HTTP, model files, and llama.cpp's real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import errors
from agent.circuit import Circuit
from agent.errors import BadOutput, Cancelled, LLMRejected, LLMUnavailable, ModelFileError, OutputCutOff
from agent.events import Usage
from agent.llm import LLM, parse_object
from agent.models import CATALOGUE, answer_form, check_gguf, ensure_model
from agent.serving import Endpoint, LocalServer, connect, find_running
from settings import Settings
from tests.fakes import Fails, Says, ScriptedServer
from tests.serving_contract import ServingContract, ask, random_adapter

ASK = [{"role": "system", "content": "Plan."}, {"role": "user", "content": "Who is 1842?"}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"tool": {"type": "string", "enum": ["profile", "recommend"]}},
    "required": ["tool"],
    "additionalProperties": False,
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer([]).running() as running:
        yield running


def client(server: ScriptedServer, llama: bool = False, **options: Any) -> LLM:
    return LLM(Endpoint(server.url, server.key, "scripted", llama=llama), **options)


# --- the client -------------------------------------------------------------------------------------------


def test_a_plan_is_an_object_with_its_cost(server: ScriptedServer) -> None:
    server.script = [Says('{"tool": "profile"}', prompt_tokens=400, cached_tokens=390)]
    plan, usage = client(server).plan(ASK, SCHEMA, max_tokens=50)
    assert plan == {"tool": "profile"}
    assert usage == Usage(llm_calls=1, prompt_tokens=400, cached_tokens=390, completion_tokens=2)
    asked = server.requests[0]
    assert asked["temperature"] == 0
    assert asked["response_format"]["json_schema"]["schema"] == SCHEMA
    assert asked["response_format"]["json_schema"]["strict"] is True


def test_slots_and_grammars_go_to_our_own_server_only(server: ScriptedServer) -> None:
    server.script = [Says('{"tool":"profile"}'), Says("Hello."), Says('{"tool":"profile"}')]
    client(server, llama=True).plan(ASK, SCHEMA, max_tokens=50)
    client(server, llama=True).text(ASK, max_tokens=50)
    client(server).plan(ASK, SCHEMA, max_tokens=50)
    plan, text, other = server.requests
    assert (plan["id_slot"], text["id_slot"]) == (0, 1)
    assert plan["grammar"].startswith("%llguidance")
    assert '"profile"' in plan["grammar"]
    assert "grammar" not in text
    assert not {"id_slot", "cache_prompt", "grammar"} & set(other)


def test_a_plan_cut_off_at_the_limit_is_told_from_a_wrong_one(server: ScriptedServer) -> None:
    server.script = [Says('{"tool": "pro', finish="length"), Says("no json"), Says("[1]")]
    with pytest.raises(OutputCutOff):
        client(server).plan(ASK, SCHEMA, max_tokens=3)
    for raw in ("no json", "[1]"):
        with pytest.raises(BadOutput) as caught:
            client(server).plan(ASK, SCHEMA, max_tokens=50)
        assert not isinstance(caught.value, OutputCutOff)
        assert caught.value.output == raw
    assert len(server.requests) == 3  # bad output is not tried again


def test_a_text_streams_and_ends_with_its_cost(server: ScriptedServer) -> None:
    gate = threading.Event()
    server.script = [Says("Frozen pizza, 冷冻披萨.", wait=gate)]
    stream = client(server).stream(ASK, max_tokens=50)
    pieces = iter(stream)
    assert next(pieces) == "Frozen "  # before the server has said the rest
    gate.set()
    assert "".join(pieces) == "pizza, 冷冻披萨."
    assert stream.text == "Frozen pizza, 冷冻披萨."
    assert stream.usage.completion_tokens == 3


def test_a_withdrawn_question_stops(server: ScriptedServer) -> None:
    gate, cancel = threading.Event(), threading.Event()
    server.script = [Says("one two three", wait=gate)]
    pieces = iter(client(server).stream(ASK, max_tokens=50, cancel=cancel))
    next(pieces)
    cancel.set()
    gate.set()
    with pytest.raises(Cancelled):
        next(pieces)


def test_a_server_that_stumbles_is_asked_again_but_not_for_ever(server: ScriptedServer) -> None:
    server.script = [Fails(503), Fails(503), Says("Hello.")]
    assert client(server).text(ASK, max_tokens=5)[0] == "Hello."
    server.script = [Fails(503)] * 3
    with pytest.raises(LLMUnavailable, match="503"):
        client(server).text(ASK, max_tokens=5)


@pytest.mark.parametrize(
    ("failure", "error", "words"),
    [
        (Fails(400, "too long (9000 tokens)"), LLMRejected, "too long"),
        (Fails(401), LLMRejected, "SHOPKEEPER_LLM_KEY"),
        (Fails(404), LLMRejected, "SHOPKEEPER_LLM_MODEL"),
        (Fails(500), LLMUnavailable, "500"),
    ],
)
def test_every_refusal_is_one_line_of_ours(
    server: ScriptedServer, failure: Fails, error: type[errors.LLMError], words: str
) -> None:
    server.script = [failure]
    with pytest.raises(error, match=words) as caught:
        client(server, retries=0).text(ASK, max_tokens=5)
    assert "\n" not in str(caught.value)


def test_no_server_and_a_slow_one_are_told_apart(server: ScriptedServer) -> None:
    with pytest.raises(LLMUnavailable, match="no model server answers"):
        LLM(Endpoint(f"http://127.0.0.1:{_free_port()}/v1", "k", "m"), retries=0).text(ASK, max_tokens=5)
    server.script = [Says("one two", wait=threading.Event())]
    with pytest.raises(errors.LLMTimeout):
        client(server, retries=0, timeout_s=0.3).text(ASK, max_tokens=5)


def test_nothing_of_the_environment_leaks_in(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_PROXY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-mine")
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    server.script = [Says("Hello.")]
    assert client(server).text(ASK, max_tokens=5)[0] == "Hello."
    assert "mine" not in json.dumps(server.headers)


@given(st.text())
def test_whatever_a_model_says_is_an_object_or_bad_output(text: str) -> None:
    try:
        plan = parse_object(text)
    except BadOutput as error:
        said = error.output
    else:
        said = text
        assert isinstance(plan, dict)
    assert said == text


class Silent:
    """A server that takes a question and says nothing; `left` is set when the asker hangs up."""

    def __init__(self) -> None:
        self.asked, self.left = threading.Event(), threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self._socket:
            talk, _ = self._socket.accept()
            with talk:
                talk.recv(1 << 16)
                self.asked.set()
                with contextlib.suppress(ConnectionResetError):
                    while talk.recv(1 << 16):
                        pass
                self.left.set()


def test_a_question_withdrawn_before_any_answer_hangs_up() -> None:
    silent, cancel = Silent(), threading.Event()
    threading.Thread(target=lambda: silent.asked.wait(10) and cancel.set()).start()
    with pytest.raises(Cancelled):
        LLM(Endpoint(silent.url, "k", "m")).text(ASK, max_tokens=5, cancel=cancel)
    assert silent.left.wait(5)


def test_an_async_question_that_is_cancelled_hangs_up() -> None:
    silent = Silent()

    async def leave() -> None:
        task = asyncio.create_task(LLM(Endpoint(silent.url, "k", "m")).atext(ASK, max_tokens=5))
        assert await asyncio.to_thread(silent.asked.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert silent.left.wait(5)


def test_an_answer_that_is_not_read_to_its_end_hangs_up(server: ScriptedServer) -> None:
    gate = threading.Event()
    server.script = [Says("one two three", wait=gate), Says("Hello.")]
    llm = client(server)
    pieces = iter(llm.stream(ASK, max_tokens=5))
    next(pieces)
    pieces.close()
    assert llm.text(ASK, max_tokens=5)[0] == "Hello."
    gate.set()


def test_a_slow_answer_is_not_asked_for_again(server: ScriptedServer) -> None:
    server.script = [Says("one two", wait=threading.Event())]
    with pytest.raises(errors.LLMTimeout):
        client(server, timeout_s=0.3).text(ASK, max_tokens=5)
    assert len(server.requests) == 1


def test_a_server_found_down_is_left_alone_until_a_probe_finds_it(server: ScriptedServer) -> None:
    up = threading.Event()
    probes: list[float] = []

    def probe() -> bool:
        probes.append(time.monotonic())
        return up.is_set()

    circuit = Circuit(probe, rest_s=0.2)
    circuit.enter()
    circuit.open(LLMUnavailable("down."))
    for _ in range(50):
        with pytest.raises(LLMUnavailable, match="down"):
            circuit.enter()
    assert not probes
    time.sleep(0.25)
    refused: list[int] = []

    def call(number: int) -> None:
        try:
            circuit.enter()
        except LLMUnavailable:
            refused.append(number)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(probes) == 1  # one call for all of them
    assert len(refused) == 20
    up.set()
    time.sleep(0.25)
    circuit.enter()
    circuit.enter()
    assert len(probes) == 2


def test_after_a_failure_the_server_is_not_asked_but_found_again_later(server: ScriptedServer) -> None:
    server.script = [Fails(503), Says("Hello.")]
    llm = client(server, retries=0, rest_s=0.3)
    for _ in range(3):
        with pytest.raises(LLMUnavailable, match="503"):
            llm.text(ASK, max_tokens=5)
    assert len(server.requests) == 1
    time.sleep(0.35)
    assert llm.text(ASK, max_tokens=5)[0] == "Hello."


def test_a_request_that_is_refused_does_not_close_the_way_for_others(server: ScriptedServer) -> None:
    server.script = [Fails(400), Fails(500), Says("Hello.")]
    llm = client(server, retries=0)
    for error in (LLMRejected, LLMUnavailable):
        with pytest.raises(error):
            llm.text(ASK, max_tokens=5)
    assert llm.text(ASK, max_tokens=5)[0] == "Hello."


def test_a_shared_server_that_was_started_anew_is_followed(server: ScriptedServer) -> None:
    server.script = [Says("Hello.")]
    here = Endpoint(server.url, server.key, "scripted")
    gone = Endpoint(f"http://127.0.0.1:{_free_port()}/v1", "old", "scripted", moved=lambda: here)
    llm = LLM(gone)
    assert llm.text(ASK, max_tokens=5)[0] == "Hello."
    assert llm.endpoint.base_url == server.url


# --- where the model answers ------------------------------------------------------------------------------


def settings(tmp_path: Path, **changes: Any) -> Settings:
    return replace(Settings(), var=tmp_path / "var", cache=tmp_path / "cache", **changes)


def test_a_given_server_is_used_with_its_only_model(server: ScriptedServer, tmp_path: Path) -> None:
    endpoint = connect(settings(tmp_path, llm_url=server.url, llm_key=server.key))
    assert (endpoint.model, endpoint.llama, endpoint.owned) == ("scripted", False, None)
    assert endpoint.warm({"plan": ASK[:1]}) == {}
    assert server.key not in repr(endpoint)
    endpoint.close()


def test_a_given_server_that_cannot_serve_is_refused(server: ScriptedServer, tmp_path: Path) -> None:
    with pytest.raises(LLMRejected, match="SHOPKEEPER_LLM_KEY"):
        connect(settings(tmp_path, llm_url=server.url, llm_key="wrong"))
    with pytest.raises(LLMRejected, match="scripted"):
        connect(settings(tmp_path, llm_url=server.url, llm_key=server.key, llm_model="other"))
    with pytest.raises(LLMUnavailable, match="SHOPKEEPER_LLM_URL"):
        connect(settings(tmp_path, llm_url=f"http://127.0.0.1:{_free_port()}/v1"))
    with pytest.raises(LLMUnavailable):
        connect(settings(tmp_path, llm_url="not an address"))


def test_a_shared_server_is_found_and_a_stale_record_is_not(server: ScriptedServer, tmp_path: Path) -> None:
    model = tmp_path / "tiny.gguf"
    model.write_bytes(gguf())
    mine = settings(tmp_path, llm_model=str(model))
    mine.var.mkdir()
    shared = LocalServer(model, name="tiny", var=mine.var, threads=1)
    shared.url, shared.key = server.url.removesuffix("/v1"), server.key
    shared.publish()
    assert stat.S_IMODE((mine.var / "llm.json").stat().st_mode) == 0o600
    found = find_running(mine)
    assert found is not None
    assert (found.base_url, found.key, found.owned) == (server.url, server.key, None)
    assert find_running(replace(mine, llm_model="qwen2.5-coder-1.5b")) is None  # another model
    shared.url = f"http://127.0.0.1:{_free_port()}"
    shared.publish()
    assert find_running(mine) is None  # nobody listens
    (mine.var / "llm.json").write_text("{ half")
    assert find_running(mine) is None


# --- model files ------------------------------------------------------------------------------------------


def gguf() -> bytes:
    """A GGUF file of one text, one array of numbers, and one tensor of four 32-bit floats."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    name = text("general.name") + struct.pack("<I", 8) + text("tiny")
    array = text("numbers") + struct.pack("<IIQ", 9, 4, 2) + struct.pack("<II", 1, 2)
    tensor = text("t") + struct.pack("<IQIQ", 1, 4, 0, 0)
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + name + array + tensor + b"\0" * 16


def test_a_good_file_of_ones_own_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(gguf())
    assert ensure_model(str(path), tmp_path / "cache") == path


@given(st.integers(0, len(gguf()) - 16))
def test_every_shortened_file_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("gguf") / "cut.gguf"
    path.write_bytes(gguf()[:length])
    with pytest.raises(ModelFileError):
        check_gguf(path)


def test_a_model_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("hello, I am not a model")
    with pytest.raises(ModelFileError, match="not a GGUF"):
        ensure_model(str(tmp_path / "text.gguf"), tmp_path)
    with pytest.raises(ModelFileError, match="no model file"):
        ensure_model(str(tmp_path / "absent.gguf"), tmp_path)
    with pytest.raises(ModelFileError, match=r"qwen2\.5-coder-1\.5b"):
        ensure_model("gpt-9", tmp_path)
    with pytest.raises(ModelFileError, match="cannot read"):
        ensure_model(str(tmp_path), tmp_path)


def test_the_catalogue_adds_up() -> None:
    assert [len(spec.packages) for spec in CATALOGUE.values()] == [22, 6]
    assert answer_form("a stranger") == "clauses"


def test_a_file_that_llama_cpp_cannot_load_leaves_nothing_running(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf())
    server = LocalServer(path, name="tiny", var=tmp_path, threads=1)
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        server.start()
    assert not server.alive()
    assert not (tmp_path / "llm.json").exists()


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LLMUnavailable, match=f"port {port} is taken"):
            LocalServer(path, name="tiny", var=tmp_path, threads=1, port=port).start()


# --- llama.cpp's server with a real model -----------------------------------------------------------------


@pytest.fixture(scope="module")
def real(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    var = tmp_path_factory.mktemp("var")
    adapter = random_adapter(var / "random-planner.gguf")
    started = LocalServer(model_file, name="real", var=var, threads=2, planner=adapter).start()
    yield started
    started.stop()


@pytest.mark.model
@pytest.mark.slow
def test_a_real_model_keeps_to_the_schema_and_its_prefix(real: LocalServer) -> None:
    endpoint = replace(real.endpoint(), planner="")
    endpoint.warm({"plan": ASK[:1]})
    assert len(list(real.prefixes.glob("plan-*.kv"))) == 1
    llm = LLM(endpoint)
    llm.text([{"role": "user", "content": "Something else entirely."}], max_tokens=2, slot="plan")
    endpoint.warm({"plan": ASK[:1]})  # read back from the disk
    plan, usage = llm.plan(ASK, SCHEMA, max_tokens=30)
    assert plan["tool"] in ("profile", "recommend")
    assert usage.cached_tokens > 3
    assert usage.completion_tokens < 15  # no tokens spent on spaces


@pytest.mark.model
@pytest.mark.slow
def test_the_key_of_the_real_server_is_not_shown(real: LocalServer) -> None:
    assert real.key not in real.log.read_text()
    assert real.pid is not None
    assert real.key not in " ".join(psutil.Process(real.pid).cmdline())


@pytest.mark.model
@pytest.mark.slow
class TestLlamaCpp(ServingContract):
    """llama.cpp's server, held to what every engine must do."""

    @pytest.fixture
    def tuned(self, real: LocalServer) -> Endpoint:
        return real.endpoint()

    def busy(self, endpoint: Endpoint) -> bool:
        return any(slot["is_processing"] for slot in ask(endpoint, "/slots").json())


@pytest.mark.model
@pytest.mark.slow
def test_the_server_goes_when_its_owner_is_killed(model_file: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from agent.serving import LocalServer\n"
        "s = LocalServer(pathlib.Path(sys.argv[1]), name='m', var=pathlib.Path(sys.argv[2]), threads=1)\n"
        "s.start(); s.publish(); print(s.pid, flush=True); time.sleep(60)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(model_file), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    with owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not psutil.pid_exists(child)


@pytest.mark.model
@pytest.mark.slow
def test_a_server_of_ours_that_died_is_started_again_once(model_file: Path, tmp_path: Path) -> None:
    started = LocalServer(model_file, name="real", var=tmp_path, threads=2).start()
    started.publish()
    try:
        endpoint, said = started.endpoint(), []
        endpoint.warm({"plan": ASK[:1]})
        llm = LLM(endpoint)
        kill(started)
        assert llm.text(ASK, max_tokens=2, on_progress=said.append)[0]
        assert [set(text) for text in said] == [{"en", "zh"}]
        assert started.endpoint().base_url == endpoint.base_url
        assert (tmp_path / "llm.json").exists()
        _, usage = llm.plan(ASK, SCHEMA, max_tokens=30)
        assert usage.cached_tokens > 3  # the prompt's beginning is back
        kill(started)
        with pytest.raises(LLMUnavailable, match="killed"):
            llm.text(ASK, max_tokens=2)
    finally:
        started.stop()
    assert not (tmp_path / "llm.json").exists()
    with pytest.raises(LLMUnavailable):
        llm.text(ASK, max_tokens=2)  # stopped on purpose, it stays so
    assert not started.alive()


def kill(server: LocalServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    while server.alive():
        time.sleep(0.01)


@pytest.mark.model
@pytest.mark.slow
def test_shopkeeper_llm_ends_with_its_server(model_file: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "llm", "--engine", "llama", "--model", str(model_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "SHOPKEEPER_VAR": str(tmp_path)},
    ) as command:
        assert command.stdout is not None
        assert "answers at" in command.stdout.readline()
        (server,) = psutil.Process(command.pid).children()
        server.kill()
        _, said = command.communicate(timeout=30)
    assert command.returncode == 1
    assert "killed" in said.splitlines()[-1]
    assert not (tmp_path / "llm.json").exists()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
