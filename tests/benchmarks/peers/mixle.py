"""mixle: Numba kernels over encoded sequences, and NumPy for densities and statistics.

Its general categorical (a dictionary) is used: the one for integers took twelve times as long. Its threads over states,
an internal setting, and its route without Numba were slower on every workload.
"""

from __future__ import annotations

import numpy as np

from tests.benchmarks.contestants import Contestant, fastest, plain
from tests.benchmarks.peers import on_all_cores_and_on_one
from tests.benchmarks.workloads import Workload


def em(w: Workload) -> list[Contestant]:
    """Statistics of all encoded sequences, as ``optimize`` gathers them, and the estimate from them."""
    from mixle.stats.latent.hidden_markov import HiddenMarkovEstimator, HiddenMarkovModelDistribution
    from mixle.stats.multivariate.diagonal_gaussian import DiagonalGaussianDistribution, DiagonalGaussianEstimator
    from mixle.stats.multivariate.multivariate_gaussian import (
        MultivariateGaussianDistribution,
        MultivariateGaussianEstimator,
    )
    from mixle.stats.univariate.discrete.categorical import CategoricalDistribution, CategoricalEstimator

    sequences = np.split(w.X, np.cumsum(w.lengths)[:-1])
    if w.family == "categorical":
        rows = [CategoricalDistribution(dict(enumerate(row))) for row in w.emission["table"]]
        estimators = [CategoricalEstimator() for _ in rows]
        frames = [sequence[:, 0].tolist() for sequence in sequences]
    else:
        diagonal = w.family == "diag"
        family = DiagonalGaussianDistribution if diagonal else MultivariateGaussianDistribution
        rows = [family(m, c) for m, c in zip(w.emission["means"], w.emission["covars"], strict=True)]
        estimator = DiagonalGaussianEstimator if diagonal else MultivariateGaussianEstimator
        estimators = [estimator(dim=w.D) for _ in rows]
        frames = [list(sequence) for sequence in sequences]
    model = HiddenMarkovModelDistribution(rows, w.startprob, w.transmat, use_numba=True)
    chain = HiddenMarkovEstimator(estimators, use_numba=True)
    encoded, weights = model.dist_to_encoder().seq_encode(frames), np.ones(len(frames))

    def iteration() -> float:
        statistics = chain.accumulator_factory().make()
        statistics._track_ll = True  # as optimize does: the log-likelihood comes from the E-step itself
        statistics.seq_update(encoded, weights, model)
        chain.estimate(float(len(frames)), statistics.value())
        return float(statistics._seq_ll)

    if w.family == "categorical":
        return [plain("mixle", iteration, compiles=True)]
    return [fastest("mixle", on_all_cores_and_on_one(iteration), compiles=True)]
