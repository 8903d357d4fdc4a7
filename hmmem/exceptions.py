"""Errors and warnings of the library."""

from __future__ import annotations


class HmmemWarning(UserWarning):
    """Base of all warnings of hmmem; at most one of each class is issued per fit."""


class ConvergenceWarning(HmmemWarning):
    """A fit stopped at its largest number of iterations or at its time limit, while a stopping rule was asked for."""


class MonotonicityWarning(HmmemWarning):
    """The objective fell by more than rounding explains; please report it with the data."""


class StarvedStateWarning(HmmemWarning):
    """A state or component got no data and kept the parameters it had."""


class ConstantFeatureWarning(HmmemWarning):
    """A feature does not vary over the training data; its variance floor is in units of 1."""


class StartIgnoredWarning(HmmemWarning):
    """A parameter was set by hand, but ``init_params`` asks for a start from data, which takes its place."""


class ImpossibleSequenceWarning(HmmemWarning):
    """A sequence has probability zero under the model and was left out of the objective and the statistics."""


class SingularWarning(HmmemWarning):
    """A variance reached zero with ``variance_floor=0``; the last valid model is returned."""


class SingularModelError(ValueError):
    """A parameter would leave its space: a variance of zero without a floor."""


class ImpossibleSequenceError(ValueError):
    """A sequence has probability zero under the model, so that it has no posterior and no best path."""
