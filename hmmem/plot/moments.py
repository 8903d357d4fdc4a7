"""Means and covariances of the states, whatever the family stores."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["moments"]


def moments(estimator: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return means (K, D) and covariance matrices (K, D, D) of the states; None for symbols.

    Examples
    --------
    >>> import hmmem as hmm
    >>> model = hmm.GaussianHMM(2, "spherical")
    >>> model.means_, model.covars_ = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([1.0, 4.0])
    >>> moments(model)[1].tolist()
    [[[1.0, 0.0], [0.0, 1.0]], [[4.0, 0.0], [0.0, 4.0]]]
    """
    if hasattr(estimator, "lambdas_"):
        rates = np.asarray(estimator.lambdas_, dtype=np.float64)
        return rates, _diagonal(rates)
    if not hasattr(estimator, "means_"):
        return None
    means = np.asarray(estimator.means_, dtype=np.float64)
    K, D = means.shape
    compact = np.asarray(getattr(estimator, "covars_", getattr(estimator, "covariances_", None)), dtype=np.float64)
    if estimator.covariance_type == "spherical":
        return means, _diagonal(np.broadcast_to(compact[:, None], (K, D)))
    if estimator.covariance_type == "diag":
        return means, _diagonal(compact)
    return means, np.array(np.broadcast_to(compact, (K, D, D)))


def _diagonal(variances: np.ndarray) -> np.ndarray:
    """Diagonal matrices (K, D, D) from their diagonals (K, D)."""
    matrices: np.ndarray = variances[:, :, None] * np.eye(variances.shape[1])
    return matrices
