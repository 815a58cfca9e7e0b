"""Hyper-parameter search: the recipe whose dev loss is lowest (TPE of Optuna; Akiba et al. 2019)."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from customers.deep.recipe import Recipe
from customers.errors import BadInput


def search(
    dev_loss: Callable[[Recipe, Path], float],
    base: Recipe,
    trials: int,
    folder: Path,
    say: Callable[[str], None] = lambda _: None,
) -> Recipe:
    """Train `trials` times with another rate (a tenth to ten times the base's), weight decay and augmentation;
    return the best recipe. `folder` gets a folder for each trial, and trials.json with all of them. The first
    trial is the base itself, so that the search is never worse."""
    if trials < 1:
        raise BadInput(f"{trials} trials are none; give 1 or more")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=base.seed))
    study.enqueue_trial({"rate": base.rate, "decay": base.decay, "augment": base.augment})

    def once(trial: optuna.Trial) -> float:
        recipe = _suggested(trial, base)
        found = dev_loss(recipe, folder / f"trial-{trial.number:02d}")
        say(
            f"trial {trial.number + 1} of {trials}: rate {recipe.rate:.1e}, decay {recipe.decay:.1e},"
            f" augment {recipe.augment:.2f}: dev loss {found:.4f}"
        )
        return found

    study.optimize(once, n_trials=trials)
    rows = [{"dev_loss": trial.value, **trial.params} for trial in study.trials]
    (folder / "trials.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return replace(base, **study.best_params)


def _suggested(trial, base: Recipe) -> Recipe:
    return replace(
        base,
        rate=trial.suggest_float("rate", base.rate / 10, min(base.rate * 10, 0.1), log=True),
        decay=trial.suggest_float("decay", 1e-4, 0.3, log=True),
        augment=trial.suggest_float("augment", 0.0, 1.0),
    )
