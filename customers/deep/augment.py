"""Training rows altered at random, so that a model does not learn them by heart."""
# pyright: reportMissingImports=false

from __future__ import annotations

import torch

Batch = dict[str, torch.Tensor]
_DROPPED = 0.15


def sessions(batch: Batch, chance: float, generator: torch.Generator) -> Batch:
    """Of a share `chance` of the rows, leave out one session in seven (cells 0, age -1) and mask cells at the
    same rate (crop and mask of CL4SRec; Xie et al. 2022)."""
    cells, ages = batch["cells"].clone(), batch["ages"].clone()
    altered = torch.rand(len(ages), generator=generator) < chance
    gone = altered[:, None] & (torch.rand(ages.shape, generator=generator) < _DROPPED)
    gone[:, -1] = False
    cells[altered[:, None, None] & (torch.rand(cells.shape, generator=generator) < _DROPPED)] = 0
    cells[gone], ages[gone] = 0, -1
    return batch | {"cells": cells, "ages": ages}


def series(batch: Batch, chance: float, generator: torch.Generator) -> Batch:
    """Of a share `chance` of the rows, empty one bin in seven."""
    held = batch["series"].clone()
    altered = torch.rand(len(held), generator=generator) < chance
    gone = altered[:, None] & (torch.rand(len(held), held.shape[-1], generator=generator) < _DROPPED)
    held = held * ~gone[:, None, None, :]
    return batch | {"series": held}


def tokens(batch: Batch, chance: float, generator: torch.Generator) -> Batch:
    """Of a share `chance` of the texts, hide one token in seven (mask 0), never the first (word dropout;
    Iyyer et al. 2015)."""
    mask = batch["mask"].clone()
    altered = torch.rand(len(mask), generator=generator) < chance
    gone = altered[:, None] & (torch.rand(mask.shape, generator=generator) < _DROPPED)
    gone[:, 0] = False
    mask[gone] = 0
    return batch | {"mask": mask}
