"""How a command ends: exit codes, errors and warnings of one line."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from hmmem.cli.wording import in_options, plainly

USAGE = 2
INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE, also where the signal has no name

# Releases of typer bring click along or depend on it; the error that both derive from has no public name of its own.
ClickError: Any = typer.BadParameter.__mro__[2]


def exit_code(command: Callable[[], int]) -> int:
    """Return the exit code of a command, after telling on standard error what went wrong.

    Parameters
    ----------
    command : callable
        Returns its exit code. What it raises by way of ``ValueError``, ``TypeError``, ``OSError``, ``ImportError`` and
        ``MemoryError`` is the user's to mend and becomes one line; anything else is a fault and keeps its traceback.
    """
    try:
        with _warnings_as_lines():
            code = command()
            sys.stdout.flush()
            return code
    except typer.Exit as ended:
        return ended.exit_code
    except ClickError as error:
        say("error", _usage(error))
    except KeyboardInterrupt:
        say("error", "interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more at its end and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except MemoryError as error:
        say("error", f"not enough memory: {error}; use fewer rows, columns or states")
    except OSError as error:
        say("error", _system(error))
    except (ValueError, TypeError, ImportError) as error:
        say("error", str(error))
    return USAGE


def say(kind: str, message: str) -> None:
    """Write ``hmmem: kind: message`` to standard error, as one line."""
    sys.stderr.write(f"hmmem: {kind}: {' '.join(message.split())}\n")
    sys.stderr.flush()


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    message = plainly(error.format_message()).rstrip(".")
    if context is None:
        return message
    return f"{message}{' See' if message.endswith('?') else '; see'} {context.command_path} --help"


def _system(error: OSError) -> str:
    if error.strerror is None or error.filename is None:
        return error.strerror or str(error)
    return f"{os.fspath(error.filename)}: {error.strerror}"


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    def show(message: Warning | str, *_: Any) -> None:
        say("warning", in_options(str(message)))

    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)  # for the authors of packages, not for who runs a command
        warnings.showwarning = show  # type: ignore[assignment]
        yield
