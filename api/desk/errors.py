"""What can go wrong between a desk and us. Each message is one line, without tokens or customers' words."""

from __future__ import annotations


class DeskError(Exception):
    """Base of every error of a desk that is raised on purpose."""


class Unsigned(DeskError):
    """A webhook does not prove that it comes from the desk."""


class Unreadable(DeskError):
    """A signed webhook says nothing that can be understood."""


class DeskBusy(DeskError):
    """The desk did not answer, or asks to wait; what was sent may or may not have arrived.

    after: seconds that the desk asks to wait, 0 where it says nothing.
    """

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class DeskRefused(DeskError):
    """The desk will not take this, however often it is sent."""


class NotYet(Exception):
    """The agent is not open yet; what waits for it waits on."""
