"""Which model server suits this machine: llama.cpp on a CPU, vLLM where an NVIDIA GPU and vLLM are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent import hub
from agent.endpoint import PLANNER, Endpoint, Progress
from agent.errors import LLMRejected, LLMUnavailable, ModelFileError
from agent.models import CATALOGUE, ensure_model, planner_adapter
from agent.serving import connect, find_running
from agent.vllm_server import (
    MODEL_FILES,
    VllmOptions,
    VllmServer,
    adapter_folder,
    executable,
    gpus,
    hf_folder,
)
from settings import Settings

Engine = Literal["auto", "llama", "vllm"]
INSTALL_VLLM = "install it into an environment of its own, on the PATH or named .venv-vllm"


@dataclass(frozen=True, slots=True)
class VllmAsked:
    """What the user wants of vLLM: GPUs for one model, LoRA folders by name, further `vllm serve` arguments."""

    tensor_parallel: int = 1
    adapters: Mapping[str, str] = field(default_factory=dict)
    extra: Sequence[str] = ()

    def anything(self) -> bool:
        """Whether vLLM was asked for more than its defaults."""
        return self.tensor_parallel != 1 or bool(self.adapters) or bool(self.extra)


def choose(wanted: Engine, cards: Sequence[str], vllm: str | None) -> tuple[Literal["llama", "vllm"], str]:
    """Return the engine and, for people, why. `cards` are the GPUs' names, `vllm` its executable.

    Raises LLMUnavailable when vLLM is wanted and not there.
    """
    if wanted == "vllm" and vllm is None:
        raise LLMUnavailable(f"vLLM is not installed here: {INSTALL_VLLM}, or use --engine llama.")
    if wanted == "llama":
        return "llama", "llama.cpp, as asked"
    if vllm is not None and cards:
        return "vllm", f"vLLM on {len(cards)} × {cards[0]}"
    if wanted == "vllm":
        return "vllm", "vLLM on the CPU, as asked: no NVIDIA GPU is at hand"
    if cards:
        return "llama", f"llama.cpp on the CPU; vLLM would use the {cards[0]}: {INSTALL_VLLM}"
    return "llama", "llama.cpp on the CPU: no NVIDIA GPU is at hand"


def serve(settings: Settings, wanted: Engine, asked: VllmAsked, say: Progress, port: int = 0) -> Endpoint:
    """Return the server given by URL, the one already running, or a new one that other processes may use.

    Raises LLMUnavailable, LLMRejected, ModelFileError, or download.DownloadError.
    """
    if settings.llm_url:
        if wanted != "auto" or asked.anything():
            raise LLMRejected(
                "a server is given by its address (--url or SHOPKEEPER_LLM_URL), so none is started: "
                "leave out the address, or --engine and what is meant for it."
            )
        say(f"Checking the server at {settings.llm_url}")
        return connect(settings, say)
    if (running := find_running(settings)) is not None:
        say("A server with this model is running already; it is left as it is.")
        return running
    vllm = executable()
    cards = gpus()
    engine, why = choose(wanted, cards, vllm)
    if engine == "llama":
        if asked.anything():
            raise LLMRejected(f"only vLLM takes adapters and further arguments, and this is {why}.")
        say(f"Serving with {why}")
        return connect(settings, say, share=True, port=port)
    assert vllm is not None
    say(f"Serving with {why}")
    options = _options(settings, asked, vllm, cpu=not cards, say=say)
    server = VllmServer(options, executable=vllm, var=settings.var, port=port)
    say(f"Starting the language model {options.served_name}; this takes a minute or more ({server.log})")
    server.start().publish()
    return server.endpoint()


def _options(settings: Settings, asked: VllmAsked, vllm: str, *, cpu: bool, say: Progress) -> VllmOptions:
    model, name = _vllm_model(settings, vllm, say)
    given, adapters = settings.llm_model, dict(asked.adapters)
    if (adapter := planner_adapter(given)) and PLANNER not in adapters:
        adapters[PLANNER] = str(adapter_folder(adapter, settings.cache / "models", vllm))
    return VllmOptions(
        model=model,
        served_name=name,
        asked_for=str(Path(given).expanduser().resolve()) if Path(given).exists() else given,
        tensor_parallel=asked.tensor_parallel,
        adapters=adapters,
        extra=asked.extra,
        cpu=cpu,
    )


def _vllm_model(settings: Settings, vllm: str, say: Progress) -> tuple[str, str]:
    """What vLLM is to load, and what callers call it.

    vLLM reads Hugging Face folders, so a GGUF file (a catalogue model is one) is dequantised into one first.
    """
    given = settings.llm_model
    named = hub.parse(given)
    if named and not named.file:
        given = named.repo  # vLLM asks the hub itself
    path = Path(given).expanduser()
    if given in CATALOGUE or path.suffix == ".gguf":
        gguf = ensure_model(given, settings.cache, on_progress=say)
        return str(hf_folder(gguf, vllm, say)), given if given in CATALOGUE else gguf.stem
    if (path / MODEL_FILES).is_file():
        return str(path.resolve()), path.resolve().name
    if path.exists() or given.count("/") != 1:
        raise ModelFileError(
            f"vLLM cannot load {given!r}; give one of {', '.join(CATALOGUE)}, a GGUF file, a Hugging Face folder, "
            "or a model's name on its hub (owner/name)."
        )
    return given, given
