"""The command line: ``hmmem`` and ``python -m hmmem``, one module per command.

Standard output carries data and nothing else, so that pipes work; progress, summaries, warnings and errors go to
standard error. What a script can rely on:

====  ==============================================================================================================
code  meaning
====  ==============================================================================================================
0     done; also for a fit that ended at ``--n-iter`` or ``--max-time``, which warns and says so in ``--json``
1     a fault of hmmem itself, with a traceback; please report it
2     wrong input or usage: last comes a line ``hmmem: error: ...``, and nothing was written
130   Ctrl-C; a fit that had a whole model by then has written it and says so
141   the reader of standard output went away, as ``head`` does
====  ==============================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code of a command line.

    Parameters
    ----------
    argv : sequence of str, optional
        What follows ``hmmem``; default: the arguments of this process.

    Returns
    -------
    int
        See the module's text.

    Examples
    --------
    >>> from hmmem.cli import main
    >>> main(["score", "no_such_model.hmmem", "earthquakes"])
    2
    """
    from hmmem.cli.app import run

    return run(argv)
