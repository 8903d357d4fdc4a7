"""The array functions: recursions on plain arrays, with no model object."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from hmmem import decoding, recursions
from hmmem.chain import ChainArrays, MarkovChain
from hmmem.parameters import check_array, check_probabilities
from hmmem.probabilities import stationary
from hmmem.sequences import BLOCK_SIZE

#: Log-likelihoods beyond this could not be added up over frames.
LARGEST = 1e300


class ForwardBackward(NamedTuple):
    """Result of :func:`forward_backward`.

    Attributes
    ----------
    log_likelihood : float
        log p(x) in nats; -inf for an impossible sequence.
    gamma : ndarray of shape (T, K)
        ``gamma[t, k] = p(s_t = k | x)``; zeros for an impossible sequence.
    counts : ndarray of shape (K, K)
        ``counts[i, j] = sum_t p(s_t-1 = i, s_t = j | x)``, the expected transitions.
    """

    log_likelihood: float
    gamma: np.ndarray
    counts: np.ndarray


def _checked(startprob: Any, transmat: Any, log_lik: Any, endprob: Any) -> tuple[ChainArrays, np.ndarray]:
    log_lik = np.asarray(log_lik)
    if log_lik.dtype.kind not in "fiub":
        raise TypeError(f"log_lik must be an array of real numbers; got dtype {log_lik.dtype}")
    log_lik = np.ascontiguousarray(log_lik, dtype=np.float64)
    if log_lik.ndim != 2 or 0 in log_lik.shape:
        raise ValueError(f"log_lik must have shape (T, K), at least one frame and one state; got {log_lik.shape}")
    for start in range(0, len(log_lik), BLOCK_SIZE):
        piece = log_lik[start : start + BLOCK_SIZE]
        wrong = np.isnan(piece) | ((np.abs(piece) > LARGEST) & (piece != -np.inf))
        if wrong.any():
            t, k = np.argwhere(wrong)[0]
            raise ValueError(
                f"log_lik must be -inf or a number between -{LARGEST:g} and {LARGEST:g}; log_lik[{start + t}, {k}] is"
                f" {piece[t, k]}"
            )
    K = log_lik.shape[1]
    startprob = check_probabilities("startprob", startprob, (K,))
    total: Any = 1.0
    if endprob is not None:
        endprob = check_array("endprob", endprob, (K,))
        if np.any((endprob < 0) | (endprob > 1)):
            raise ValueError(f"endprob must lie between 0 and 1; got {endprob}")
        rows = np.asarray(transmat, dtype=np.float64).sum(axis=-1) if np.shape(transmat) == (K, K) else None
        # rows that sum to one: endprob is then a weight of the last state, not part of the rows
        total = 1.0 if rows is not None and np.allclose(rows, 1.0, rtol=0, atol=1e-8) else 1.0 - endprob
    transmat = check_probabilities("transmat", transmat, (K, K), total)
    return MarkovChain(startprob, transmat, endprob).arrays, log_lik


def _pieces(log_lik: np.ndarray) -> list[np.ndarray]:
    step = max(1, BLOCK_SIZE // log_lik.shape[1])
    return [log_lik[start : start + step] for start in range(0, len(log_lik), step)]


def _same(piece: np.ndarray) -> np.ndarray:
    return piece


def forward(startprob: Any, transmat: Any, log_lik: Any, endprob: Any = None) -> tuple[float, np.ndarray]:
    """Return the log-likelihood and the filtered state probabilities of one sequence.

    Parameters
    ----------
    startprob : array-like of shape (K,)
        ``startprob[k] = p(s_1 = k)``.
    transmat : array-like of shape (K, K)
        ``transmat[i, j] = p(s_t = j | s_t-1 = i)``.
    log_lik : array-like of shape (T, K)
        ``log_lik[t, k] = log p(x_t | s_t = k)`` in nats; -inf: impossible.
    endprob : array-like of shape (K,), optional
        Probability that the sequence ends after each state; rows of transmat then sum to ``1 - endprob``, or to 1 if
        endprob only weighs the last state. None: a sequence may stop anywhere.

    Returns
    -------
    log_likelihood : float
        log p(x) in nats; -inf for an impossible sequence.
    alpha : ndarray of shape (T, K)
        ``alpha[t, k] = p(s_t = k | x_1..t)``. A possible state has at least the probability
        2^-500 (3e-151), never 0. Zeros from the first impossible frame on.

    Raises
    ------
    ValueError
        If a shape, a sum or a sign is wrong, or log_lik holds nan or +inf.

    Notes
    -----
    Rabiner (1989), eqs. 91 to 93, normalised frame by frame; a sequence for which double precision cannot bound the
    relative error by 1e-12 is run again in log space. Time T K^2, memory T K.

    Examples
    --------
    >>> import numpy as np, hmmem
    >>> log_lik = np.log([[0.9, 0.2], [0.9, 0.2], [0.1, 0.8]])  # umbrella, umbrella, none
    >>> log_likelihood, alpha = hmmem.forward([0.5, 0.5], [[0.7, 0.3], [0.3, 0.7]], log_lik)
    >>> alpha.round(4).tolist()
    [[0.8182, 0.1818], [0.8834, 0.1166], [0.1907, 0.8093]]
    """
    chain, log_lik = _checked(startprob, transmat, log_lik, endprob)
    alphas: list[np.ndarray] = []

    def visit(i: int, alpha: np.ndarray, log_c: np.ndarray) -> None:
        del alphas[i:]
        alphas.append(alpha)

    log_likelihood, _ = recursions.filter_strip(chain, _pieces(log_lik), _same, visit)
    alpha = np.zeros_like(log_lik)
    found = np.concatenate(alphas)
    alpha[: len(found)] = found
    return log_likelihood, alpha


def backward(startprob: Any, transmat: Any, log_lik: Any, endprob: Any = None) -> np.ndarray:
    """Return beta, scaled so that gamma = alpha * beta with the alpha of :func:`forward`.

    Parameters
    ----------
    startprob, transmat, log_lik, endprob
        As in :func:`forward`.

    Returns
    -------
    beta : ndarray of shape (T, K)
        ``beta[t, k] = p(x_t+1..T | s_t = k) / p(x_t+1..T | x_1..t)``, so that the last row is 1 without endprob. States
        that no allowed path reaches get 0, and so does every state of an impossible sequence.

    Notes
    -----
    Rabiner (1989), eqs. 24 and 25, in the form gamma / alpha, which holds by construction. Time T K^2, memory T K.

    Examples
    --------
    >>> import numpy as np, hmmem
    >>> log_lik = np.log([[0.9, 0.2], [0.9, 0.2]])
    >>> hmmem.backward([0.5, 0.5], [[0.7, 0.3], [0.3, 0.7]], log_lik).round(4).tolist()
    [[1.0797, 0.6415], [1.0, 1.0]]
    """
    _, alpha = forward(startprob, transmat, log_lik, endprob)
    gamma = forward_backward(startprob, transmat, log_lik, endprob).gamma
    return np.divide(gamma, alpha, out=np.zeros_like(gamma), where=alpha > 0)


def forward_backward(startprob: Any, transmat: Any, log_lik: Any, endprob: Any = None) -> ForwardBackward:
    """Return the log-likelihood, the posteriors of the states and the expected transitions of one sequence.

    Parameters
    ----------
    startprob, transmat, log_lik, endprob
        As in :func:`forward`.

    Returns
    -------
    ForwardBackward
        ``log_likelihood``, ``gamma`` (T, K) with rows that sum to 1, ``counts`` (K, K) that add up to T - 1. For an
        impossible sequence: -inf, zeros, zeros.

    Notes
    -----
    Rabiner (1989), eqs. 27 and 37. Time T K^2, memory T K; nothing of size T K K is built.

    Examples
    --------
    >>> import numpy as np, hmmem
    >>> log_lik = np.log([[0.9, 0.2], [0.9, 0.2]])  # umbrella on two days (Russell and Norvig, ch. 14)
    >>> result = hmmem.forward_backward([0.5, 0.5], [[0.7, 0.3], [0.3, 0.7]], log_lik)
    >>> result.gamma.round(4).tolist()
    [[0.8834, 0.1166], [0.8834, 0.1166]]
    """
    chain, log_lik = _checked(startprob, transmat, log_lik, endprob)
    pieces = _pieces(log_lik)
    gammas = [np.zeros_like(piece) for piece in pieces]

    def visit(i: int, gamma: np.ndarray) -> None:
        gammas[i] = gamma

    log_likelihood, possible, counts, _ = recursions.smooth_strip(chain, pieces, _same, visit)
    gamma = np.concatenate(gammas) if possible else np.zeros_like(log_lik)
    return ForwardBackward(log_likelihood, gamma, counts)


def viterbi(startprob: Any, transmat: Any, log_lik: Any, endprob: Any = None) -> tuple[np.ndarray, float]:
    """Return the most probable path of one sequence and its log-probability.

    Parameters
    ----------
    startprob, transmat, log_lik, endprob
        As in :func:`forward`.

    Returns
    -------
    path : ndarray of shape (T,), int64
        The path with the largest log p(x, path); ties go to the lowest state, from the last frame backwards. -1
        throughout for an impossible sequence.
    log_prob : float
        log p(x, path) in nats.

    Notes
    -----
    Viterbi (1967); Rabiner (1989), eqs. 32 to 35. Time T K^2, memory T K.

    Examples
    --------
    >>> import numpy as np, hmmem
    >>> log_lik = np.log([[0.5, 0.1], [0.4, 0.3], [0.1, 0.6]])  # normal, cold, dizzy
    >>> path, log_prob = hmmem.viterbi([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], log_lik)
    >>> path.tolist(), round(float(np.exp(log_prob)), 5)
    ([0, 0, 1], 0.01512)
    """
    chain, log_lik = _checked(startprob, transmat, log_lik, endprob)
    return decoding.decode_strip(chain, _pieces(log_lik), _same, log_lik, _same)


def joint_log_prob(startprob: Any, transmat: Any, log_lik: Any, path: Any, endprob: Any = None) -> float:
    """Return log p(x, path) of one sequence and a path.

    Parameters
    ----------
    startprob, transmat, log_lik
        As in :func:`forward`.
    path : array-like of int, shape (T,)
        A state for each frame.
    endprob
        As in :func:`forward`.

    Returns
    -------
    float
        log p(x, path) in nats; -inf for a path that is not allowed.

    Raises
    ------
    ValueError
        If path is not T states.

    Notes
    -----
    Compensated summation; time and memory T.

    Examples
    --------
    >>> import numpy as np, hmmem
    >>> log_lik = np.log([[0.5, 0.1], [0.4, 0.3], [0.1, 0.6]])
    >>> value = hmmem.joint_log_prob([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], log_lik, [0, 0, 1])
    >>> round(float(np.exp(value)), 5)
    0.01512
    """
    chain, log_lik = _checked(startprob, transmat, log_lik, endprob)
    T, K = log_lik.shape
    states = np.asarray(path)
    if states.shape != (T,) or states.dtype.kind not in "iu":
        raise ValueError(
            f"path must hold {T} integer states, one per frame; got shape {states.shape} of {states.dtype}"
        )
    if states.min() < 0 or states.max() >= K:
        raise ValueError(f"path must hold states 0 to {K - 1}; it holds {states.min()} to {states.max()}")
    states = np.ascontiguousarray(states, dtype=np.int64)
    value = decoding.path_log_prob(chain, log_lik, np.array([0, T]), states)[0]
    return float(value) if math.isfinite(value) else -math.inf


def stationary_distribution(transmat: Any) -> np.ndarray:
    """Return the distribution that a chain keeps once it has it.

    Parameters
    ----------
    transmat : array-like of shape (K, K)
        ``transmat[i, j] = p(s_t = j | s_t-1 = i)``.

    Returns
    -------
    pi : ndarray of shape (K,)
        ``pi @ transmat = pi``, every entry with a small relative error; 0 for states that are left for ever.

    Raises
    ------
    ValueError
        If several classes of states are recurrent, so that pi is not unique; the message names them.

    Notes
    -----
    State reduction (Grassmann, Taksar and Heyman 1985): no subtraction, no cancellation. Time K^3.

    Examples
    --------
    >>> import hmmem
    >>> hmmem.stationary_distribution([[0.9, 0.1], [0.3, 0.7]]).round(4).tolist()
    [0.75, 0.25]
    """
    matrix = np.asarray(transmat)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or 0 in matrix.shape:
        raise ValueError(f"transmat must have shape (K, K); got {matrix.shape}")
    return stationary(check_probabilities("transmat", transmat, matrix.shape))
