"""What chains, mixtures and families share about probabilities: logarithms, normalised rows, stationary rows."""

from __future__ import annotations

import numpy as np

#: Less than this share of the total weight is no data.
STARVED = 1e-100


def log(p: np.ndarray) -> np.ndarray:
    """Return the natural logarithm of probabilities; -inf for 0, without a warning."""
    with np.errstate(divide="ignore"):
        return np.log(p)


def lane_sums(a: np.ndarray) -> np.ndarray:
    """Return the sums over rows and lanes of (n, K, 8): as a product with ones, ten times as fast as ``a.sum``."""
    sums: np.ndarray = (np.ones(len(a)) @ a.reshape(len(a), -1)).reshape(-1, 8).sum(axis=1)
    return sums


def normalise(counts: np.ndarray, before: np.ndarray, total: float) -> np.ndarray:
    """Return counts divided by their last axis' sums; a row with less than 1e-100 of ``total`` stays as before."""
    sums = counts.sum(axis=-1, keepdims=True)
    fed = sums > STARVED * total
    with np.errstate(over="ignore", invalid="ignore"):  # rows that are not fed are not used
        return np.where(fed, counts / np.where(fed, sums, 1.0), before)


def recurrent_classes(transmat: np.ndarray) -> list[np.ndarray]:
    """Return the sets of states that a chain stays in for ever once it has entered them."""
    from scipy.sparse.csgraph import connected_components  # 0.15 s that few programs need

    n, label = connected_components(transmat > 0, directed=True, connection="strong")
    classes = [np.flatnonzero(label == c) for c in range(n)]
    return sorted((c for c in classes if not transmat[np.ix_(c, label != label[c[0]])].any()), key=lambda c: int(c[0]))


def stationary(transmat: np.ndarray) -> np.ndarray:
    """Return pi (K,) with pi transmat = pi, by state reduction (Grassmann, Taksar and Heyman 1985).

    Only additions, multiplications and divisions of non-negative numbers: every entry has a small relative error, at
    any conditioning. States outside the one recurrent class get 0.
    """
    classes = recurrent_classes(transmat)
    if len(classes) > 1:
        named = ", ".join("{" + ", ".join(map(str, c)) + "}" for c in classes)
        raise ValueError(
            f"transmat has {len(classes)} recurrent classes of states, {named}, and so no single stationary"
            " distribution; take one class alone, or connect them"
        )
    states = classes[0]
    a = transmat[np.ix_(states, states)].copy()
    for n in range(len(a) - 1, 0, -1):
        a[:n, n] /= a[n, :n].sum()
        a[:n, :n] += np.outer(a[:n, n], a[n, :n])
    pi = np.zeros(len(a))
    pi[0] = 1.0
    for n in range(1, len(a)):
        pi[n] = pi[:n] @ a[:n, n]
    result = np.zeros(len(transmat))
    result[states] = pi / pi.sum()
    return result
