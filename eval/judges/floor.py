"""What is wrong with an answer whatever a judge says: rules that need no model, and that no judge can outvote."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Literal

from agent.events import Language
from eval.judges.quoting import visible

FaultName = Literal[
    "empty",
    "too long",
    "wrong language",
    "shouting",
    "repeats itself",
    "leaks a prompt",
    "addresses the judge",
]

LEAKED_WORDS, LEAKED_CHARACTERS = 9, 16
"""So many words, or words and Han characters, in a row that a prompt holds too are no accident."""

_TOKEN = re.compile(r"[a-z0-9']+|[\u3400-\u9fff]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]{2,}")
_OTHER_SCRIPTS = re.compile(r"[\u0370-\u1fff\u3040-\u30ff\uac00-\ud7af]")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？；\n]")
_HAN_TO_A_WORD = 1.7
_FOREIGN_SHARE = 0.8

_ENGLISH = frozenset(
    "the and of to in is are was you for on with that this it we they by from have has".split()
)
_FOREIGN = frozenset(
    "le les des une est et du dans pour vous avec sont der das und ist nicht ein eine mit auf für sie el los las"
    " una es por para con del que não uma os il gli che della sono und zu im au aux".split()
)
_LOUD = re.compile(r"[!?！？]{3,}")
_CAPS_RUN = re.compile(r"\b[A-Z][A-Z']+(?:[\s,]+[A-Z][A-Z']*){2,}")
_CAPS_SPEECH = frozenset("YOU YOUR WE NOT IS ARE THIS MUST WHY STOP DON'T PLEASE NEVER DO CAN'T WILL".split())

# Words for a grader have no place in an answer to shop staff; talk of scores and ratings may (reviews have them).
_TO_THE_JUDGE = re.compile(
    r"[\"'“](?:grade|score|rating|verdict)[\"'”]\s*[:=：]"
    r"|\bgrade\s*(?:it|this|me|should|must|is|as|of|with|to|be|a|an|:|=|\s)*\s*(?:[1-5]\b|five|perfect)"
    r"|\b(?:rubrics?|graders?|grading|evaluators?)\b"
    r"|\b(?:dear|attention,?|note\s+to)\s+(?:the\s+|an?\s+)?(?:judge|assessor|reviewer)\b"
    r"|\b(?:grade|score|rate|mark|judge)\b.{0,25}\b(?:this|my|the\s+above)\s+(?:answer|reply|response)\b"
    r"|\b(?:this|my|the\s+above)\s+(?:answer|reply|response)\b.{0,40}"
    r"\b(?:grade|score|rated?|marks?|[1-5]\s*(?:/|out\s+of)\s*5)\b"
    r"|(?:^|[.!?。！？\n]\s*)(?:please\s+)?(?:ignore|disregard|forget|override)\b.{0,40}"
    r"\b(?:above|previous|prior|instructions?|criteria|rules)\b"
    r"|(?:忽略|无视|不要理会|忘掉).{0,10}(?:评分|打分|评判|标准|指令|指示|提示词?|以上|之前|前面)"
    r"|(?:请|应当?|须|必须|直接|务必|一律).{0,8}(?:打|给|评).{0,6}(?:[1-5]|[一二三四五]|满)分"
    r"|(?:本|此|这个?|这条|该)(?:回答|答复|回复).{0,10}(?:[1-5]|[一二三四五]|满)分"
    r"|评分(?:标准|规则|员|者|人)|评委|阅卷|评审员"
    r"|<\|[^|\n]{0,40}\|>|\[/?inst\]|<{1,3}\s*/?\s*(?:answer|question|system|assistant|user)\b",
    re.IGNORECASE | re.MULTILINE,
)


# The demonstrations in a prompt are made of what good answers are made of, so saying the same is no leak.
_DEMONSTRATIONS = re.compile(r"^(?:Question|Q):|Examples:\s*$", re.MULTILINE)


def prompt_texts(folder: Path | None = None) -> list[str]:
    """Return the instructions of every prompt (*.md) of a folder and below it, up to their demonstrations; None: the
    package's own folder. Raises ValueError where there is none."""
    root = folder or Path(str(resources.files("prompts")))
    texts = [path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.md"))]
    if not texts:
        raise ValueError(
            f"{root} holds no prompt (*.md); name the folder that the agent read its prompts from."
        )
    return [_DEMONSTRATIONS.split(text, maxsplit=1)[0] for text in texts]


class Floor:
    """The rules. secrets: texts that no answer may repeat; None: the package's own prompts."""

    def __init__(self, secrets: Iterable[str] | None = None) -> None:
        texts = prompt_texts() if secrets is None else list(secrets)
        self._secret = {run for text in texts for run in _telling(_tokens(text))}

    def faults(self, answer: str, language: Language) -> list[FaultName]:
        """Return what is wrong with an answer to a question in `language`; most often nothing."""
        seen = unicodedata.normalize("NFKC", visible(answer))
        if not any(c.isalnum() for c in seen):
            return ["empty"]
        tokens = _tokens(seen)
        found: dict[FaultName, bool] = {
            "wrong language": _wrong_language(seen, language),
            "shouting": _shouts(seen),
            "repeats itself": _repeats(seen, tokens),
            "leaks a prompt": any(run in self._secret for run in _telling(tokens)),
            "addresses the judge": bool(_TO_THE_JUDGE.search(seen)),
        }
        return [name for name, wrong in found.items() if wrong]


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).replace("’", "'").casefold())


