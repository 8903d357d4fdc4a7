"""``python -m pytest tests/benchmarks --benchmark-only``; ``python -m tests.benchmarks`` prints the comparison."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.workloads import SIZES, build


@pytest.mark.parametrize("workload", SIZES)
def test_em_iteration(benchmark, workload):
    with ExitStack() as stack:
        iteration = CONTESTANTS["hmmem"](build(workload), stack)
        assert benchmark(iteration) == iteration()
