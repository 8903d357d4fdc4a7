"""All Numba, and nothing but Numba.

A kernel takes arrays and numbers and writes into arrays that its caller made: it knows no model, no estimator and no
file. Arrays are C-contiguous; every kernel has one signature, so that it is compiled once. Inputs come first, outputs
last, and what may share memory is said in the docstring.

===========  ==========================================================================================
scaled       forward, backward: recursions in probability space, one normalisation per frame
logspace     the same recursions in log space: slower, exact for every input; the rescue of the scaled ones
decoding     Viterbi forward and traceback, the joint probability of a path
emitting     densities and moments of the emission families
sampling     paths of a Markov chain
===========  ==========================================================================================

Common vocabulary: K states; a *block* is n frames of m sequences that lie behind one another, cut at ``offsets``
(m + 1,); a block may *continue*: then its single sequence began in the block before (``message`` is that block's last
alpha) or goes on in the next one (``ahead`` is that block's first ``onward`` row).
"""
