"""Models of text: a recurrent reader of reviews, and a pretrained encoder with a task head."""
# pyright: reportMissingImports=false

from __future__ import annotations

import re
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from customers.errors import BadInput

Batch = dict[str, torch.Tensor]
Variant = Literal["full", "frozen", "lora", "adalora", "ia3", "adapter", "prefix"]
VARIANTS: tuple[Variant, ...] = ("full", "frozen", "lora", "adalora", "ia3", "adapter", "prefix")
BUCKETS = 8192
_WORDS = re.compile(r"[㐀-鿿]|[a-z0-9']+|[!?！？]")
_PREFIX = 16
_RANK = 8


def hashed(texts: Sequence[str], longest: int = 64) -> Batch:
    """English words and Chinese characters as numbers of 8,192 buckets (0 none): "ids" and "mask", both
    (len(texts), longest)."""
    ids = torch.zeros(len(texts), longest, dtype=torch.long)
    for row, text in enumerate(texts):
        words = _WORDS.findall(text.lower())[:longest] or ["?"]
        ids[row, : len(words)] = torch.tensor([1 + zlib.crc32(w.encode()) % (BUCKETS - 1) for w in words])
    return {"ids": ids, "mask": (ids > 0).long()}


def tokenised(folder: Path, texts: Sequence[str], longest: int = 64) -> Batch:
    """Tokens of a pretrained encoder: "ids" and "mask", both (len(texts), at most longest)."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    made = tokenizer(list(texts), truncation=True, max_length=longest, padding="longest", return_tensors="pt")
    return {"ids": made["input_ids"], "mask": made["attention_mask"]}


class ReviewReader(nn.Module):
    """A GRU in both directions (Cho et al. 2014) over hashed words, max pooling over the places, a linear head."""

    def __init__(
        self, classes: int, width: int = 64, dropout: float = 0.3, class_weights: Any = None
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(BUCKETS, width, padding_idx=0)
        self.reader = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width, classes)
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, batch: Batch) -> torch.Tensor:
        shown = _trimmed(batch)
        states, _ = self.reader(self.dropout(self.words(shown["ids"] * shown["mask"])))
        states = states.masked_fill(shown["mask"][..., None] == 0, -1e4)
        return self.head(self.dropout(states.amax(1)))


class TextClassifier(nn.Module):
    """A pretrained encoder, the mean of its states, and a linear head; what is trained of the encoder is the
    `variant`: "full" everything, "frozen" nothing, "lora", "adalora" and "ia3" what PEFT puts beside its matrices
    (Hu et al. 2021; Zhang et al. 2023; Liu et al. 2022), "adapter" a bottleneck after each layer's two blocks
    (Houlsby et al. 2019), "prefix" vectors put before the text (Lester et al. 2021).
    """

    def __init__(
        self,
        folder: Path,
        classes: int,
        variant: Variant = "full",
        dropout: float = 0.1,
        class_weights: Any = None,
    ) -> None:
        super().__init__()
        from transformers import AutoModel
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        if variant not in VARIANTS:
            raise BadInput(f"{variant!r} is no variant; use {', '.join(VARIANTS)}")
        encoder = AutoModel.from_pretrained(str(folder), dtype=torch.float32, attn_implementation="eager")
        self.variant = variant
        width = encoder.config.hidden_size
        self.prefix = nn.Parameter(0.02 * torch.randn(_PREFIX, width)) if variant == "prefix" else None
        if variant != "full":
            encoder.requires_grad_(False)
        before = {id(p) for p in encoder.parameters()}
        self.encoder = _with_adapters(encoder) if variant == "adapter" else _with_peft(encoder, variant)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)
        self.register_buffer("class_weights", class_weights, persistent=False)
        frozen = {name for name, p in self.named_parameters() if id(p) in before and not p.requires_grad}
        buffers = {name for name, _ in encoder.named_buffers()}
        self.pretrained_names = frozenset(
            frozen | {n for n in self.state_dict() if n.split(".")[-1] in buffers}
        )

    def forward(self, batch: Batch) -> torch.Tensor:
        shown = _trimmed(batch)
        ids, mask = shown["ids"], shown["mask"]
        if self.prefix is None:
            states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        else:
            words = self.encoder.get_input_embeddings()(ids)
            ahead = self.prefix.to(words.dtype).expand(len(ids), -1, -1)
            mask = torch.cat([mask.new_ones(len(ids), _PREFIX), mask], 1)
            states = self.encoder(
                inputs_embeds=torch.cat([ahead, words], 1), attention_mask=mask
            ).last_hidden_state
        share = mask[..., None].to(states.dtype)
        return self.head(self.dropout((states * share).sum(1) / share.sum(1).clamp(min=1)))

    def after_step(self, step: int, steps: int) -> None:
        """AdaLoRA takes rank from matrices that need it less."""
        if self.variant == "adalora":
            tuner = self.encoder.base_model
            tuner.peft_config["default"].total_step = max(steps, 1)
            tuner.peft_config["default"].tinit, tuner.peft_config["default"].tfinal = steps // 10, steps // 3
            tuner.rankallocator.peft_config = tuner.peft_config["default"]
            tuner.update_and_allocate(step)


class Adapter(nn.Module):
    """A block of the encoder followed by x + up(gelu(down(x))), which begins as x."""

    def __init__(self, block: nn.Module, width: int, bottleneck: int = 32) -> None:
        super().__init__()
        self.block, self.down, self.up = block, nn.Linear(width, bottleneck), nn.Linear(bottleneck, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        x = self.block(*args, **kwargs)
        return x + self.up(nn.functional.gelu(self.down(x)))


def _with_adapters(encoder: nn.Module) -> nn.Module:
    """Put an adapter behind the attention's and the layer's output of each layer (BERT's names)."""
    width = encoder.config.hidden_size
    for layer in getattr(getattr(encoder, "encoder", None), "layer", None) or ():
        layer.attention.output.dense = Adapter(layer.attention.output.dense, width)
        layer.output.dense = Adapter(layer.output.dense, width)
    if not any(isinstance(part, Adapter) for part in encoder.modules()):
        raise BadInput("adapters are made for encoders of BERT's kind; use --variant lora for this one")
    return encoder


def _with_peft(encoder: nn.Module, variant: Variant) -> Any:
    if variant not in ("lora", "adalora", "ia3"):
        return encoder
    import peft

    attention = ["query", "key", "value"]
    if variant == "ia3":
        config: Any = peft.IA3Config(
            target_modules=["key", "value", "output.dense"], feedforward_modules=["output.dense"]
        )
    elif variant == "lora":
        config = peft.LoraConfig(r=_RANK, lora_alpha=2 * _RANK, lora_dropout=0.05, target_modules=attention)
    else:
        config = peft.AdaLoraConfig(
            init_r=12, target_r=_RANK, lora_alpha=2 * _RANK, total_step=1000, tinit=0, tfinal=0, deltaT=5,
            target_modules=attention,
        )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.get_peft_model(encoder, config)


def _trimmed(batch: Batch) -> Batch:
    """Without the columns that no text of the batch reaches."""
    used = batch["mask"].any(0).nonzero()
    longest = int(used[-1]) + 1 if len(used) else 1
    return {"ids": batch["ids"][:, :longest], "mask": batch["mask"][:, :longest]}
