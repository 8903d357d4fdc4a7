"""After ``warmup`` nothing is compiled any more, whatever is fitted, and whatever its arrays are like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

#: Signatures of each kernel after ``warmup``, and after everything else; what a kernel calls; where each is kept.
SCRIPT = """
import importlib, json, pkgutil, tempfile, warnings
from pathlib import Path
import joblib
import numpy as np
import hmmem
import hmmem.kernels
from hmmem.kernels.options import KERNELS

state = np.random.get_state()[1].tolist()
seconds = hmmem.warmup()
assert np.random.get_state()[1].tolist() == state
for module in pkgutil.walk_packages(hmmem.kernels.__path__, "hmmem.kernels."):
    importlib.import_module(module.name)
names = {id(kernel): name for name, kernel in KERNELS.items()}

def called(kernel):
    used = (kernel.py_func.__globals__.get(name) for name in kernel.py_func.__code__.co_names)
    return [names[id(each)] for each in used if id(each) in names]

def signatures():
    return {name: [str(each) for each in kernel.signatures] for name, kernel in KERNELS.items()}

after_warmup = signatures()
rng = np.random.default_rng(1)
X = np.vstack([rng.normal(0, 1, (60, 2)), rng.normal(5, 1, (60, 2))])
counts, symbols = rng.poisson(3.0, (120, 2)), rng.integers(0, 3, (120, 1))
folder = Path(tempfile.mkdtemp())

def forms(X):
    np.save(folder / "X.npy", X)
    read_only = X.copy()
    read_only.flags.writeable = False
    yield from (X, np.load(folder / "X.npy", mmap_mode="r"), read_only, np.asfortranarray(X), X[::2], X.tolist())
    yield from (X.astype(np.float32), X.astype(">f8")) if X.dtype == np.float64 else (X.astype(np.int32),)

def use(model, X, **lengths):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hmmem.HmmemWarning)
        model.fit(X, **lengths)
    joblib.dump(model, folder / "model.joblib")
    model.save(folder / "model.hmmem")
    for each in (model, joblib.load(folder / "model.joblib", mmap_mode="r"), hmmem.load(folder / "model.hmmem")):
        each.predict(X, **lengths)
        each.predict_proba(X, **lengths)
        each.score(X, **lengths)
        each.sample(5)

small = {"n_iter": 2, "tol": None, "random_state": 0}
for kind in ("diag", "spherical", "tied", "full"):
    for form in forms(X):
        n = len(form)
        for n_jobs in (1, 2):
            use(hmmem.GaussianHMM(2, kind, n_jobs=n_jobs, **small), form, lengths=[n // 12] * 12)
        use(hmmem.GaussianHMM(2, kind, **small), form)
        use(hmmem.GaussianMixture(2, covariance_type=kind, max_iter=2, tol=None, random_state=0), form)
    use(hmmem.GaussianHMM(2, kind, training="viterbi", algorithm="map", init="segments", **small), X)
for form in forms(counts):
    use(hmmem.PoissonHMM(2, **small), form, lengths=[len(form) // 12] * 12)
    use(hmmem.PoissonHMM(2, **small), form)
for form in (*forms(symbols), *forms(np.hstack([symbols, symbols]))):
    use(hmmem.CategoricalHMM(2, **small), form, lengths=[len(form) // 12] * 12)
    use(hmmem.CategoricalHMM(2, training="viterbi", **small), form)
long = rng.normal(size=(300_000, 1))
use(hmmem.GaussianHMM(3, **small), long)
use(hmmem.GaussianHMM(3, **small), long, lengths=[100_000, 200_000])
use(hmmem.GaussianHMM(70, init="random", **small), rng.normal(size=(900, 1)), lengths=[100] * 9)
use(hmmem.GaussianHMM(70, init="random", **small), rng.normal(size=(900, 1)))
hmmem.selftest()
kept = {name: type(kernel._cache).__name__ for name, kernel in KERNELS.items()}
calls = {name: called(kernel) for name, kernel in KERNELS.items()}
print(json.dumps([after_warmup, signatures(), calls, kept, seconds]))
"""


def run(script: str, **environment: str) -> Any:
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def found() -> Any:
    return run(SCRIPT)


def test_warmup_leaves_one_signature_of_every_kernel(found: Any) -> None:
    """A kernel that others call is inside of them: loaded from the disk, it is not there a second time by itself."""
    signatures, _, calls, *_ = found
    reached = [name for name, each in signatures.items() if each]
    for name in reached:  # grows as we go
        reached += [inner for inner in calls[name] if inner not in reached]
    assert signatures.keys() - set(reached) == set()
    assert {name: each for name, each in signatures.items() if len(each) > 1} == {}


def test_nothing_is_compiled_after_warmup(found: Any) -> None:
    before, after, *_ = found
    assert {name: each for name, each in after.items() if each != before[name]} == {}


def test_warmup_tells_how_long_it_took(found: Any) -> None:
    assert 0 < found[-1] < 300


def test_every_kernel_has_a_place_on_disk(found: Any) -> None:
    assert set(found[3].values()) == {"DiskCache"}


def test_warmup_without_the_jit_has_nothing_to_do() -> None:
    assert run(
        "import hmmem\nprint(hmmem.warmup() < 0.1)".replace("print(", "print(1 * (") + ")", NUMBA_DISABLE_JIT="1"
    )
