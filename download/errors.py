"""Errors of fetching. Each message is one line: what is wrong, and how to mend it."""

from __future__ import annotations


class DownloadError(Exception):
    """A file could not be fetched. One line: what is wrong, and how to mend it."""


class NoNetwork(DownloadError):
    """The source cannot be reached."""


class PartMissing(DownloadError):
    """The source answers but does not have the file."""


class WrongChecksum(DownloadError):
    """The bytes are not the published ones; they have been removed."""


class DiskFull(DownloadError):
    """There is not enough room."""
