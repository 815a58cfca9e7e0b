"""vLLM as the model server: its command line, and its process from start to stop.

vLLM lives in an environment of its own (it pins torch and transformers), so it is run, never imported.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from agent import state
from agent.endpoint import PLANNER, Endpoint, Message, Progress, ending, require_free
from agent.errors import LLMError, LLMRejected, LLMUnavailable, ModelFileError

CONTEXT = 8192
START_TIMEOUT_S = 900.0
MODEL_FILES = "config.json"
# The engine that llama.cpp's server uses too, so a plan's grammar means the same on both. A model that may
# indent its JSON spends two fifths of its tokens on spaces.
STRUCTURED_OUTPUTS = {"backend": "guidance", "disable_any_whitespace": True}
# The CPU build, which stands in for the GPU's: same engine, same HTTP server.
CPU_ENVIRONMENT = {"VLLM_TARGET_DEVICE": "cpu", "VLLM_CPU_KVCACHE_SPACE": "2"}
CPU_FLAGS = ("--dtype", "bfloat16", "--enforce-eager")


@dataclass(frozen=True, slots=True)
class VllmOptions:
    """What vLLM is asked to serve.

    model: a Hugging Face folder, or a model's name on the hub. served_name: what callers call it.
    tensor_parallel: GPUs that share the weights. adapters: LoRA folders by the name callers use for them.
    extra: further `vllm serve` arguments, which win over ours. cpu: the CPU build. asked_for: the model as
    the user named it, where that is not `model`.
    """

    model: str
    served_name: str
    asked_for: str = ""
    tensor_parallel: int = 1
    adapters: Mapping[str, str] = field(default_factory=dict)
    extra: Sequence[str] = ()
    cpu: bool = False

    def command(self, executable: str, port: int) -> list[str]:
        """Return the `vllm serve` command line; the key is not on it, where any user could read it."""
        line = [executable, "serve", self.model, "--served-model-name", self.served_name]
        line += ["--host", "127.0.0.1", "--port", str(port)]
        line += ["--tensor-parallel-size", str(self.tensor_parallel)]
        line += ["--max-model-len", str(CONTEXT)]
        line += ["--enable-prefix-caching", "--enable-prompt-tokens-details"]
        line += ["--structured-outputs-config", json.dumps(STRUCTURED_OUTPUTS)]
        line += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
        if self.adapters:
            modules = [f"{name}={path}" for name, path in self.adapters.items()]
            line += ["--enable-lora", "--lora-modules", *modules]
        return [*line, *(CPU_FLAGS if self.cpu else ()), *self.extra]

    def environment(self, key: str) -> dict[str, str]:
        """Return the variables of vLLM's process: the caller's own, the key, and what its device needs."""
        ours = {"VLLM_API_KEY": key, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        if Path(self.model).is_dir():
            ours["HF_HUB_OFFLINE"] = "1"
        return {**os.environ, **(CPU_ENVIRONMENT if self.cpu else {}), **ours}


class VllmServer:
    """`vllm serve` in processes of its own, on loopback, with a random key.

    It ends with `stop`, with this process, and with this process's death of any kind.
    """

    def __init__(self, options: VllmOptions, *, executable: str, var: Path, port: int = 0) -> None:
        self.options, self.executable = options, executable
        self.port = port or _free_port()
        self.key = secrets.token_urlsafe(24)
        self.log = var / "log" / "vllm.log"
        self.state = var / "llm.json"
        self.url = f"http://127.0.0.1:{self.port}"
        self.held: dict[str, Sequence[Message]] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> VllmServer:
        """Start vLLM and wait until it is healthy. Raises LLMError or ModelFileError; nothing is left then."""
        require_free(self.port)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = self.options.command(self.executable, self.port)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("tether.py")), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self.options.environment(self.key),
                start_new_session=True,  # Ctrl-C reaches us first, and we end it in order
            )
        atexit.register(self.stop)
        try:
            self._wait(timeout_s)
        except BaseException:
            self.stop()
            raise
        return self

    def _wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        with httpx.Client(trust_env=False, timeout=2) as client:
            while time.monotonic() < deadline:
                if not self.alive():
                    raise self._failure()
                with contextlib.suppress(httpx.HTTPError):
                    if client.get(f"{self.url}/health").is_success:
                        return
                time.sleep(0.2)
        raise LLMUnavailable(f"vLLM was not ready within {timeout_s:.0f} s; see {self.log}.")

    def _failure(self) -> LLMError | ModelFileError:
        tail = self.log.read_text(errors="replace")[-20_000:]
        if "unrecognized arguments" in tail or "error: argument" in tail:
            said = next(line for line in reversed(tail.splitlines()) if "error:" in line)
            return LLMRejected(f"vLLM does not take its arguments: {said.split('error:')[-1].strip()}")
        if "out of memory" in tail.lower() or "gpu_memory_utilization" in tail.lower():
            return LLMUnavailable(
                f"the model {self.options.served_name} does not fit the device's memory; use a smaller one, "
                f"more GPUs (--tensor-parallel), or a shorter --max-model-len. Details: {self.log}"
            )
        if "is not a valid model identifier" in tail or "Repository Not Found" in tail:
            return ModelFileError(
                f"vLLM finds no model {self.options.model}; give a Hugging Face folder or name."
            )
        return LLMUnavailable(f"vLLM did not start; see {self.log}.")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> str:
        """Return, when it has ended by itself, one line that says so and why as far as is known."""
        process = self._process
        return f"vLLM ended ({ending(process.wait() if process else None)}); see {self.log}."

    def revive(self, on_start: Callable[[], None]) -> bool:
        """Return False: a start takes minutes, so it is not made in the middle of a question."""
        return False

    def endpoint(self) -> Endpoint:
        return Endpoint(
            f"{self.url}/v1", self.key, self.options.served_name, owned=self, planner=self._planner
        )

    @property
    def _planner(self) -> str:
        return PLANNER if PLANNER in self.options.adapters else ""

    def publish(self) -> None:
        """Let other processes of this user find the server (`var`/llm.json, readable by the owner only)."""
        record = {"pid": os.getpid(), "url": self.url, "key": self.key, "model": self.options.served_name}
        state.publish(
            self.state,
            record
            | {"file": self.options.asked_for, "print": "", "engine": "vllm", "planner": self._planner},
        )

    def stop(self) -> None:
        """End vLLM's processes and take back what `publish` wrote. Safe to call twice."""
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is None:
            return
        state.withdraw(self.state, self.key)
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()  # the tether ends the group at the end of its input
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def gpus() -> list[str]:
    """Return the names of the NVIDIA GPUs that this process may use; none without a driver."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return []
    try:
        asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def executable() -> str | None:
    """Return where `vllm` is: on the PATH, beside our Python, or in `.venv-vllm`; None where it is not."""
    beside = [str(Path(sys.executable).parent), str(Path(sys.prefix).parent / ".venv-vllm" / "bin")]
    return shutil.which("vllm") or shutil.which("vllm", path=os.pathsep.join(beside))


def hf_folder(gguf: Path, vllm: str, say: Progress) -> Path:
    """Return the GGUF file's Hugging Face folder, made once beside it by vLLM's own Python.

    Raises ModelFileError.
    """
    folder = gguf.with_name(f"{gguf.stem}-hf")
    if not (folder / MODEL_FILES).is_file():
        say("Making the model readable for vLLM, once; this takes a minute or more")
        _convert("vllm_folder.py", gguf, folder, vllm)
    return folder


def adapter_folder(adapter: Path, beside: Path, vllm: str) -> Path:
    """Return the PEFT folder of a LoRA adapter in GGUF, made once in `beside` by vLLM's own Python.

    Raises ModelFileError.
    """
    folder = beside / f"{adapter.stem}-{hashlib.sha256(adapter.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        _convert("vllm_adapter.py", adapter, folder, vllm)
    return folder


def _convert(script: str, source: Path, folder: Path, vllm: str) -> None:
    python = Path(vllm).with_name("python")
    line = [
        str(python),
        "-P",
        str(Path(__file__).with_name(script)),
        str(source.resolve()),
        str(folder.resolve()),
    ]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(line, capture_output=True, text=True, env=offline, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelFileError(
            f"{source} cannot be made readable for vLLM ({last}); install gguf and accelerate beside vLLM, "
            "or give a Hugging Face folder or name with --model."
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
