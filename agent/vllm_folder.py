"""A GGUF file as the Hugging Face folder that vLLM reads, made by vLLM's own Python.

Run as a script (`vllm_folder.py GGUF FOLDER`) because torch and transformers live in vLLM's environment and
not in ours; it imports nothing of ours. The weights are the GGUF's, dequantised to bfloat16.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path


def dequantise(gguf: Path, folder: Path) -> None:
    """Write `folder` (config, tokenizer, safetensors) from `gguf`; it appears whole or not at all."""
    torch = import_module("torch")
    transformers = import_module("transformers")
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    model = transformers.AutoModelForCausalLM.from_pretrained(**source, dtype=torch.bfloat16)
    # The weights are plain now; what says otherwise would have vLLM look for quantised ones.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    model.save_pretrained(unfinished)
    transformers.AutoTokenizer.from_pretrained(**source).save_pretrained(unfinished)
    unfinished.rename(folder)


if __name__ == "__main__":
    dequantise(Path(sys.argv[1]), Path(sys.argv[2]))
