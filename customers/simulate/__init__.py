"""Simulated shops: data whose truth is known, and always marked as simulated."""

from customers.simulate.stream import events_parquet

__all__ = ["events_parquet"]
