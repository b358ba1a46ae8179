"""Errors and warnings that a user can meet: each message says what was wrong, why, and how to mend it."""

__all__ = [
    "DepthWarning",
    "InputError",
    "KadanoffError",
    "KadanoffWarning",
    "OverlapError",
    "OverlapWarning",
    "PrecisionWarning",
    "StoreError",
    "ThermalisationWarning",
]


class KadanoffError(Exception):
    """Base of every error raised on purpose; the command line prints it in one line, with exit status 2."""


class InputError(KadanoffError, ValueError):
    """A value, shape, name or coupling that cannot be used as given."""


class StoreError(KadanoffError):
    """A run folder that is missing, damaged, foreign, busy or written by a newer version."""


class OverlapError(KadanoffError):
    """Reweighting between distributions that do not overlap in the given sample."""


class KadanoffWarning(UserWarning):
    """Base of every warning."""


class ThermalisationWarning(KadanoffWarning):
    """Chains from opposite starts disagree: the ensemble is not thermalised."""


class OverlapWarning(KadanoffWarning):
    """Reweighting leaves a small effective sample."""


class DepthWarning(KadanoffWarning):
    """The input of an inverse was blocked a different number of times than the fields it was trained on."""


class PrecisionWarning(KadanoffWarning):
    """A bare function is summed in single precision."""
