"""Errors of the agent's layer. Each message is one line: what is wrong, and how to mend it."""

from __future__ import annotations


class AgentError(Exception):
    """Base of every error that the agent's layer raises on purpose."""


class ModelFileError(AgentError):
    """The model is unknown, or its file cannot be used."""


class LLMError(AgentError):
    """The language model gave no usable output."""


class LLMUnavailable(LLMError):
    """The model server cannot be started or does not answer."""


class LLMTimeout(LLMUnavailable):
    """The model server answered too slowly."""


class LLMRejected(LLMError):
    """The model server refused the request (wrong key, unknown model, prompt too long)."""


class BadOutput(LLMError):
    """The model's output is not what its schema asks for; the raw text is in `output`."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class OutputCutOff(BadOutput):
    """The model reached its token limit before its output was whole."""


class Cancelled(LLMError):
    """The caller gave up waiting; nothing is wrong."""


class PromptError(AgentError):
    """A prompt file is missing, or one of its variables was not given."""


class BadQuestion(AgentError):
    """The question cannot be taken as it is (empty, too long, unknown role)."""
