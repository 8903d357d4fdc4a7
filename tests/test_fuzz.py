"""A seeded part of ``python -m tests.fuzz``."""

from __future__ import annotations

import fuzz
import numpy as np
from generators import MODELS
from reference import log_forward_backward


def test_recursions_match_log_space_on_300_random_cases():
    report = fuzz.run(300, seed=1)
    assert report.ways["side by side"] > 150
    assert report.ways["one after the other"] == 300
    assert report.ways["segments"] > 5
    assert report.rescued > 10


def test_the_reference_of_the_fuzz_is_the_reference_of_the_tests():
    rng = np.random.default_rng(0)
    for make in MODELS.values():
        startprob, transmat, log_lik = make(rng, 4, 12)
        case = fuzz.Case("", fuzz.MarkovChain(startprob, transmat), log_lik, np.array([0, 12]))
        found, expected = fuzz.reference(case), log_forward_backward(startprob, transmat, log_lik)
        np.testing.assert_allclose(found.log_likelihood[0], expected.log_likelihood, rtol=1e-11)
        np.testing.assert_allclose(found.gamma, expected.gamma, atol=1e-9)
        np.testing.assert_allclose(found.counts, expected.counts, atol=1e-8)
