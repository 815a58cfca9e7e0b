"""How a model is trained; plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from customers.errors import BadInput


@dataclass(frozen=True, slots=True)
class Recipe:
    """epochs: at most; training ends after `patience` epochs in which the dev loss did not fall. batch: rows a
    step, in each process. rate, decay: AdamW's (Loshchilov & Hutter 2019); the rate rises over the first tenth
    of the steps and falls along a line. clip: the gradient's highest norm. augment: chance that a training row
    is altered. device: "auto" takes a GPU where there is one (then in bf16)."""

    epochs: int = 10
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.01
    clip: float = 1.0
    patience: int = 2
    augment: float = 0.0
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        bounds = {"epochs": (1, 1000), "batch": (1, 65536), "rate": (1e-7, 1.0), "augment": (0.0, 1.0)}
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise BadInput(f"{name} is {getattr(self, name):g}; give a number from {low:g} to {high:g}")

    def signature(self) -> dict[str, object]:
        """What must be equal for a stopped run to go on: all but how many epochs there may be."""
        return {
            key: value for key, value in asdict(self).items() if key not in ("epochs", "device", "patience")
        }
