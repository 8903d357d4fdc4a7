"""The same bits for any number of threads and processes, any BLAS setting, in a thread and in a forked child."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hmmem
from hmmem.chain import MarkovChain
from hmmem.em import fit_em
from hmmem.emissions import Gaussian
from hmmem.hmm import HiddenMarkovModel
from hmmem.mixture import Mixture
from hmmem.parallel import n_workers, one_blas_thread, thread_map, unit_of_work
from hmmem.sequences import Sequences

LENGTHS = [9000, 1, 5000, 300, 20, 12_000, 7]
N, D = sum(LENGTHS), 3


def data() -> np.ndarray:
    rng = np.random.default_rng(0)
    states = np.repeat(rng.integers(0, 3, N // 10 + 1), 10)[:N]
    X = rng.normal(size=(N, D)) @ rng.normal(size=(D, D)) + 6 * rng.normal(size=(3, D))[states]
    return np.asarray(X)


def hmm_of(X: np.ndarray, n_jobs: int | None) -> Any:
    model = hmmem.GaussianHMM(3, "full", n_iter=4, tol=None, n_jobs=n_jobs, random_state=1, init="kmeans")
    return model.fit(X, lengths=LENGTHS)


def mixture_of(X: np.ndarray, n_jobs: int | None) -> Any:
    mixture = hmmem.GaussianMixture(3, max_iter=4, tol=None, n_jobs=n_jobs, random_state=1, init_params="kmeans")
    return mixture.fit(X)


def bits(model: Any) -> str:
    """A digest of the parameters and the history."""
    names = [
        name
        for name in ("startprob_", "transmat_", "weights_", "means_", "covars_", "covariances_")
        if hasattr(model, name)
    ]
    digest = hashlib.sha256(np.array(model.fit_report_.history).tobytes())
    for name in names:
        digest.update(np.ascontiguousarray(getattr(model, name)).tobytes())
    return digest.hexdigest()


def both(n_jobs: int | None) -> str:
    X = data()
    return f"{bits(hmm_of(X, n_jobs))} {bits(mixture_of(X, n_jobs))}"


@pytest.fixture(scope="module")
def expected() -> str:
    return both(1)


@pytest.mark.parametrize("n_jobs", [2, 3, None])
def test_fit_is_the_same_bit_by_bit_for_any_number_of_threads(n_jobs: int | None, expected: str) -> None:
    assert both(n_jobs) == expected


@pytest.mark.parametrize("threads", ["1", "2"])
def test_fit_is_the_same_bit_by_bit_whatever_the_environment_gives_to_blas(threads: str, expected: str) -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import test_parallel; print(test_parallel.both(2))"
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent)],
        env={**os.environ, **variables, "PYTHONPATH": str(Path(hmmem.__file__).parents[1])},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == expected, done.stderr


def test_two_fits_at_once_give_the_same_bits(expected: str) -> None:
    found: dict[int, str] = {}
    threads = [threading.Thread(target=lambda i=i: found.update({i: both(2)})) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert found == {0: expected, 1: expected}


def fit_in_child(pipe: Any) -> None:
    pipe.send(both(2))
    pipe.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fit_works_in_a_child_forked_after_a_fit(expected: str) -> None:
    both(2)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=fit_in_child, args=(there,))
    child.start()
    there.close()
    try:
        assert here.poll(120), "the child hangs"
        assert here.recv() == expected
    finally:
        child.join(timeout=10)
        if child.is_alive():
            child.kill()
    assert child.exitcode == 0


# ---- any map --------------------------------------------------------------------------------------------------------


def starts() -> Iterator[tuple[Any, Sequences]]:
    X = data()
    rows = Gaussian.of(X[[0, 1000, 2000]], np.stack([np.eye(D)] * 3), "full")
    chain = MarkovChain(np.full(3, 1 / 3), np.full((3, 3), 1 / 3))
    yield HiddenMarkovModel(chain, rows), Sequences.from_lengths(X, LENGTHS)
    yield Mixture(np.full(3, 1 / 3), rows), Sequences.from_lengths(X, [N])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_give_the_same_bits_as_this_thread() -> None:
    with ProcessPoolExecutor(2) as pool:
        for start, sequences in starts():
            here, report = fit_em(start, sequences, n_iter=3, tol=None)
            there, other = fit_em(start, sequences, n_iter=3, tol=None, map=pool.map)
            assert other.history == report.history
            assert here.emission.means.tobytes() == there.emission.means.tobytes()
            assert here.emission.covariance.values.tobytes() == there.emission.covariance.values.tobytes()


def test_units_of_work_hold_blas_to_one_thread_by_themselves() -> None:
    """In a process of a pool nobody else does."""
    from threadpoolctl import threadpool_info

    @unit_of_work
    def blas() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    assert blas() == {1}


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_thread_map_keeps_the_order_and_is_lazy(n_jobs: int) -> None:
    taken = []

    def items() -> Iterator[int]:
        for i in range(50):
            taken.append(i)
            yield i

    with thread_map(n_jobs) as map_:
        results = iter(map_(lambda i: i * i, items()))
        first = next(results)
        assert first == 0
        assert len(taken) <= 2 * n_jobs + 1
        assert list(results) == [i * i for i in range(1, 50)]
        assert list(map_(str, [])) == []
        assert list(map_(str, [7])) == ["7"]


def test_thread_map_passes_errors_on() -> None:
    def fail(i: int) -> int:
        if i == 3:
            raise ValueError("three")
        return i

    with thread_map(2) as map_, pytest.raises(ValueError, match="three"):
        list(map_(fail, range(10)))


def test_blas_is_held_to_one_thread_and_released_by_the_last() -> None:
    from threadpoolctl import threadpool_info

    def blas() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = blas()
    with one_blas_thread():
        with one_blas_thread():
            assert set(blas()) == {1}
        assert set(blas()) == {1}
    assert blas() == before


def test_n_workers_counts_cores_from_the_end() -> None:
    cores = n_workers(None)
    assert cores == n_workers(-1) >= 1
    assert n_workers(-cores) == 1
    assert n_workers(-1000) == 1
    assert n_workers(5) == 5


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_fits_inside_a_joblib_pool_give_the_same_bits(backend: str, expected: str) -> None:
    from joblib import Parallel, delayed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib's own, about processes that outlive the pool
        found = Parallel(n_jobs=2, backend=backend)(delayed(both)(2) for _ in range(2))
    assert found == [expected, expected]


def test_a_pool_inside_a_pool_gives_the_same_bits(expected: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(both, [2, 3, 1])) == {expected}


def test_results_come_in_order_and_not_all_at_once() -> None:
    begun: list[int] = []

    def task(i: int) -> int:
        begun.append(i)
        return i * i

    with thread_map(3) as run:
        results = run(task, range(100))
        assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
        assert max(begun) < 5 + 6
        assert list(results) == [i * i for i in range(5, 100)]
        assert list(run(task, [])) == []
        assert list(run(task, [7])) == [49]


def test_an_error_in_a_thread_reaches_the_one_who_asked() -> None:
    def task(i: int) -> int:
        if i == 5:
            raise ValueError("five")
        return i

    def items() -> Iterator[int]:
        yield from range(4)
        raise KeyError("four")

    with thread_map(2) as run:
        with pytest.raises(ValueError, match="five"):
            list(run(task, range(20)))
        with pytest.raises(KeyError, match="four"):
            list(run(task, items()))
        assert list(run(task, range(4))) == [0, 1, 2, 3]


class Refusal(BaseException):
    """Neither an Exception nor an interrupt."""


def test_results_that_nobody_asks_for_do_not_hold_up_the_end() -> None:
    """A consumer that fails keeps the iterator alive in its traceback; the pool must not wait for it for ever."""

    def consume() -> None:
        with thread_map(2) as run:
            results = run(lambda i: i, iter(range(1000)))
            for _ in results:
                raise Refusal("enough")

    failed: list[BaseException] = []

    def attempt() -> None:
        try:
            consume()
        except Refusal as error:
            failed.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert len(failed) == 1


def test_what_is_no_exception_reaches_the_one_who_asked_as_well() -> None:
    def task(i: int) -> int:
        if i == 7:
            raise Refusal("seven")
        return i

    def items() -> Iterator[int]:
        yield from range(5)
        raise Refusal("five")

    with thread_map(3) as run:
        with pytest.raises(Refusal, match="seven"):
            list(run(task, range(40)))
        with pytest.raises(Refusal, match="five"):
            list(run(task, items()))
