"""`python -m agent.tuning OUT.gguf`: tune the planner of a model and write its adapter."""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import closing
from importlib import resources
from pathlib import Path

from agent.lexicon import Lexicon
from agent.link import Linker
from agent.models import ensure_model
from agent.plan import Planner
from agent.prompts import default_prompts
from agent.tuning.dataset import examples
from agent.tuning.export import to_gguf
from agent.tuning.train import Recipe, fine_tune
from agent.vllm_folder import dequantise
from customers.encoder import MultilingualEncoder
from customers.shop import Shop
from settings import Settings


def main() -> None:
    """Read the examples, train, export."""
    settings = Settings()
    say = argparse.ArgumentParser(prog="python -m agent.tuning", description=__doc__)
    say.add_argument(
        "out", type=Path, help="the adapter to write (GGUF), or with --data-only the prompts (JSON lines)"
    )
    say.add_argument("--model", default=settings.llm_model, help="a model of the catalogue or a GGUF file")
    say.add_argument("--shop", type=Path, default=settings.shop, help="the built shop whose names are linked")
    say.add_argument(
        "--examples", type=Path, nargs="*", help="labelled questions (JSON lines) beside our own"
    )
    say.add_argument("--epochs", type=float, default=Recipe.epochs)
    say.add_argument("--limit", type=int, help="only so many examples, to try it out")
    say.add_argument("--data-only", action="store_true", help="write the prompts and train nothing")
    args = say.parse_args()
    encoder, prompts = MultilingualEncoder(), default_prompts()
    files = [*sorted(Path(str(resources.files("prompts"))).glob("tuning/*.jsonl")), *(args.examples or [])]
    rows = [*prompts.examples("plan_examples"), *prompts.bank()]
    rows += [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    with closing(Shop.open(args.shop, encoder=encoder)) as shop:
        planner = Planner(shop, encoder, prompts)
        made = examples(rows, shop, planner, Linker(shop, Lexicon(shop, encoder)))[: args.limit]
    print(f"{len(made)} prompts of {len(rows)} labelled questions")
    if args.data_only:
        lines = (json.dumps({"user": e.user, "target": e.target}, ensure_ascii=False) for e in made)
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return
    gguf = ensure_model(args.model, settings.cache)
    with tempfile.TemporaryDirectory() as scratch:
        base, adapter = Path(scratch) / "base", Path(scratch) / "adapter"
        dequantise(gguf, base)
        fine_tune(base, planner.tuned_system, made, adapter, Recipe(epochs=args.epochs))
        to_gguf(adapter, args.out, f"Shopkeeper planner for {gguf.stem}")
    print(f"Wrote {args.out}; serve it by naming it in agent/models.py")


if __name__ == "__main__":
    main()
