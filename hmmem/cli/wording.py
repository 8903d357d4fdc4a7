"""Messages of the library and of the parser in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["in_options", "option_names", "option_of", "plainly", "report_text"]

_OPTIONS = {
    "n_init": "--restarts",
    "n_samples": "-n",
    "max_iter": "--n-iter",
    "init_params": "--init",
    "covariance_type": "--covariance",
    "n_components": "--states",
    "random_state": "--seed",
    "n_jobs": "--jobs",
    "n_iter": "--n-iter",
    "param_tol": "--param-tol",
    "max_time": "--max-time",
    "variance_floor": "--variance-floor",
}
# These are words as well, and mean the argument only before what an error says about one.
_WORDS = {"init": "--init", "tol": "--tol", "training": "--training", "unknown": "--unknown", "index": "--time"}
_UNTOUCHED = r"(?<![\w./'\"\\-])"  # part of a path, of a longer name, or quoted: the user's own word
_PATTERNS = (
    re.compile(rf"{_UNTOUCHED}({'|'.join(_OPTIONS)})(=|(?![\w/'\"\\-]|\.\w))"),
    re.compile(rf"{_UNTOUCHED}({'|'.join(_WORDS)})(=|(?= must|, got|; got| \()|(?<=loosen tol))"),
)
_PHRASES = (
    (
        "declare them before the fit by symbols= or n_features=, or pass unknown='ignore' or unknown='floor'",
        "leave those rows out, or fit the model with --unknown ignore or --unknown floor",
    ),
    ("None or -1 use all cores", "leave it out to use all cores"),
    (", param_tol=None", ""),
    ("tol=None, ", ""),
)
_USAGE = (
    (r"Value error, ", ""),
    (r"Input should be greater than or equal to (\S+)", r"it must be at least \1"),
    (r"Input should be less than or equal to (\S+)", r"it must be at most \1"),
    (r"Input should be a valid integer\b.*", "it must be a whole number"),
    (r"Input should be a valid number\b.*", "it must be a number"),
)


def in_options(message: str) -> str:
    """Return a message with the names of options in place of the names of arguments, and with right plurals.

    Examples
    --------
    >>> in_options("n_init must be at least 1; got 0")
    '--restarts must be at least 1; got 0'
    >>> in_options("stopped by n_iter=1 after 1 updates (tol=1e-06); increase n_iter")
    'stopped by --n-iter 1 after 1 update (--tol 1e-06); increase --n-iter'
    >>> in_options("init has no column 'n_init'")
    "init has no column 'n_init'"
    """
    for phrase, mend in _PHRASES:
        message = message.replace(phrase, mend)
    message = re.sub(r"; fit_report_ tells[^;]*", "", message)  # there is none here; the summary tells it
    for pattern in _PATTERNS:
        message = pattern.sub(_option, message)
    return _singular(message)


def _option(match: re.Match[str]) -> str:
    return {**_OPTIONS, **_WORDS}[match[1]] + (" " if match[2] else "")


def option_of(argument: str) -> str:
    """Return the option that gives an argument of an estimator."""
    return _OPTIONS.get(argument, "--" + argument.replace("_", "-"))


@contextmanager
def option_names() -> Iterator[None]:
    """Raise the errors of a block again, in the words of the command line."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ValueError(in_options(str(error))) from error


def plainly(message: str) -> str:
    """Return a remark of the parser without the dialect of the library that checks values for it.

    Examples
    --------
    >>> plainly("Invalid value for '--seed': Input should be greater than or equal to 0")
    "Invalid value for '--seed': it must be at least 0"
    """
    for pattern, plain in _USAGE:
        message = re.sub(pattern, plain, message)
    return message


def report_text(report: Any) -> str:
    """Return a fit report as text; one from a file does not know how long the fit took."""
    text = _singular(str(report))
    return text if report.seconds else text.replace("; 0 s", "", 1)


def _singular(message: str) -> str:
    return re.sub(r"(?<![\w.,])1 (update|frame|row|cell|sequence|column)s\b", r"1 \1", message)
