"""Language: whether the reply is in the question's language, by what it says and by its script."""

from __future__ import annotations

import re

from eval.scorers.ground import Ground, Reply, Turn, Wrong

_HAN, _LATIN = re.compile(r"[\u3400-\u9fff]"), re.compile(r"[A-Za-z]{2,}")


def check(turn: Turn, reply: Reply, ground: Ground) -> Wrong:
    """Aspect "language"."""
    wanted, wrong = turn["language"], []
    if reply["language"] != wanted:
        wrong.append(f"language is {reply['language']}, should be {wanted}")
    # Products are called in English in a Chinese answer too: their names say nothing of its language.
    text = str(reply["answer"])
    for offer in reply.get("recommendations", ()):
        text = text.replace(str(offer["name"]), "")
    written = "zh" if len(_HAN.findall(text)) > len(_LATIN.findall(text)) else "en"
    if written != wanted:
        wrong.append(f"the answer is not written in the question's language ({wanted})")
    return {"language": wrong}
