"""Step 4 for a stronger model: free prose over numbered facts, each sentence verified before it leaves.

The model's text is checked sentence by sentence while it streams (agent/verify.py). What no cited fact
supports is kept back, written again once by one further call, and dropped if it fails again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent import sentences
from agent.errors import Cancelled, LLMError
from agent.events import Language, Usage
from agent.lexicon import Lexicon
from agent.llm import LLM
from agent.prompts import Prompts
from agent.verify import Grounds, Sentence, Verifier
from tools.base import Fact

SHOWN = 20
"""Facts that the model sees; the rest of a long list is the table's."""
_RECALLED = 5
"""Facts that are shown again for a sentence that cites none."""
PROSE_TOKENS, REWRITE_TOKENS = 320, 200
_MARKDOWN = re.compile(r"\*\*|__|`|^#+ ", re.M)


@dataclass(frozen=True, slots=True)
class Written:
    """A verified answer. `text` is "" where nothing that states something was left; `claims` are those of
    the text, all of them supported; `dropped` and `rewritten` count sentences."""

    text: str = ""
    claims: int = 0
    supported: int = 0
    dropped: int = 0
    rewritten: int = 0
    usage: Usage = field(default_factory=lambda: Usage())


def write(
    llm: LLM, prompts: Prompts, lexicon: Lexicon, question: str, facts: Sequence[Fact], language: Language,
    *, cancel: threading.Event | None = None, on_text: Callable[[str], None] = lambda _: None,
) -> Written:  # fmt: skip
    """Answer a question in the model's own words over the facts; fact n of the sequence is cited as [n].

    `on_text` gets each sentence when it is verified, never before; rewritten ones come last. An error of the
    model server keeps what was verified until then. Raises Cancelled.
    """
    grounds = Grounds(dict(enumerate(facts, 1)), lexicon)
    shown = {n: fact for n, fact in grounds.facts.items() if n in grounds.proofs}
    draft = _Draft(Verifier(grounds, language, question), on_text)
    if not shown:
        return Written()
    messages = _messages(prompts, question, dict(list(shown.items())[:SHOWN]), language)
    try:
        _stream(llm, messages, draft, cancel)
        if draft.failed:
            _rewrite(llm, prompts, messages, shown, language, draft, cancel)
    except Cancelled:
        raise
    except LLMError:
        pass  # what was verified until then is true as it stands
    return draft.written()


def _messages(
    prompts: Prompts, question: str, facts: Mapping[int, Fact], language: Language
) -> list[dict[str, str]]:
    listed = "\n".join(f"[{n}] {fact.text[language]}" for n, fact in facts.items())
    user = prompts.fill("prose_question", question=question, facts=listed)
    return [{"role": "system", "content": prompts.fill("prose_system")}, {"role": "user", "content": user}]


def _stream(llm: LLM, messages: list[dict[str, str]], draft: _Draft, cancel: threading.Event | None) -> None:
    stream = llm.stream(messages, max_tokens=PROSE_TOKENS, cancel=cancel, slot="answer")
    waiting: str | None = None
    try:
        for sentence in sentences.stream(stream):
            if waiting is not None:
                draft.take(waiting)
            waiting = sentence
    finally:
        draft.add(stream.usage)
    if waiting is not None and not (stream.cut_off and not _is_whole(waiting)):
        draft.take(waiting)


def _is_whole(sentence: str) -> bool:
    return bool(re.search(r"[.!?。！？\]】]\s*$", sentence))


def _rewrite(
    llm: LLM, prompts: Prompts, messages: list[dict[str, str]], facts: Mapping[int, Fact],
    language: Language, draft: _Draft, cancel: threading.Event | None,
) -> None:  # fmt: skip
    """Have what failed written again, once, by a call that is shown each sentence, its facts and its fault."""
    wrong, draft.failed = draft.failed, []
    draft.dropped = len(wrong)
    listed = "\n".join(_fault(s, facts, language) for s in wrong)
    asked = [
        messages[0],
        {"role": "user", "content": prompts.fill("prose_rewrite", sentences=listed)},
    ]
    text, usage = llm.text(asked, max_tokens=REWRITE_TOKENS, cancel=cancel, slot="answer")
    draft.add(usage)
    for sentence in sentences.split(text)[: len(wrong)]:
        if draft.take(sentence):
            draft.rewritten += 1
            draft.dropped -= 1
    draft.failed = []


def _fault(sentence: Sentence, facts: Mapping[int, Fact], language: Language) -> str:
    cited = [n for n in dict.fromkeys(sentence.cited) if n in facts] or list(facts)[:_RECALLED]
    shown = "\n".join(f"[{n}] {facts[n].text[language]}" for n in cited)
    return f"Sentence: {sentence.text.strip()}\nWrong: it {sentence.why}.\nFacts:\n{shown}\n"


class _Draft:
    """The answer as it grows: what left, what failed, and what waits for a statement to lead to."""

    def __init__(self, verifier: Verifier, on_text: Callable[[str], None]) -> None:
        self._verifier, self._on_text = verifier, on_text
        self._parts: list[str] = []
        self._waiting: list[str] = []
        self._claims = 0
        self._usage = Usage()
        self.failed: list[Sentence] = []
        self.dropped = self.rewritten = 0

    def take(self, raw: str) -> bool:
        """Verify one sentence and let it leave, or keep it as failed; whether it left."""
        text = _MARKDOWN.sub("", raw)
        if not re.search(r"\w", text) or any(_same(text, part) for part in self._parts):
            return False
        checked = self._verifier.check(text)
        if not checked.supported:
            checked = self._verifier.citing(text) or checked
        if checked.cited and not checked.claims:
            return False  # numbers without a statement
        if not checked.supported:
            self.failed.append(checked)
            return False
        self._waiting.append(checked.text)
        if checked.cited:
            self._claims += len(checked.claims)
            self._leave()
        return True

    def _leave(self) -> None:
        """Openings and advice leave only with a statement: alone they answer nothing."""
        for text in self._waiting:
            spaced = self._spaced(text)
            self._parts.append(spaced)
            self._on_text(spaced)
        self._waiting = []

    def _spaced(self, text: str) -> str:
        before = self._parts[-1] if self._parts else ""
        if not before or before[-1].isspace() or before[-1] in "。！？":
            return text
        return f" {text.lstrip()}"

    def add(self, usage: Usage) -> None:
        """Count what a call cost."""
        a, b = self._usage, usage
        self._usage = Usage(
            a.llm_calls + b.llm_calls, a.prompt_tokens + b.prompt_tokens,
            a.cached_tokens + b.cached_tokens, a.completion_tokens + b.completion_tokens,
        )  # fmt: skip

    def written(self) -> Written:
        """Return what left; what still waits (advice after the last statement) leaves now."""
        if self._parts:
            self._leave()
        dropped = self.dropped + len(self.failed)
        text = "".join(self._parts).strip()
        return Written(text, self._claims, self._claims, dropped, self.rewritten, self._usage)


def _same(a: str, b: str) -> bool:
    return re.sub(r"[\W_]+", "", a) == re.sub(r"[\W_]+", "", b)
