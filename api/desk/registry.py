"""The adapters that there are, by the name of their section in the desks' file."""

from __future__ import annotations

from collections.abc import Mapping

from api.desk.base import Adapter
from api.desk.chatwoot import Chatwoot
from api.desk.settings import DeskSettings
from api.desk.slack import Slack
from api.desk.zendesk import Zendesk

ADAPTERS = {"chatwoot": Chatwoot, "zendesk": Zendesk, "slack": Slack}


def adapters(settings: Mapping[str, DeskSettings]) -> dict[str, Adapter]:
    """Return an adapter for each configured desk."""
    return {name: ADAPTERS[name](one) for name, one in settings.items()}
