"""All Numba, and nothing but Numba.

A kernel takes arrays and numbers and writes into arrays that its caller made: it knows no model, no estimator and no
file. Arrays are C-contiguous; every kernel has one signature, so that it is compiled once. Inputs come first, outputs
last, and what may share memory is said in the docstring.

===========  ==========================================================================================
options      the decorators of all kernels; cache: compiled kernels on disk
simd         eight numbers at once: the vector type and its operations
packing      frames side by side, in lanes, and back
lanes        forward, backward: recursions of eight sequences, or segments of a long one, side by side
messages     messages into segments from the frames around them, with a certificate
scaled       the same recursions of one sequence after the other
logspace     the same recursions in log space: slower, exact for every input; the rescue of the others
products     sums of products over frames: what transition counts and moments are made of
emitting     densities of the emission families, responsibilities of mixtures
moments      statistics of the emission families
decoding     Viterbi forward and traceback, the joint probability of a path
sampling     paths of a Markov chain
===========  ==========================================================================================

Common vocabulary: K states; a *block* is n frames of m sequences that lie behind one another, cut at ``offsets``
(m + 1,); a block may *continue*: then its single sequence began in the block before (``message`` is that block's last
alpha) or goes on in the next one (``ahead`` is that block's first ``onward`` row).
"""

from __future__ import annotations

from hmmem.kernels import options  # first: what compiled kernels are kept under is read before they are

__all__ = ["options"]
