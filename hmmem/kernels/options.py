"""The decorators of all kernels."""

from __future__ import annotations

from numba import njit

#: contract, nsz and arcp alone: nnan and ninf would take away the meaning of -inf (impossible) and nan (a fault).
kernel = njit(error_model="numpy", nogil=True, cache=True, fastmath={"contract", "nsz", "arcp"})
#: For pieces of kernels that take and give vectors, which cannot cross the border to Python.
inline = njit(error_model="numpy", nogil=True, inline="always", fastmath={"contract", "nsz", "arcp"})