def _runs(tokens: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1)]


def _telling(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    """Runs of tokens long enough to tell where they come from."""
    mostly_words = [
        run
        for run in _runs(tokens, LEAKED_WORDS)
        if sum(t.isascii() and t.isalpha() for t in run) > LEAKED_WORDS / 2
    ]
    return mostly_words + _runs(tokens, LEAKED_CHARACTERS)


def _wrong_language(text: str, language: Language) -> bool:
    """Names of the other language may stand in an answer, and be many: only a text that is nearly all foreign is."""
    han, words = len(_HAN.findall(text)) / _HAN_TO_A_WORD, _LATIN_WORD.findall(text)
    other = len(_OTHER_SCRIPTS.findall(text))
    if other > 4 and other > han + len(words):
        return True
    foreign = len(words) if language == "zh" else han
    if han + len(words) >= 3 and foreign > _FOREIGN_SHARE * (han + len(words)):
        return True
    spoken = Counter(word.casefold() for word in words)
    strange = sum(spoken[word] for word in _FOREIGN)
    return language == "en" and strange >= 3 and strange > sum(spoken[word] for word in _ENGLISH)


def _shouts(text: str) -> bool:
    """Category names may stand in capitals; sentences may not."""
    runs = (set(re.split(r"[\s,]+", run)) for run in _CAPS_RUN.findall(text))
    return bool(_LOUD.search(text)) or any(run & _CAPS_SPEECH for run in runs)


def _repeats(text: str, tokens: Sequence[str]) -> bool:
    """A list's lines are made alike and are no repetition; a sentence said again is, and words that go round."""
    sentences = Counter(tuple(_tokens(part)) for part in _SENTENCE_END.split(text))
    said = {sentence: count for sentence, count in sentences.items() if len(sentence) >= 4}
    again = sum(count - 1 for count in said.values())
    if any(count >= 3 for count in said.values()) or (again and again >= 0.5 * sum(said.values())):
        return True
    return any(_goes_round(tokens, period) for period in range(1, 9))


def _goes_round(tokens: Sequence[str], period: int) -> bool:
    """Whether the same words come four times in a row (five times, where it is one word)."""
    wanted, streak = max(4, 3 * period), 0
    for i in range(period, len(tokens)):
        streak = streak + 1 if tokens[i] == tokens[i - period] else 0
        if streak >= wanted and not all(t.isdigit() for t in tokens[i - period : i]):
            return True
    return False
