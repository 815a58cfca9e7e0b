"""Choosing the engine, vLLM's command line, its process (with a stand-in), and vLLM itself with a real model.

The last needs vLLM's own environment: `make test-vllm`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent import engine, vllm_server
from agent.endpoint import PLANNER
from agent.engine import VllmAsked, choose, serve
from agent.errors import LLMRejected, LLMUnavailable, ModelFileError
from agent.models import CATALOGUE, ensure_model
from agent.serving import Endpoint, connect, find_running
from agent.vllm_server import VllmOptions, VllmServer, adapter_folder, gpus, hf_folder
from settings import Settings
from tests.fakes import ScriptedServer
from tests.serving_contract import ServingContract, ask, random_adapter

ROOT = Path(__file__).parents[1]
OPTIONS = VllmOptions("owner/model", "name")

# --- which engine -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "cards", "vllm", "engine", "words"),
    [
        ("auto", [], None, "llama", "no NVIDIA GPU"),
        ("auto", [], "/bin/vllm", "llama", "no NVIDIA GPU"),
        ("auto", ["H100", "H100"], "/bin/vllm", "vllm", "2 × H100"),
        ("auto", ["H100"], None, "llama", "vLLM would use the H100"),
        ("llama", ["H100"], "/bin/vllm", "llama", "as asked"),
        ("vllm", [], "/bin/vllm", "vllm", "on the CPU"),
    ],
)
def test_the_engine_suits_the_machine(
    wanted: Any, cards: list[str], vllm: str | None, engine: str, words: str
) -> None:
    chosen, why = choose(wanted, cards, vllm)
    assert chosen == engine
    assert words in why


def test_an_engine_that_is_not_there_is_said() -> None:
    with pytest.raises(LLMUnavailable, match="not installed"):
        choose("vllm", ["H100"], None)


def test_gpus_are_what_the_driver_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus() == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100'\necho 'NVIDIA H100'\n")
    program.chmod(0o755)
    assert gpus() == ["NVIDIA H100", "NVIDIA H100"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    program.write_text("#!/bin/sh\necho 'No devices were found' >&2\nexit 6\n")
    assert gpus() == []


# --- its command line -------------------------------------------------------------------------------------


def after(line: list[str], flag: str) -> str:
    return line[line.index(flag) + 1]


def test_the_command_line_says_what_was_asked() -> None:
    options = replace(
        OPTIONS, tensor_parallel=2, adapters={"shop": "/lora"}, extra=["--max-model-len", "4096"]
    )
    line = options.command("/bin/vllm", 8123)
    assert line[:3] == ["/bin/vllm", "serve", "owner/model"]
    assert after(line, "--served-model-name") == "name"
    assert (after(line, "--host"), after(line, "--port")) == ("127.0.0.1", "8123")
    assert after(line, "--tensor-parallel-size") == "2"
    assert "--enable-prefix-caching" in line
    assert '"backend": "guidance"' in after(line, "--structured-outputs-config")
    assert "--enable-lora" in line
    assert after(line, "--lora-modules") == "shop=/lora"
    assert line[-2:] == ["--max-model-len", "4096"]  # after ours, so it wins
    assert "--enforce-eager" not in line


def test_without_adapters_there_is_no_lora_and_the_cpu_has_its_own_flags() -> None:
    line = replace(OPTIONS, cpu=True).command("vllm", 1)
    assert "--enable-lora" not in line
    assert after(line, "--dtype") == "bfloat16"
    assert "--enforce-eager" in line


def test_the_key_travels_by_environment_only(tmp_path: Path) -> None:
    assert OPTIONS.environment("secret")["VLLM_API_KEY"] == "secret"
    assert "VLLM_TARGET_DEVICE" not in OPTIONS.environment("secret")
    local = replace(OPTIONS, model=str(tmp_path), cpu=True).environment("secret")
    assert (local["HF_HUB_OFFLINE"], local["VLLM_TARGET_DEVICE"]) == ("1", "cpu")
    assert "secret" not in " ".join(OPTIONS.command("vllm", 1))


# --- its process ------------------------------------------------------------------------------------------

STAND_IN = f'''#!{sys.executable}
"""Stands in for `vllm`: takes its arguments, computes in a process of its own, guards /v1 with the key."""
import json, os, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

arguments = sys.argv[1:]
if "--nonsense" in arguments:
    sys.exit("usage: vllm serve\\nvllm: error: unrecognized arguments: --nonsense")
if "--huge" in arguments:
    sys.exit("torch.OutOfMemoryError: CUDA out of memory.")
if "--no-luck" in arguments:
    sys.exit("Traceback")
value = lambda flag: arguments[arguments.index(flag) + 1]
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
print("worker", worker.pid, flush=True)
if "--slow" in arguments:
    worker.wait()

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        allowed = self.headers.get("authorization") == "Bearer " + os.environ["VLLM_API_KEY"]
        body = json.dumps({{"data": [{{"id": value("--served-model-name")}}]}}).encode()
        self.send_response(200 if self.path == "/health" or allowed else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

HTTPServer((value("--host"), int(value("--port"))), Handler).serve_forever()
'''


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return str(program)


def server(stand_in: str, *extra: str) -> VllmServer:
    var = Path(stand_in).parents[1] / "var"
    return VllmServer(replace(OPTIONS, extra=extra), executable=stand_in, var=var)


def worker(server: VllmServer) -> int:
    (found,) = re.findall(r"worker (\d+)", server.log.read_text())
    return int(found)


def gone(pid: int, within_s: float = 15.0) -> bool:
    deadline = time.monotonic() + within_s
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_it_starts_is_found_and_leaves_nothing(stand_in: str) -> None:
    started = server(stand_in).start()
    started.publish()
    settings = replace(Settings(), var=started.state.parent, llm_model="name")
    found = find_running(replace(settings, llm_model="owner/elsewhere"))
    assert found is None
    found = find_running(settings)
    assert found is not None
    assert (found.model, found.llama, found.owned, found.key) == ("name", False, None, started.key)
    assert started.key not in started.log.read_text()
    assert oct(started.state.stat().st_mode & 0o777) == "0o600"
    computing = worker(started)
    assert psutil.pid_exists(computing)
    started.endpoint().close()
    assert gone(computing)
    assert not started.state.exists()
    started.stop()  # twice is safe


@pytest.mark.parametrize(
    ("flag", "error", "words"),
    [
        ("--nonsense", LLMRejected, "unrecognized arguments: --nonsense"),
        ("--huge", LLMUnavailable, "memory"),
        ("--no-luck", LLMUnavailable, r"see .*vllm\.log"),
    ],
)
def test_why_it_did_not_start(stand_in: str, flag: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        server(stand_in, flag).start()
    assert "\n" not in str(caught.value)


def test_one_that_never_gets_ready_is_ended(stand_in: str) -> None:
    slow = server(stand_in, "--slow")
    with pytest.raises(LLMUnavailable, match="not ready within"):
        slow.start(timeout_s=2)
    assert not slow.alive()
    assert gone(worker(slow))


def test_a_taken_port_is_said(stand_in: str) -> None:
    with ScriptedServer([]).running() as other:
        port = int(other.url.split(":")[2].split("/")[0])
        with pytest.raises(LLMUnavailable, match=f"port {port} is taken"):
            VllmServer(OPTIONS, executable=stand_in, var=Path(stand_in).parent, port=port).start()


def test_it_goes_when_its_owner_is_killed(stand_in: str, tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from agent.vllm_server import VllmOptions, VllmServer\n"
        "s = VllmServer(VllmOptions('o/m', 'm'), executable=sys.argv[1], var=pathlib.Path(sys.argv[2]))\n"
        "s.start(); print(s.pid, flush=True); time.sleep(60)\n"
    )
    line = [sys.executable, "-c", code, stand_in, str(tmp_path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner:
        assert owner.stdout is not None
        tether = int(owner.stdout.readline())
        (computing,) = re.findall(r"worker (\d+)", (tmp_path / "log" / "vllm.log").read_text())
        os.kill(owner.pid, signal.SIGKILL)
    assert gone(tether)
    assert gone(int(computing))


def test_it_says_that_it_ended(stand_in: str) -> None:
    started = server(stand_in).start()
    assert started.pid is not None
    (served,) = psutil.Process(started.pid).children()
    served.kill()
    assert re.search(r"vLLM ended \(.*killed.*\); see .*vllm\.log", started.wait())
    assert not started.revive(lambda: None)
    computing = worker(started)
    started.stop()
    assert gone(computing)


# --- shopkeeper llm ---------------------------------------------------------------------------------------


@pytest.fixture
def machine(stand_in: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with one GPU and vLLM."""
    monkeypatch.setattr(engine, "gpus", lambda: ["NVIDIA H100"])
    monkeypatch.setattr(engine, "executable", lambda: stand_in)


