"""Where blocks run: in this thread or in a pool of threads, always with the results in order.

Anything with the signature of the built-in ``map`` serves :func:`hmmem.fit_em`: the ``map`` of a process pool as well.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from itertools import chain, islice
from typing import Any, ParamSpec, TypeVar

Map = Callable[..., Iterable[Any]]
P = ParamSpec("P")
R = TypeVar("R")


def n_workers(n_jobs: int | None) -> int:
    """Return how many threads ``n_jobs`` asks for: None or -1 mean every core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None:
        return cores
    if n_jobs < 0:
        return max(1, cores + 1 + n_jobs)
    return n_jobs


@contextmanager
def thread_map(n_jobs: int | None) -> Iterator[Map]:
    """Give a ``map`` over ``n_jobs`` threads, with BLAS held to one thread meanwhile.

    Results come in the order of the items and only a few more items than threads are under way at any time, so that a
    fold over them neither depends on scheduling nor holds them all. The thread that asks takes its share of the items.
    """
    workers = n_workers(n_jobs)
    with one_blas_thread():
        if workers == 1:
            yield map
            return
        tables: set[_Table] = set()
        with ThreadPoolExecutor(workers - 1, thread_name_prefix="hmmem") as pool:
            try:
                yield lambda function, items: _in_order(pool, workers, tables, function, items)
            finally:  # a traceback may keep results that nobody asks for, and the pool waits for those that help
                for table in list(tables):
                    table.close()


def _in_order(
    pool: ThreadPoolExecutor,
    workers: int,
    tables: set[_Table],
    function: Callable[[Any], Any],
    items: Iterable[Any],
) -> Iterator[Any]:
    items = iter(items)
    first = list(islice(items, 2))
    if len(first) < 2:  # nothing to share out
        yield from map(function, first)
        return
    table = _Table(function, chain(first, items), 2 * workers)
    tables.add(table)
    try:
        for _ in range(workers - 1):
            pool.submit(table.help)
        yield from table.results()
    finally:
        table.close()
        tables.discard(table)


class _Table:
    """Items that several threads take from, each the next one; what they give back is handed out in order.

    No thread is woken for an item: those that help come once and stay until nothing is left. A wake-up takes longer
    than a block.
    """

    def __init__(self, function: Callable[[Any], Any], items: Iterable[Any], ahead: int) -> None:
        self.function, self.items, self.ahead = function, iter(items), ahead
        self.changed = threading.Condition()
        self.taken = self.given = 0
        self.done: dict[int, tuple[Any, BaseException | None]] = {}
        self.empty = False

    def take(self) -> tuple[int, Any] | None:
        """Return the next item and its number, if there is one and it is not too far ahead; under the lock."""
        if self.empty or self.taken - self.given >= self.ahead:
            return None
        number = self.taken
        try:
            item = next(self.items)
        except StopIteration:
            self.empty = True
            return None
        except BaseException as error:  # noqa: BLE001  it is raised where its result would be given
            self.empty, self.done[number], self.taken = True, (None, error), number + 1
            return None
        self.taken += 1
        return number, item

    def run(self, number: int, item: Any) -> None:
        outcome: tuple[Any, BaseException | None]
        try:
            outcome = self.function(item), None
        except BaseException as error:  # noqa: BLE001  the same
            outcome = None, error
        with self.changed:
            self.done[number] = outcome
            self.changed.notify_all()

    def help(self) -> None:
        """Run items until none is left."""
        while True:
            with self.changed:
                while (task := self.take()) is None and not self.empty:
                    self.changed.wait()
            if task is None:
                return
            self.run(*task)

    def results(self) -> Iterator[Any]:
        """Give the results in order, and run items meanwhile."""
        while True:
            with self.changed:
                task = None
                while self.given not in self.done and (task := self.take()) is None:
                    if self.empty and self.given >= self.taken:
                        return
                    if self.given not in self.done:
                        self.changed.wait()
                if task is None:
                    value, error = self.done.pop(self.given)
                    self.given += 1
                    self.changed.notify_all()
            if task is not None:
                self.run(*task)
                continue
            if error is not None:
                raise error
            yield value

    def close(self) -> None:
        """Let those that help go home."""
        with self.changed:
            self.empty = True
            self.changed.notify_all()


class _BlasGuard:
    """Counts who wants BLAS single-threaded: limited by the first that enters, released by the last that leaves.

    BLAS thread counts belong to the process, so two fits in two threads must share one limit.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.controller: Any = None
        self.limiter: Any = None

    def enter(self) -> None:
        with self.lock:
            if self.users > 0:
                self.users += 1
                return
            if self.controller is None:
                import scipy.linalg  # noqa: F401  its BLAS must be loaded to be found by the controller
                from threadpoolctl import ThreadpoolController

                self.controller = ThreadpoolController()
            self.limiter = self.controller.limit(limits=1, user_api="blas")
            self.users = 1  # last: an interrupt before leaves the guard as it was

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.limiter.restore_original_limits()
                self.limiter = None

    def after_fork(self) -> None:
        """Forget users that exist in the parent only; a limit that was on stays on in the child."""
        self.lock = threading.Lock()
        self.users = 0


_GUARD = _BlasGuard()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_GUARD.after_fork)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread: its sums then have one order, whatever OMP_NUM_THREADS says."""
    _GUARD.enter()
    try:
        yield
    finally:
        _GUARD.leave()


def unit_of_work(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with BLAS held to one thread wherever a ``map`` runs it, in another process as well."""

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with one_blas_thread():
            return function(*args, **kwargs)

    return alone
