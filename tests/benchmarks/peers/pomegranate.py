"""pomegranate: torch, float32; all sequences in one batch. Timed is ``summarize``, the E-step, without the M-step.

Two ways: torch on all cores, its default, and on one, where it neither splits small arrays nor waits for its threads.
"""

from __future__ import annotations

from functools import partial

from hmmem.parallel import n_workers
from tests.benchmarks.contestants import Contestant, fastest, plain
from tests.benchmarks.workloads import Workload


def em(w: Workload) -> list[Contestant]:
    """One E-step into fresh statistics. End probabilities of 1 leave the likelihood as it is without end states."""
    import numpy as np
    import torch
    from pomegranate.distributions import Categorical, Normal
    from pomegranate.hmm import DenseHMM

    def single(array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, dtype=torch.float32)

    assert len(set(w.lengths.tolist())) == 1, "one batch holds sequences of one length"
    X = w.X.reshape(len(w.lengths), -1, w.D)
    if w.family == "categorical":
        rows = [Categorical(single(row)[None], check_data=False) for row in w.emission["table"]]
        frames = torch.tensor(X)
    else:
        pairs = zip(w.emission["means"], w.emission["covars"], strict=True)
        rows = [Normal(single(m), single(c), covariance_type=w.family, check_data=False) for m, c in pairs]
        frames = single(X)
    model = DenseHMM(rows, edges=single(w.transmat), starts=single(w.startprob), ends=torch.ones(w.K), check_data=False)

    @torch.inference_mode()
    def e_step(threads: int) -> float:
        torch.set_num_threads(threads)
        for part in (model, *rows):
            part._reset_cache()
        return float(model.summarize(frames).double().sum())

    ways = {"all cores": partial(e_step, n_workers(None)), "one core": partial(e_step, 1)}
    if len(w.lengths) == 1:  # nothing to share out in a batch of one
        return [plain("pomegranate", ways["all cores"], single=True)]
    return [fastest("pomegranate", ways, single=True)]
