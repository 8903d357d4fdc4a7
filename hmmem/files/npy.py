"""One array as the bytes of an ``.npy`` file (format 1.0), and back, with every byte of the header foreseen.

The header is never parsed. A reader is told dtype and shape from elsewhere, writes the header that an array of that
kind must have and compares, so a header that claims terabytes or hides an object dtype is simply not the right one.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

__all__ = ["decode_array", "encode_array", "npy_header", "npy_size", "parse_dtype"]

MAX_DIMENSIONS = 32
_DTYPES = re.compile(r"\|b1|\|[iu]1|<[iu][248]|<f[248]|<U[1-9][0-9]{0,5}|<[mM]8(\[[0-9]{0,6}[A-Za-z]{1,2}\])?")
_LAST_CODE_POINT = 0x10FFFF


def encode_array(value: Any, name: str) -> tuple[np.dtype[Any], tuple[int, ...], bytes]:
    """Return dtype, shape and the ``.npy`` bytes of an array: little-endian, C order.

    Parameters
    ----------
    value : array_like
        Booleans, integers, floats up to 64 bits, text or dates, in any memory order and byte order.
    name : str
        What to call it in an error.

    Returns
    -------
    dtype : numpy.dtype
        Little-endian.
    shape : tuple of int
    payload : bytes
        What ``numpy.load`` reads.

    Raises
    ------
    TypeError
        Objects, records, complex or extended floats, masked arrays: nothing that would need a pickle or would not be
        read everywhere.

    Examples
    --------
    >>> dtype, shape, payload = encode_array([1.5, -0.0], "means")
    >>> dtype.str, shape, len(payload)
    ('<f8', (2,), 144)
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; store its data and its mask as two arrays")
    array = np.asarray(value)
    dtype = array.dtype.newbyteorder("<")
    if _DTYPES.fullmatch(dtype.str) is None:
        raise TypeError(
            f"{name} has dtype {array.dtype}; a model file holds booleans, integers, floats up to 64 bits, text and "
            f"dates; convert it first, for example with np.asarray(..., dtype=np.float64)"
        )
    if array.ndim > MAX_DIMENSIONS:
        raise TypeError(f"{name} has {array.ndim} dimensions; a model file holds at most {MAX_DIMENSIONS}")
    return dtype, array.shape, npy_header(dtype, array.shape) + array.astype(dtype, copy=False).tobytes(order="C")


def decode_array(payload: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Return the array held by the bytes of an ``.npy`` file: a writable copy in C order and native byte order.

    Parameters
    ----------
    payload : bytes
        The whole file.
    dtype, shape
        What it must hold, as returned by :func:`encode_array`.

    Raises
    ------
    ValueError
        The header is not that of such an array, the size is wrong, or the bytes are no such values.

    Examples
    --------
    >>> dtype, shape, payload = encode_array([[1, 2]], "counts")
    >>> decode_array(payload, dtype, shape)
    array([[1, 2]])
    """
    header = npy_header(dtype, shape)
    if not payload.startswith(header):
        raise ValueError(f"the .npy header is not that of an array of dtype {dtype} and shape {shape}")
    if len(payload) != npy_size(dtype, shape):
        raise ValueError(f"an array of dtype {dtype} and shape {shape} does not take {len(payload)} bytes")
    flat = np.frombuffer(payload, dtype=dtype, offset=len(header))
    # NumPy trusts these bytes later: a boolean of 7, or a character that does not exist, would break far from here.
    if dtype.kind == "b" and np.any(flat.view(np.uint8) > 1):
        raise ValueError("a boolean array holds bytes other than 0 and 1")
    if dtype.kind == "U" and np.any(flat.view("<u4") > _LAST_CODE_POINT):
        raise ValueError("a text array holds characters that do not exist")
    return flat.astype(dtype.newbyteorder("=")).reshape(shape)


def parse_dtype(text: Any) -> np.dtype[Any]:
    """Return the dtype that ``text`` names, if it is one that a model file may hold.

    Raises
    ------
    ValueError
        It is not.

    Examples
    --------
    >>> parse_dtype("<f8")
    dtype('float64')
    """
    if not isinstance(text, str) or _DTYPES.fullmatch(text) is None:
        raise ValueError(f"dtype {text!r:.80} is not one that a model file may hold")
    try:
        return np.dtype(text)
    except TypeError as error:
        raise ValueError(f"dtype {text!r} does not exist") from error


def npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return the bytes that stand before the values of such an array: format 1.0, a multiple of 64 bytes."""
    inner = ", ".join(str(length) for length in shape) + ("," if len(shape) == 1 else "")
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({inner}), }}"
    length = -(-(10 + len(text) + 1) // 64) * 64
    return b"\x93NUMPY\x01\x00" + (length - 10).to_bytes(2, "little") + text.encode("ascii").ljust(length - 11) + b"\n"


def npy_size(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    """Return the bytes that such an array takes as an ``.npy`` file, in exact integers."""
    return len(npy_header(dtype, shape)) + math.prod(shape) * dtype.itemsize
