"""Emission families: what a state says about the frames it produces.

One family per file; ``protocol.py`` states the contract, and ``tests/contract.py`` checks it for every family.
"""

from __future__ import annotations

from hmmem.emissions.categorical import Categorical
from hmmem.emissions.gaussian import Gaussian
from hmmem.emissions.poisson import Poisson

__all__ = ["Categorical", "Gaussian", "Poisson"]
