"""The commands that teach models or put them to work on the shop's data: `name-segments`, `label`, `train`."""

from __future__ import annotations

import argparse

from cli_common import AddCommand, Bar, UsageError, say
from settings import Settings


def add_commands(command: AddCommand) -> None:
    """Add the commands to the parser."""
    from customers.deep import command as deep
    from ui import label_terminal

    command("name-segments", _name_segments, "let the model name the customer segments", model=True)
    label_terminal.add_arguments(
        command("label", _label, "label reviews, inquiries …; see agreement", model=True)
    )
    deep.add_arguments(
        command("train", _train, "train a deep model beside the plain features (extra `deep`)")
    )


def _label(args: argparse.Namespace, settings: Settings) -> int:
    from ui.label_terminal import LabelUsage, run

    try:
        return run(args, settings, Bar())
    except LabelUsage as error:
        raise UsageError(str(error)) from error


def _name_segments(args: argparse.Namespace, settings: Settings) -> int:
    """Let the model propose names; those that say what sets a segment apart are kept."""
    from agent import segment_names
    from agent.llm import LLM
    from agent.prompts import default_prompts
    from agent.serving import connect
    from customers.shop import Shop

    shop = Shop.open(settings.shop)
    endpoint = connect(settings, say)
    llm = LLM(endpoint)
    try:
        segment_names.run(shop, llm, endpoint.model, default_prompts(), print)
    finally:
        llm.close()
        endpoint.close()
        shop.close()
    return 0


def _train(args: argparse.Namespace, settings: Settings) -> int:
    from customers.deep.command import run

    return run(args, settings.shop, say)
