"""dynamax: JAX, float64, E-step and M-step compiled into one function.

Two ways over the sequences: ``vmap``, as its own ``fit_em`` goes, and ``lax.map``, one after the other. Dirichlet
priors are flat; the Gaussian ones cannot be switched off and stay at their weak defaults.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.contestants import Contestant, Iteration, fastest
from tests.benchmarks.workloads import Workload


def em(w: Workload) -> list[Contestant]:
    """One EM step: ``model.e_step`` over all sequences, their log-likelihoods added up, ``model.m_step``."""
    import jax

    jax.config.update("jax_enable_x64", True)
    assert len(set(w.lengths.tolist())) == 1, "dynamax takes sequences of one length"
    model, params, props = _model(w)
    state = model.initialize_m_step_state(params, props)
    X = jax.numpy.asarray(w.X.reshape(len(w.lengths), -1, w.D))
    over = {"vmap": lambda step, X: jax.vmap(step)(X), "lax.map": jax.lax.map}
    if len(w.lengths) == 1:
        del over["lax.map"]

    def way(run: Any) -> Iteration:
        @jax.jit
        def step(params: Any, X: Any) -> Any:
            statistics, log_likelihoods = run(partial(model.e_step, params), X)
            return model.m_step(params, props, statistics, state)[0], log_likelihoods.sum()

        return lambda: float(jax.block_until_ready(step(params, X))[1])

    return [fastest("dynamax", {name: way(run) for name, run in over.items()}, compiles=True)]


def _model(w: Workload) -> tuple[Any, Any, Any]:
    import jax.numpy as jnp
    from dynamax.hidden_markov_model import CategoricalHMM, DiagonalGaussianHMM, GaussianHMM

    flat: dict[str, Any] = {"initial_probs_concentration": 1.0, "transition_matrix_concentration": 1.0}
    model: Any
    if w.family == "categorical":
        table = w.emission["table"]
        model = CategoricalHMM(w.K, 1, table.shape[1], emission_prior_concentration=1.0, **flat)
        start = {"emission_probs": jnp.asarray(table)[:, None, :]}
    else:
        start = {"emission_means": jnp.asarray(w.emission["means"])}
        if w.family == "diag":
            model = DiagonalGaussianHMM(w.K, w.D, **flat)
            start["emission_scale_diags"] = jnp.asarray(np.sqrt(w.emission["covars"]))
        else:
            model = GaussianHMM(w.K, w.D, **flat)
            start["emission_covariances"] = jnp.asarray(w.emission["covars"])
    chain = {"initial_probs": jnp.asarray(w.startprob), "transition_matrix": jnp.asarray(w.transmat)}
    return (model, *model.initialize(**chain, **start))