def settings(tmp_path: Path, model: str = "owner/model", **more: Any) -> Settings:
    return replace(Settings(), var=tmp_path / "var", cache=tmp_path / "cache", llm_model=model, **more)


@pytest.mark.usefixtures("machine")
def test_a_gpu_gets_vllm_and_others_share_it(tmp_path: Path) -> None:
    said: list[str] = []
    mine = settings(tmp_path)
    endpoint = serve(mine, "auto", VllmAsked(), said.append)
    try:
        assert any("vLLM on 1 × NVIDIA H100" in line for line in said)
        assert (endpoint.model, endpoint.llama) == ("owner/model", False)
        assert connect(mine).base_url == endpoint.base_url
        again = serve(mine, "auto", VllmAsked(), said.append)
        assert (again.base_url, again.owned) == (endpoint.base_url, None)
    finally:
        endpoint.close()


@pytest.mark.usefixtures("machine")
def test_a_folder_is_served_under_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    mine = settings(tmp_path, str(folder))
    endpoint = serve(mine, "auto", VllmAsked(), lambda _: None)
    try:
        assert endpoint.model == "my-model"
        assert find_running(mine) is not None
    finally:
        endpoint.close()


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("model", ["unknown", "a/b/c", "/nowhere/at/all"])
def test_what_vllm_cannot_load_is_named(tmp_path: Path, model: str) -> None:
    with pytest.raises(ModelFileError, match=re.escape(model)):
        serve(settings(tmp_path, model), "vllm", VllmAsked(), lambda _: None)


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    more = VllmAsked(extra=["--max-model-len", "4096"])
    with pytest.raises(LLMRejected, match="only vLLM"):
        serve(settings(tmp_path), "llama", more, lambda _: None)
    given = settings(tmp_path, llm_url="http://127.0.0.1:9/v1")
    with pytest.raises(LLMRejected, match="address"):
        serve(given, "vllm", VllmAsked(), lambda _: None)
    with pytest.raises(LLMUnavailable, match=r"127\.0\.0\.1:9"):
        serve(given, "auto", VllmAsked(), lambda _: None)


