"""Fine-tuning a causal language model with LoRA (Hu et al. 2021) on prompts and the plans that answer them.

The loss is the plan's tokens alone. Needs the extra `deep`; minutes on a GPU, hours on a CPU.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from agent.tuning.dataset import Example

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an adapter is trained. rank: of the LoRA matrices, alpha is twice that. rate: AdamW's highest learning
    rate; it rises over 20 steps and falls along a cosine."""

    rank: int = 8
    epochs: float = 3.0
    rate: float = 6e-4
    batch: int = 32
    dropout: float = 0.05
    modules: tuple[str, ...] = ATTENTION
    seed: int = 0


def prompt(system: str, user: str) -> str:
    """Return a chat prompt in ChatML, the form of the Qwen models."""
    return (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
    )


def fine_tune(folder: Path, system: str, train: Sequence[Example], out: Path, recipe: Recipe) -> None:
    """Train an adapter of the model in `folder` (Hugging Face) and save it to `out` (PEFT)."""
    torch, peft = import_module("torch"), import_module("peft")
    transformers = import_module("transformers")
    torch.manual_seed(recipe.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    # Eager attention: the fused kernel's backward pass gave NaN for padded batches on an H100 (torch 2.11).
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16 if device == "cuda" else torch.float32, attn_implementation="eager"
    ).to(device)
    model.config.use_cache = False
    config = peft.LoraConfig(
        r=recipe.rank, lora_alpha=2 * recipe.rank, lora_dropout=recipe.dropout,
        target_modules=list(recipe.modules), task_type="CAUSAL_LM",
    )  # fmt: skip
    model = peft.get_peft_model(model, config)
    weights = [p for p in model.parameters() if p.requires_grad]
    for weight in weights:
        weight.data = weight.data.float()
    rows = [_tokens(tokenizer, system, example) for example in train]
    optimiser = torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=0.0, betas=(0.9, 0.99))
    steps, begun = math.ceil(recipe.epochs * len(rows) / recipe.batch), time.perf_counter()
    model.train()
    for step, chosen in zip(range(steps), _batches(rows, recipe), strict=False):
        ids, labels, mask = (x.to(device) for x in _padded(torch, [rows[i] for i in chosen]))
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * min(1.0, (step + 1) / 20) * (1 + math.cos(math.pi * step / steps)) / 2
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(weights, 1.0)
        if torch.isfinite(norm):
            optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step % 25 == 0 or step == steps - 1:
            print(
                f"step {step + 1} of {steps}, loss {loss.item():.4f}, {time.perf_counter() - begun:.0f} s",
                flush=True,
            )
    model.save_pretrained(out)


def _tokens(tokenizer: Any, system: str, example: Example) -> tuple[list[int], list[int]]:
    """Token ids of a prompt with its plan, and the labels: the plan's ids, -100 elsewhere."""
    head = tokenizer(prompt(system, example.user), add_special_tokens=False).input_ids
    plan = tokenizer(example.target + "<|im_end|>", add_special_tokens=False).input_ids
    return head + plan, [-100] * len(head) + plan


def _batches(rows: Sequence[tuple[list[int], list[int]]], recipe: Recipe) -> Iterator[list[int]]:
    """Yield batches of row numbers without end; rows of like length stand together."""
    chance, size = random.Random(recipe.seed), recipe.batch
    while True:
        order = list(range(len(rows)))
        chance.shuffle(order)
        pools = [
            sorted(order[i : i + 16 * size], key=lambda n: len(rows[n][0]))
            for i in range(0, len(order), 16 * size)
        ]
        batches = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
        chance.shuffle(batches)
        yield from batches


def _padded(torch: Any, rows: Sequence[tuple[list[int], list[int]]]) -> tuple[Any, Any, Any]:
    """Ids, labels and mask, each (rows, longest)."""
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
    for n, (row, wanted) in enumerate(rows):
        ids[n, : len(row)], labels[n, : len(row)] = torch.tensor(row), torch.tensor(wanted)
        mask[n, : len(row)] = 1
    return ids, labels, mask
