"""A progress bar for ``fit(verbose=True)``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hmmem.em import SHORT_RUN

Callback = Callable[[int, float, Any], object]


@contextmanager
def progress(verbose: object, n_iter: int, n_starts: int, callback: Callback | None) -> Iterator[Callback | None]:
    """Give a callback that shows each update, then asks the user's own; the user's alone if not ``verbose``.

    The bar goes to standard error, live in a terminal and one line per update elsewhere.
    """
    if not verbose:
        yield callback
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn())
    began, runs, last = time.perf_counter(), 0, (0, float("nan"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("fit", total=n_iter, told="")

        def tell(iteration: int, objective: float, model: Any) -> object:
            nonlocal runs, last
            runs += iteration == 0
            told = f"update {iteration}  objective {objective:.4f}"
            if iteration == last[0] + 1:  # the run before goes on, so that there is a gain
                told += f"  gain {objective - last[1]:.3g}"
            if n_starts > 1:
                told = (
                    f"start {runs}/{n_starts}  " if runs < n_starts or iteration <= SHORT_RUN else "best starts  "
                ) + told
            last = iteration, objective
            bar.update(task, completed=iteration, told=told)
            if not console.is_terminal:
                console.print(f"{told}  {time.perf_counter() - began:.2f} s", highlight=False)
            return None if callback is None else callback(iteration, objective, model)

        yield tell
