"""The one decorator of all kernels."""

from __future__ import annotations

from numba import njit

#: contract, nsz and arcp alone: nnan and ninf would take away the meaning of -inf (impossible) and nan (a fault).
kernel = njit(error_model="numpy", nogil=True, cache=True, fastmath={"contract", "nsz", "arcp"})
