"""scikit-learn's GaussianMixture: NumPy and BLAS, on all cores or on one."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.contestants import Contestant, fastest
from tests.benchmarks.peers import on_all_cores_and_on_one
from tests.benchmarks.workloads import Workload


def gmm(w: Workload) -> list[Contestant]:
    """One pass of the loop in ``fit``: its own ``_e_step`` and ``_m_step``, without checks and without a start."""
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(w.K, covariance_type=w.family, reg_covar=0.0)
    # the covariances of all workloads are identities, and so are the Cholesky factors of their inverses
    factors = w.emission["covars"].copy()

    def iteration() -> float:
        model.weights_, model.means_ = w.weights, w.emission["means"]
        model.covariances_, model.precisions_cholesky_ = w.emission["covars"], factors
        mean_log_likelihood, log_resp = model._e_step(w.X)
        model._m_step(w.X, log_resp)
        return float(mean_log_likelihood) * len(w.X)

    assert np.all((factors == 0) | (factors == 1))
    return [fastest("scikit-learn", on_all_cores_and_on_one(iteration))]
