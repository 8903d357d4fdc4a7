"""``python -m pytest tests/benchmarks --benchmark-only``; ``python -m tests.benchmarks`` prints the comparison."""

from __future__ import annotations

import pytest

from tests.benchmarks.contestants import em
from tests.benchmarks.workloads import HMMS, MIXTURES, build


@pytest.mark.parametrize("workload", [*HMMS, *MIXTURES])
def test_em_iteration(benchmark, workload):
    with em(build(workload)).session() as iteration:
        assert benchmark(iteration) == iteration()
