"""hmmem: hidden Markov models and mixtures, trained by one exact EM driver.

Public names resolve on first use, so that ``import hmmem`` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "GaussianHMM": "hmmem.estimators.gaussian_hmm",
    "CategoricalHMM": "hmmem.estimators.categorical_hmm",
    "PoissonHMM": "hmmem.estimators.poisson_hmm",
    "GaussianMixture": "hmmem.estimators.gaussian_mixture",
    "forward": "hmmem.functions",
    "backward": "hmmem.functions",
    "forward_backward": "hmmem.functions",
    "ForwardBackward": "hmmem.functions",
    "viterbi": "hmmem.functions",
    "joint_log_prob": "hmmem.functions",
    "stationary_distribution": "hmmem.functions",
    "Sequences": "hmmem.sequences",
    "SequenceKFold": "hmmem.folds",
    "Statistics": "hmmem.statistics",
    "FitReport": "hmmem.report",
    "MarkovChain": "hmmem.chain",
    "HiddenMarkovModel": "hmmem.hmm",
    "Mixture": "hmmem.mixture",
    "fit_em": "hmmem.em",
    "load": "hmmem.files.registry",
    "register": "hmmem.files.registry",
    "ModelFileError": "hmmem.files.model_file",
    "load_dataset": "hmmem.datasets",
    "Dataset": "hmmem.datasets",
    "from_hmmlearn": "hmmem.compat",
    "from_sklearn": "hmmem.compat",
    "selftest": "hmmem.selftesting",
    "warmup": "hmmem.warming",
    "plot_fit": "hmmem.plot",
    "HmmemWarning": "hmmem.exceptions",
    "ConvergenceWarning": "hmmem.exceptions",
    "MonotonicityWarning": "hmmem.exceptions",
    "StarvedStateWarning": "hmmem.exceptions",
    "StartIgnoredWarning": "hmmem.exceptions",
    "ConstantFeatureWarning": "hmmem.exceptions",
    "ImpossibleSequenceWarning": "hmmem.exceptions",
    "SingularWarning": "hmmem.exceptions",
    "SingularModelError": "hmmem.exceptions",
    "ImpossibleSequenceError": "hmmem.exceptions",
}

_MODELS = "GaussianHMM, CategoricalHMM, PoissonHMM and GaussianMixture"
#: Models of hmmlearn and scikit-learn that have no counterpart.
_ELSEWHERE = {
    "GMMHMM",
    "MultinomialHMM",
    "VariationalGaussianHMM",
    "VariationalCategoricalHMM",
    "BayesianGaussianMixture",
}

if TYPE_CHECKING:
    from hmmem.chain import MarkovChain as MarkovChain
    from hmmem.compat import from_hmmlearn as from_hmmlearn
    from hmmem.compat import from_sklearn as from_sklearn
    from hmmem.datasets import Dataset as Dataset
    from hmmem.datasets import load_dataset as load_dataset
    from hmmem.em import fit_em as fit_em
    from hmmem.estimators.categorical_hmm import CategoricalHMM as CategoricalHMM
    from hmmem.estimators.gaussian_hmm import GaussianHMM as GaussianHMM
    from hmmem.estimators.gaussian_mixture import GaussianMixture as GaussianMixture
    from hmmem.estimators.poisson_hmm import PoissonHMM as PoissonHMM
    from hmmem.exceptions import ConstantFeatureWarning as ConstantFeatureWarning
    from hmmem.exceptions import ConvergenceWarning as ConvergenceWarning
    from hmmem.exceptions import HmmemWarning as HmmemWarning
    from hmmem.exceptions import ImpossibleSequenceError as ImpossibleSequenceError
    from hmmem.exceptions import ImpossibleSequenceWarning as ImpossibleSequenceWarning
    from hmmem.exceptions import MonotonicityWarning as MonotonicityWarning
    from hmmem.exceptions import SingularModelError as SingularModelError
    from hmmem.exceptions import SingularWarning as SingularWarning
    from hmmem.exceptions import StartIgnoredWarning as StartIgnoredWarning
    from hmmem.exceptions import StarvedStateWarning as StarvedStateWarning
    from hmmem.files.model_file import ModelFileError as ModelFileError
    from hmmem.files.registry import load as load
    from hmmem.files.registry import register as register
    from hmmem.folds import SequenceKFold as SequenceKFold
    from hmmem.functions import ForwardBackward as ForwardBackward
    from hmmem.functions import backward as backward
    from hmmem.functions import forward as forward
    from hmmem.functions import forward_backward as forward_backward
    from hmmem.functions import joint_log_prob as joint_log_prob
    from hmmem.functions import stationary_distribution as stationary_distribution
    from hmmem.functions import viterbi as viterbi
    from hmmem.hmm import HiddenMarkovModel as HiddenMarkovModel
    from hmmem.mixture import Mixture as Mixture
    from hmmem.plot import plot_fit as plot_fit
    from hmmem.report import FitReport as FitReport
    from hmmem.selftesting import selftest as selftest
    from hmmem.sequences import Sequences as Sequences
    from hmmem.statistics import Statistics as Statistics
    from hmmem.warming import warmup as warmup

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        import difflib

        near = difflib.get_close_matches(name, _HOMES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        if name in _ELSEWHERE:
            hint = f"; there is no such model yet, the models are {_MODELS}"
        raise AttributeError(f"module 'hmmem' has no attribute {name!r}{hint}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
