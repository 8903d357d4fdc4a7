"""The command line as a whole: its commands, its help, and how it is run."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from typer.main import get_command

from hmmem import __version__
from hmmem.cli.convert import convert
from hmmem.cli.datasets import datasets
from hmmem.cli.decode import decode
from hmmem.cli.fit import fit
from hmmem.cli.outcome import exit_code
from hmmem.cli.sample import sample
from hmmem.cli.score import score
from hmmem.cli.segment import segment
from hmmem.cli.show import show


def _examples(*lines: str) -> str:
    """Lines that the help shows below a command, each for itself."""
    return "\n\n".join(["Examples:", *lines])


def _flowing(command: Callable[..., int]) -> str:
    """The docstring of a command without its line breaks, so that the help breaks lines where the terminal ends."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


app = typer.Typer(
    name="hmmem",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_examples(
        "hmmem fit earthquakes --model poisson --states 3 -o quakes.hmmem --plot quakes.png",
        "hmmem show quakes.hmmem",
        "hmmem segment quakes.hmmem earthquakes",
        "Exit codes: 0 done, 2 wrong input or usage, 130 interrupted, 1 a fault of hmmem.",
    ),
)

COMMANDS = (
    (fit, (
        "hmmem fit earthquakes --model poisson -k 3 -o quakes.hmmem",
        "hmmem fit walks.csv --columns x,y --id animal -k 2 --covariance full --restarts 20 -o walks.hmmem",
        "hmmem fit pages.csv --columns word --model categorical -k 5 -o words.hmmem --json",
    )),
    (decode, (
        "hmmem decode quakes.hmmem earthquakes",
        "hmmem decode walks.hmmem walks.csv --id animal --proba -o out.csv",
    )),
    (segment, (
        "hmmem segment quakes.hmmem earthquakes --time year",
        "hmmem segment quakes.hmmem earthquakes --format json",
    )),
    (score, (
        "hmmem score walks.hmmem new.csv --id animal --per-frame",
        "hmmem sample quakes.hmmem -n 100 | hmmem score quakes.hmmem -",
    )),
    (sample, ("hmmem sample quakes.hmmem -n 100 --seed 1 -o simulated.csv",)),
    (show, ("hmmem show quakes.hmmem", "hmmem show quakes.hmmem --json")),
    (convert, (
        "hmmem convert quakes.hmmem quakes.json",
        "hmmem convert quakes.json quakes.hmmem",
        "hmmem convert big.csv big.parquet",
    )),
    (datasets, ("hmmem datasets",)),
)  # fmt: skip
for command, lines in COMMANDS:
    app.command(help=_flowing(command), epilog=_examples(*lines))(command)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"hmmem {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Train hidden Markov models and mixtures by EM; decode, segment, score and sample with them."""
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")
        raise typer.Exit


def run(argv: Sequence[str] | None = None) -> int:
    """Return the exit code of a command line, see :func:`hmmem.cli.main`."""
    arguments = list(sys.argv[1:] if argv is None else argv)

    def command() -> int:
        # Not app(): that would print errors as boxes of several lines, and end the process.
        group = get_command(app)
        with group.make_context("hmmem", arguments) as context:
            return int(group.invoke(context) or 0)

    return exit_code(command)
