"""The HTTP room: what other programs send to a shop and ask of it."""

from api.app import create_app

__all__ = ["create_app"]