def test_a_gguf_file_that_cannot_be_converted_is_said(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ImportError: gguf is required' >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(ModelFileError, match="gguf is required"):
        hf_folder(tmp_path / "some.gguf", str(tmp_path / "vllm"), print)
    assert not (tmp_path / "some-hf").exists()


@pytest.mark.usefixtures("machine")
def test_the_planner_of_a_model_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[VllmOptions] = []
    monkeypatch.setattr(engine, "planner_adapter", lambda _: tmp_path / "planner.gguf")
    monkeypatch.setattr(engine, "adapter_folder", lambda adapter, beside, vllm: tmp_path / "planner")
    monkeypatch.setattr(engine.VllmServer, "start", lambda self: served.append(self.options) or self)
    monkeypatch.setattr(engine.VllmServer, "publish", lambda _: None)
    endpoint = serve(settings(tmp_path), "auto", VllmAsked(adapters={"mine": "/my"}), lambda _: None)
    assert served[0].adapters == {"mine": "/my", PLANNER: str(tmp_path / "planner")}
    assert endpoint.adapter("plan") == {"model": PLANNER}
    assert endpoint.adapter("answer") == {}


# --- vLLM with a real model -------------------------------------------------------------------------------

CACHE = Settings().cache  # read before any test changes the environment
SMALLEST = min(CATALOGUE.values(), key=lambda spec: spec.published.bytes).name


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    program = vllm_server.executable()
    assert program is not None, "vLLM is not installed: run `make test-vllm`"
    folder = hf_folder(ensure_model(SMALLEST, CACHE, quiet=True), program, print)
    var = tmp_path_factory.mktemp("var")
    adapter = adapter_folder(random_adapter(var / "random-planner.gguf"), var, program)
    options = VllmOptions(str(folder), SMALLEST, cpu=not gpus(), adapters={PLANNER: str(adapter)})
    started = VllmServer(options, executable=program, var=var).start()
    yield started
    started.stop()


@pytest.mark.vllm
@pytest.mark.model
@pytest.mark.timeout(900)
class TestVllm(ServingContract):
    """vLLM, held to what every engine must do."""

    @pytest.fixture
    def tuned(self, vllm: VllmServer) -> Endpoint:
        return vllm.endpoint()

    def busy(self, endpoint: Endpoint) -> bool:
        counted = re.findall(r"^vllm:num_requests_running\S* (\S+)$", ask(endpoint, "/metrics").text, re.M)
        assert counted
        return any(float(number) > 0 for number in counted)

    def test_an_unknown_model_is_said(self, endpoint: Endpoint) -> None:
        with pytest.raises(LLMRejected, match="SHOPKEEPER_LLM_MODEL"):
            self.refused(replace(endpoint, model="another"))

    def test_the_key_is_not_shown(self, endpoint: Endpoint, vllm: VllmServer) -> None:
        assert vllm.key not in vllm.log.read_text()
        assert vllm.pid is not None
        processes = [psutil.Process(vllm.pid), *psutil.Process(vllm.pid).children(recursive=True)]
        assert len(processes) > 2  # the tether, the HTTP server, the engine
        assert not [p for p in processes if vllm.key in " ".join(p.cmdline())]

    def test_it_is_used_by_its_address(self, endpoint: Endpoint, tmp_path: Path) -> None:
        given = settings(tmp_path, SMALLEST, llm_url=endpoint.base_url, llm_key=endpoint.key)
        found = connect(given)
        assert (found.model, found.planner) == (SMALLEST, PLANNER)
