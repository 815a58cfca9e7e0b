"""A PEFT adapter as the GGUF file that llama.cpp's server loads."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from agent.vllm_adapter import MODULES

_PART = {peft: llama for llama, peft in MODULES.items()}
_KEY = re.compile(r"layers\.(\d+)\.(.+)\.lora_([AB])\.weight$")


def to_gguf(folder: Path, out: Path, name: str) -> None:
    """Write `out` from a PEFT folder of a Qwen2 model; matrices whose rows allow it in 8 bits, the others in 16."""
    config = json.loads((folder / "adapter_config.json").read_text())
    tensors = import_module("safetensors.numpy").load_file(folder / "adapter_model.safetensors")
    write_gguf(
        out, name, float(config["lora_alpha"]), {_gguf_name(key): value for key, value in tensors.items()}
    )


def write_gguf(out: Path, name: str, alpha: float, tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    """Write a LoRA adapter for a Qwen2 model. tensors: by llama.cpp's name, `lora_a` (rank, in), `lora_b` (out, rank)."""
    gguf, quants = import_module("gguf"), import_module("gguf.quants")
    eight = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(out, "qwen2")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    writer.add_name(name)
    for key in sorted(tensors):
        value = np.asarray(tensors[key], dtype=np.float32)
        if value.shape[-1] % 32 == 0:
            writer.add_tensor(key, quants.quantize(value, eight), raw_dtype=eight)
        else:
            writer.add_tensor(key, value.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _gguf_name(key: str) -> str:
    found = _KEY.search(key)
    if found is None:
        raise ValueError(f"{key} is no LoRA weight of a layer")
    layer, part, side = found.groups()
    return f"blk.{layer}.{_PART[part]}.weight.lora_{side.lower()}"
