"""Errors of the profiling core. Each message is one line: what is wrong, and how to mend it."""


class CustomersError(Exception):
    """Base of every error that the profiling core raises on purpose."""


class BadInput(CustomersError):
    """The user's data or request cannot be used as it is; nothing was changed."""


class NotBuilt(BadInput):
    """The shop has no finished build to read."""


class Unknown(CustomersError):
    """Something was named that the shop does not have (a customer, a category, a campaign)."""
