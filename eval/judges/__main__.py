"""`python -m eval.judges`: how far each judge, with a local model, agrees with the answers graded by hand."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from dataclasses import replace

from agent.errors import AgentError
from agent.llm import LLM
from agent.serving import connect
from eval.judges.agreement import figures, labelled, measure, report
from eval.judges.base import Judge
from eval.judges.helpfulness import Helpfulness
from eval.judges.tone import Tone
from settings import Settings

JUDGES: dict[str, type[Judge]] = {judge.name: judge for judge in (Tone, Helpfulness)}


def main() -> int:
    """Measure the judges named (all by default) and print what each is worth."""
    parser = argparse.ArgumentParser(prog="python -m eval.judges", description=__doc__)
    parser.add_argument("judges", nargs="*", metavar="JUDGE", help=f"of {', '.join(JUDGES)}; default: all")
    parser.add_argument("--model", help="the judge's model; default: the agent's")
    parser.add_argument("--url", help="an OpenAI-compatible server for the judge, ending in /v1")
    parser.add_argument("--votes", type=int, default=3, help="rubrics that vote: 1 or 3 (default)")
    parser.add_argument("--every", type=int, default=1, help="take every n-th answer")
    parser.add_argument(
        "--seconds", type=float, help="for each judge: begin no further answers after so long"
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    asked = parser.parse_args()
    if unknown := [name for name in asked.judges if name not in JUDGES]:
        parser.error(f"no judge {unknown[0]!r}; there are {', '.join(JUDGES)}")
    if asked.every < 1:
        parser.error("--every takes 1 or more")
    mine = Settings()
    mine = replace(mine, llm_url=asked.url or mine.llm_url, llm_model=asked.model or mine.llm_model)
    try:
        with closing(connect(mine)) as endpoint, closing(LLM(endpoint)) as llm:
            for name in asked.judges or JUDGES:
                found = measure(
                    JUDGES[name](llm, votes=asked.votes), labelled()[:: asked.every], seconds=asked.seconds
                )
                print(json.dumps(figures(found)) if asked.json else report(found), flush=True)
    except (AgentError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
