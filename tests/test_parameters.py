"""Wrong parameters and arguments are refused before anything changes, and the message says what is wrong with them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import hmmem
from hmmem import parameters as check

RNG = np.random.default_rng(3)
X = RNG.normal(size=(30, 2)) + 5.0 * (np.arange(30) % 10 < 5)[:, None]
COUNTS = RNG.poisson(4.0, size=(30, 2)).astype(float)
SYMBOLS = RNG.integers(3, size=(30, 1))
SHAPES = {"spherical": (2,), "diag": (2, 2), "tied": (2, 2), "full": (2, 2, 2)}
IDENTITY = {
    "spherical": np.ones(2),
    "diag": np.ones((2, 2)),
    "tied": np.eye(2),
    "full": np.tile(np.eye(2), (2, 1, 1)),
}


def chain_by_hand(model):
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]])
    return model


def gaussian(covariance_type="diag", **arguments):
    model = chain_by_hand(hmmem.GaussianHMM(2, covariance_type, **arguments))
    model.means_, model.covars_ = np.array([[0.0, 0.0], [5.0, 5.0]]), IDENTITY[covariance_type]
    return model


def poisson(**arguments):
    model = chain_by_hand(hmmem.PoissonHMM(2, **arguments))
    model.lambdas_ = np.array([[1.0, 2.0], [5.0, 6.0]])
    return model


def categorical(**arguments):
    model = chain_by_hand(hmmem.CategoricalHMM(2, **arguments))
    model.emissionprob_ = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    return model


def mixture(covariance_type="full", **arguments):
    model = hmmem.GaussianMixture(2, covariance_type=covariance_type, **arguments)
    model.weights_, model.means_ = np.array([0.4, 0.6]), np.array([[0.0, 0.0], [5.0, 5.0]])
    model.covariances_ = IDENTITY[covariance_type]
    return model


MAKERS = {"gaussian": (gaussian, X), "poisson": (poisson, COUNTS), "categorical": (categorical, SYMBOLS)}
CHAIN = [
    ("startprob_", [0.5, 0.25, 0.25], "startprob_ must have shape (2,); got (3,)"),
    ("startprob_", 0.5, "startprob_ must have shape (2,); got ()"),
    ("startprob_", [[0.5, 0.5]], "startprob_ must have shape (2,); got (1, 2)"),
    ("startprob_", [0.5, 0.47], "startprob_ must sum to 1; it sums to 0.97"),
    ("startprob_", [1.5, -0.5], "startprob_ must not be negative; startprob_[1] is -0.5"),
    ("startprob_", [np.nan, 1.0], "startprob_ must be finite; startprob_[0] is nan"),
    ("startprob_", ["a", "b"], "startprob_ must be an array of numbers of shape (2,)"),
    ("transmat_", [0.5, 0.5], "transmat_ must have shape (2, 2); got (2,)"),
    ("transmat_", [[0.5, 0.5]], "transmat_ must have shape (2, 2); got (1, 2)"),
    ("transmat_", [[0.9, 0.1], [0.2, 0.77]], "transmat_ rows must sum to 1; row 1 sums to 0.97"),
    ("transmat_", [[1.0, 0.0], [0.0, 0.0]], "transmat_ rows must sum to 1; row 1 sums to 0"),
    ("transmat_", [[1.1, -0.1], [0.2, 0.8]], "transmat_ must not be negative; transmat_[0, 1] is -0.1"),
    ("transmat_", [[0.9, 0.1], [np.inf, 0.8]], "transmat_ must be finite; transmat_[1, 0] is inf"),
    ("transmat_", [[0.9, 0.1], [0.2]], "transmat_ must be an array of numbers of shape (2, 2)"),
    ("transmat_", None, "transmat_ must"),
]
FAMILY = {
    "gaussian": [
        ("means_", [[0.0], [5.0]], "means_ must have shape (2, 2); got (2, 1)"),
        ("means_", [0.0, 5.0], "means_ must have shape"),
        ("means_", [[0.0, 0.0], [np.nan, 5.0]], "means_ must be finite; means_[1, 0] is nan"),
        ("covars_", [1.0, 1.0], "covars_ must have shape (2, 2); got (2,)"),
        ("covars_", 1.0, "covars_ must have shape (2, 2); got ()"),
        ("covars_", [[1.0, 0.0], [1.0, 1.0]], "covars_ must be positive; covars_[0, 1] is 0.0"),
        ("covars_", [[1.0, 1.0], [-2.0, 1.0]], "covars_ must be positive; covars_[1, 0] is -2.0"),
        ("covars_", [[1.0, np.inf], [1.0, 1.0]], "covars_ must be finite; covars_[0, 1] is inf"),
    ],
    "poisson": [
        ("lambdas_", [[1.0], [2.0]], "lambdas_ must have shape (2, 2); got (2, 1)"),
        ("lambdas_", [1.0, 2.0], "lambdas_ must have shape"),
        ("lambdas_", [[1.0, -1.0], [2.0, 2.0]], "lambdas_ must not be negative; lambdas_[0, 1] is -1.0"),
        ("lambdas_", [[1.0, np.nan], [2.0, 2.0]], "lambdas_ must be finite; lambdas_[0, 1] is nan"),
    ],
    "categorical": [
        ("emissionprob_", [[0.5, 0.5]], "emissionprob_ must have shape (2, 2); got (1, 2)"),
        ("emissionprob_", [0.5, 0.5], "emissionprob_ must have shape"),
        (
            "emissionprob_",
            [[0.5, 0.3, 0.2], [0.1, 0.2, 0.67]],
            "emissionprob_ rows must sum to 1; row 1 sums to 0.97",
        ),
        (
            "emissionprob_",
            [[1.5, -0.5, 0], [1, 0, 0]],
            "emissionprob_ must not be negative; emissionprob_[0, 1] is -0.5",
        ),
        ("emissionprob_", [[np.nan, 1, 0], [1, 0, 0]], "emissionprob_ must be finite; emissionprob_[0, 0] is nan"),
    ],
}
WRONG = [(family, *case) for family in MAKERS for case in (*CHAIN, *FAMILY[family])]


@pytest.mark.parametrize(("family", "name", "value", "message"), WRONG)
def test_parameters_set_wrong_by_hand_are_refused(family, name, value, message):
    make, data = MAKERS[family]
    model = make()
    if name in {"means_", "covars_", "lambdas_"}:  # once the number of features is known, shapes are exact
        model = type(model)(2, random_state=0).fit(data)
    setattr(model, name, value)
    for method in ("score", "predict", "predict_proba"):
        with pytest.raises(ValueError, match=re.escape(message)):
            getattr(model, method)(data)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.sample(3)


@pytest.mark.parametrize(("family", "name", "value", "message"), WRONG)
def test_fit_refuses_a_wrong_start_and_changes_nothing(family, name, value, message):
    make, data = MAKERS[family]
    for model in (make(init_params="", n_iter=2, tol=None), make(init_params="", n_iter=2, tol=None).fit(data)):
        setattr(model, name, value)
        before = dict(model.__dict__)
        with pytest.raises(ValueError, match=re.escape(message.split(" shape")[0])):
            model.fit(data)
        assert model.__dict__.keys() == before.keys()
        assert all(model.__dict__[key] is value for key, value in before.items())


@pytest.mark.parametrize(("family", "name", "value", "message"), [case for case in WRONG if case[2] is not None])
def test_fit_refuses_a_wrong_start_argument(family, name, value, message):
    make, data = MAKERS[family]
    model = make(**{f"{name}init": value})
    with pytest.raises(ValueError, match=re.escape(message.split(" shape")[0].replace(name, f"{name}init"))):
        model.fit(data)


@pytest.mark.parametrize("make", [gaussian, mixture])
@pytest.mark.parametrize("covariance_type", SHAPES)
def test_covariances_of_another_shape_are_never_broadcast(make, covariance_type):
    name = "covars_" if make is gaussian else "covariances_"
    for other, shape in SHAPES.items():
        model = make(covariance_type)
        setattr(model, name, IDENTITY[other])
        if other == covariance_type:
            assert np.isfinite(model.score(X))
        if shape == SHAPES[covariance_type]:
            continue  # two features and two states: the shapes cannot tell diag from tied
        with pytest.raises(ValueError, match=re.escape(f"must have shape {SHAPES[covariance_type]}; got {shape}")):
            model.score(X)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1.0, 0.5], [0.4, 1.0]], "must be symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "must be positive definite; its smallest eigenvalue is -1"),
        ([[1.0, 1.0], [1.0, 1.0]], "must be positive definite"),
        ([[0.0, 0.0], [0.0, 1.0]], "must be positive definite; its smallest eigenvalue is 0"),
        ([[-1.0, 0.0], [0.0, 1.0]], "must be positive definite; its smallest eigenvalue is -1"),
        ([[1.0, np.nan], [np.nan, 1.0]], "must be finite"),
    ],
)
def test_matrices_that_are_no_covariances_are_refused(matrix, message):
    for make, name in ((gaussian, "covars_"), (mixture, "covariances_")):
        tied, full = make("tied"), make("full")
        setattr(tied, name, np.array(matrix))
        setattr(full, name, np.stack([np.eye(2), matrix]))
        with pytest.raises(ValueError, match=f"covars_.*{message}|covariances_.*{message}"):
            tied.score(X)
        with pytest.raises(ValueError, match=message):
            full.score(X)
        if "finite" not in message:
            with pytest.raises(ValueError, match=r"\[1\] must"):
                full.predict(X)


def test_covariances_of_very_different_scales_are_judged_by_their_correlation():
    model = gaussian("tied")
    model.covars_ = np.array([[1e-100, 0.5], [0.5, 1e100]])  # correlation 0.5
    assert np.isfinite(model.sample(3, random_state=0)[0]).all()
    model.covars_ = np.array([[1e-100, 1.5], [1.5, 1e100]])
    with pytest.raises(ValueError, match="positive definite"):
        model.sample(3)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("weights_", [0.5, 0.47], "weights_ must sum to 1; it sums to 0.97"),
        ("weights_", [1.0], "weights_ must have shape (2,); got (1,)"),
        ("weights_", [-0.5, 1.5], "weights_ must not be negative; weights_[0] is -0.5"),
        ("means_", [[0.0, np.inf], [0.0, 0.0]], "means_ must be finite; means_[0, 1] is inf"),
        ("means_", [[0.0, 1.0]], "means_ must have shape (2, 2); got (1, 2)"),
    ],
)
def test_mixture_refuses_wrong_parameters(name, value, message):
    model = mixture()
    setattr(model, name, value)
    for method in ("score", "score_samples", "predict", "predict_proba", "aic", "bic"):
        with pytest.raises(ValueError, match=re.escape(message)):
            getattr(model, method)(X)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.sample(2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights_init": [0.5, 0.47]}, "weights_init must sum to 1; it sums to 0.97"),
        ({"weights_init": [0.5, 0.25, 0.25]}, "weights_init must have shape (2,); got (3,)"),
        ({"means_init": [[0.0], [1.0]]}, "means_init must have shape (2, 2); got (2, 1)"),
        ({"means_init": [[0.0, 0.0], [np.nan, 1.0]]}, "means_init must be finite"),
        ({"precisions_init": np.eye(2)}, "precisions_init must have shape (2, 2, 2); got (2, 2)"),
        ({"precisions_init": np.stack([np.eye(2), -np.eye(2)])}, "precisions_init[1] must be positive definite"),
        ({"covariance_type": "diag", "precisions_init": [[1.0, 0.0], [1.0, 1.0]]}, "precisions_init must be positive"),
    ],
)
def test_mixture_refuses_wrong_starts(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        hmmem.GaussianMixture(2, **arguments).fit(X)


def test_sums_may_be_off_by_1e_8_and_no_more():
    model = gaussian()
    model.startprob_ = np.array([0.5, 0.5 + 9e-9])
    assert np.isfinite(model.score(X))
    model.startprob_ = np.array([0.5, 0.5 + 1.1e-8])
    with pytest.raises(ValueError, match=r"sums to 1\.000000011"):
        model.score(X)


def test_row_two_of_three_is_named():
    with pytest.raises(ValueError, match=r"^transmat_ rows must sum to 1; row 2 sums to 0\.97$"):
        check.check_probabilities("transmat_", [[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0.25, 0.22]], (3, 3))


# ---- arguments ------------------------------------------------------------------------------------------------------

NUMBER = [
    ("abc", TypeError, "must be a number"),
    (np.nan, ValueError, "finite"),
    (-1, ValueError, "at least 0"),
    (True, TypeError, "number"),
]
COUNT = [
    (0, ValueError, "at least 1; got 0"),
    (-3, ValueError, "at least"),
    (2.0, TypeError, "must be an integer of at least"),
    ("2", TypeError, "'2' of type str"),
    (True, TypeError, "True of type bool"),
    (None, TypeError, "None of type NoneType"),
]
SHARED = [
    *[("n_components", *case) for case in COUNT],
    *[("n_init", *case) for case in COUNT],
    *[(name, *case) for name in ("tol", "param_tol", "max_time") for case in NUMBER],
    ("tol", np.inf, ValueError, "finite"),
    ("n_jobs", 0, ValueError, "n_jobs must not be 0; None or -1 use all cores"),
    ("n_jobs", 1.5, TypeError, "n_jobs must be an integer"),
    ("n_jobs", "all", TypeError, "n_jobs must be an integer"),
    ("random_state", -1, ValueError, "random_state must be at least 0; got -1"),
    ("random_state", 0.5, TypeError, "random_state must be an integer"),
    ("random_state", "seed", TypeError, "random_state must be an integer"),
    ("callback", 3, TypeError, "callback must be callable as callback.iteration, objective, model.; got 3"),
]
HMM = [
    *SHARED,
    *[("n_iter", *case) for case in COUNT[1:]],
    ("algorithm", "posterior", ValueError, "algorithm must be one of 'viterbi', 'map'; got 'posterior'"),
    ("training", "em", ValueError, "training must be one of 'baum-welch', 'viterbi'; got 'em'"),
    ("params", "xyz", ValueError, "params must be a string of the letters s, t, "),
    ("init_params", 3, ValueError, "init_params must be a string of the letters"),
    ("init", "kmedoids", ValueError, "init must be one of "),
    ("init", [0, 1], ValueError, r"an integer state for each of the 30 frames; got shape \(2,\)"),
    ("init", np.zeros(30), ValueError, "shape .30,. of float64"),
    ("init", np.full(30, 2), ValueError, "init must hold states 0 to 1; it holds 2 to 2"),
    ("init", np.full(30, -1), ValueError, "it holds -1 to -1"),
    ("init", 7, ValueError, "got 7"),
]
GAUSSIAN = [
    ("covariance_type", "round", ValueError, "covariance_type must be one of .*; got 'round'"),
    *[("variance_floor", *case) for case in NUMBER],
    ("variance_floor", None, TypeError, "variance_floor must be a number"),
]
ARGUMENTS = [
    *[("gaussian", *case) for case in HMM + GAUSSIAN],
    *[("poisson", *case) for case in HMM],
    *[("categorical", *case) for case in HMM],
    *[("mixture", *case) for case in SHARED + GAUSSIAN],
    *[("mixture", "max_iter", *case) for case in COUNT[1:]],
    ("mixture", "init_params", "kmedoids", ValueError, "init_params must be one of 'kmeans', "),
    ("categorical", "init", "kmeans", ValueError, "init must be one of 'random', 'segments'; got 'kmeans'"),
]


@pytest.mark.parametrize(("family", "name", "value", "error", "message"), ARGUMENTS)
def test_wrong_arguments_are_refused_by_name_and_leave_the_fit(family, name, value, error, message):
    make, data = {**MAKERS, "mixture": (mixture, X)}[family]
    model = type(make())(2, random_state=0, tol=1e-2).fit(data)
    model.set_params(**{name: value})
    before = dict(model.__dict__)
    with pytest.raises(error, match=message):
        model.fit(data)
    assert all(model.__dict__[key] is value for key, value in before.items())
    assert model.__dict__.keys() == before.keys()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.decode(X, algorithm="posterior"), ValueError, "algorithm must be one of"),
        (lambda m: m.sample(0), ValueError, "n_samples must be at least 1; got 0"),
        (lambda m: m.sample(2.5), TypeError, "n_samples must be an integer"),
        (lambda m: m.sample(3, random_state="x"), TypeError, "random_state must be an integer"),
        (lambda m: m.sample(3, currstate=2), ValueError, "currstate must be a state, 0 to 1; got 2"),
        (lambda m: m.sample(3, currstate=-1), ValueError, "currstate must be at least 0; got -1"),
        (lambda m: m.sample(3, currstate=0.5), TypeError, "currstate must be an integer"),
        (lambda m: m.sample(lengths=[3, 0]), ValueError, "sequence 1 has 0 frames"),
        (lambda m: m.sample(lengths=[]), ValueError, "lengths must be a 1-D array of positive integers"),
        (lambda m: m.sample(lengths=["a"]), ValueError, "lengths must be a 1-D array of positive integers"),
        (lambda m: m.sample(lengths=3), ValueError, "lengths must be a 1-D array of positive integers"),
    ],
)
def test_wrong_arguments_of_methods_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(gaussian())


def test_init_params_that_leaves_out_what_is_not_set_says_what_to_set():
    with pytest.raises(
        ValueError, match="init_params='stc' leaves 'm' out, so the start needs means_; set it, or pass"
    ):
        hmmem.GaussianHMM(2, init_params="stc").fit(X)


def test_fewer_frames_than_components_are_refused_by_the_mixture():
    with pytest.raises(ValueError, match="X must hold at least n_components=2 frames; it has 1 samples"):
        hmmem.GaussianMixture(2).fit(X[:1])


@pytest.mark.parametrize(
    "tables",
    [
        [np.full((2, 3), 1 / 3)],
        [np.full((2, 3), 1 / 3)] * 3,
        np.full((2, 3), 1 / 3),
        [np.full((2, 3), 1 / 3), np.full((2, 1), 1.0)],
        5,
        "ab",
    ],
)
def test_tables_that_do_not_fit_the_columns_are_refused(tables):
    two = np.hstack([SYMBOLS, SYMBOLS])
    with pytest.raises(ValueError, match="emissionprob_"):
        hmmem.CategoricalHMM(2, emissionprob_init=tables).fit(two)


def test_generator_of_any_seed_leaves_it_as_it_was():
    for seed in (np.random.default_rng(5), np.random.RandomState(5)):
        first = check.generator(seed).random(4)
        assert_array_equal(check.generator(seed).random(4), first)
        check.generator(seed).spawn(2)
        assert_array_equal(check.generator(seed).random(4), first)
    assert_array_equal(check.generator(np.int64(7)).random(3), np.random.default_rng(7).random(3))
