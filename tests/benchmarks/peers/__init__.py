"""The peers: one module each, with a function per section that returns contestants; libraries are imported when used.

A peer is set up once, as well as it can be: data in its own form, compiled, sequences in batches where it can. Where it
offers several ways, each is tried on each workload and the fastest is timed. Priors are switched off where they can be.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from tests.benchmarks.contestants import Contestant, Iteration
from tests.benchmarks.workloads import Workload

#: Peer, and the sections in which it takes part.
SECTIONS = {
    "hmmlearn": ("em", "viterbi", "tiny"),
    "dynamax": ("em",),
    "pomegranate": ("em",),
    "mixle": ("em",),
    "scikit-learn": ("gmm",),
}


def installed() -> list[str]:
    """Return the peers of this environment."""
    return [peer for peer in SECTIONS if version_of(peer) is not None]


def version_of(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def contestants(section: str, workload: Workload, peers: list[str]) -> list[Contestant]:
    """Return what these peers enter for a section."""
    found = []
    for peer in peers:
        if section in SECTIONS[peer]:
            module = import_module(f"tests.benchmarks.peers.{peer.replace('-', '_')}")
            enter: Callable[[Workload], list[Contestant]] = getattr(module, section)
            found += enter(workload)
    return found


def on_all_cores_and_on_one(iteration: Iteration) -> dict[str, Iteration]:
    """Return both ways of a library that leaves its threads to BLAS: these wait for each other on a busy machine."""
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()  # of the libraries that are loaded now

    def alone() -> float:
        with controller.limit(limits=1):
            return iteration()

    return {"all cores": iteration, "one core": alone}
