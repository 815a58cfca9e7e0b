"""A LoRA adapter in GGUF as the PEFT folder that vLLM reads, made by vLLM's own Python.

Run as a script (`vllm_adapter.py ADAPTER.gguf FOLDER`) because torch and gguf live in vLLM's environment and not in
ours; it imports nothing of ours. The tensors' names are llama.cpp's for the Qwen2 and Llama families.
"""

from __future__ import annotations

import json
import os
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

MODULES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
            "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
            "ffn_down": "mlp.down_proj"}  # fmt: skip
_NAME = re.compile(r"blk\.(\d+)\.(\w+)\.weight\.lora_([ab])")


def convert(adapter: Path, folder: Path) -> None:
    """Write `folder` (adapter_config.json, adapter_model.safetensors); it appears whole or not at all."""
    gguf, torch = import_module("gguf"), import_module("torch")
    dequantize = import_module("gguf.quants").dequantize
    reader = gguf.GGUFReader(adapter)
    tensors: dict[str, Any] = {}
    modules, rank = set(), 0
    for tensor in reader.tensors:
        found = _NAME.fullmatch(tensor.name)
        if found is None:
            raise ValueError(f"{adapter}: {tensor.name} is no LoRA weight of a layer")
        layer, part, side = found.groups()
        modules.add(MODULES[part].rpartition(".")[2])
        weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).to(torch.bfloat16)
        rank = weight.shape[0] if side == "a" else rank
        key = f"base_model.model.model.layers.{layer}.{MODULES[part]}.lora_{side.upper()}.weight"
        tensors[key] = weight.contiguous()
    alpha = float(reader.fields["adapter.lora.alpha"].parts[-1][0])
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": alpha, "bias": "none",
              "target_modules": sorted(modules), "base_model_name_or_path": ""}  # fmt: skip
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    import_module("safetensors.torch").save_file(tensors, unfinished / "adapter_model.safetensors")
    (unfinished / "adapter_config.json").write_text(json.dumps(config, indent=1))
    unfinished.rename(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
