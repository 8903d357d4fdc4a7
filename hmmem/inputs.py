"""Every accepted input becomes :class:`~hmmem.sequences.Sequences`, once, and what goes in comes out.

Accepted: one array (N, D), with ``lengths=`` or with ``sequence_id=``; a list of arrays (T, D); an array (n, T, D) with
``lengths=``; a DataFrame (pandas, polars, Arrow), with ``sequence_id=`` naming a column; ``Sequences``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmmem.sequences import Sequences

#: How the columns of X are checked: (X as it came) -> array (N, D). Estimators pass scikit-learn's validation.
Check = Callable[[Any], np.ndarray]


@dataclass(frozen=True, eq=False)
class Layout:
    """The form in which an input came, to give results the same form.

    Parameters
    ----------
    kind : str
        ``array``, ``list`` or ``cube`` (sequence, frame, feature).
    offsets : ndarray of shape (n + 1,)
        Where the sequences lie.
    order : ndarray of shape (N,), optional
        Row of the input that each frame came from, if they were gathered by sequence.
    steps : int
        Second dimension of a cube.
    """

    kind: str
    offsets: np.ndarray
    order: np.ndarray | None = None
    steps: int = 0

    def restore(self, values: np.ndarray, padding: Any = -1) -> Any:
        """Return values (N, ...) of all frames in the form of the input; a cube is filled up with ``padding``."""
        if self.kind == "list":
            return [values[a:b].copy() for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]
        if self.kind == "cube":
            lengths = np.diff(self.offsets)
            out = np.full((len(lengths), self.steps, *values.shape[1:]), padding, dtype=values.dtype)
            out[np.arange(self.steps) < lengths[:, None]] = values
            return out
        if self.order is not None:
            out = np.empty_like(values)
            out[self.order] = values
            return out
        return values

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Return one value per row of the input, in the order of the frames."""
        return values if self.order is None else values[self.order]


def read(X: Any, lengths: Any, sequence_id: Any, check: Check) -> tuple[Sequences, Layout]:
    """Return the sequences in X and the layout in which they came.

    Parameters
    ----------
    X : array, list of arrays, DataFrame or Sequences
        See the module's text.
    lengths : array-like of int, optional
        Frames of each sequence; they add up to the rows of X, or are at most the second dimension of a 3-D array.
    sequence_id : array-like of shape (N,), or str, optional
        One identifier per row, or the DataFrame column that holds them. Rows of one sequence stay in table order and
        need not be adjacent; sequences come in the order of their first rows.
    check : callable
        Checks the frames and gives an array (N, D); called once.

    Raises
    ------
    ValueError
        If the arguments contradict each other or the data; the message names the argument and the mend.
    """
    if lengths is not None and sequence_id is not None:
        raise ValueError("lengths and sequence_id both cut X into sequences; pass one of them")
    if isinstance(X, Sequences):
        _no_cut("Sequences", lengths, sequence_id)
        _check_sequences(X)
        frames = check(X.frames)
        return Sequences(frames, X.offsets, X.per_frame, X.per_sequence), Layout("list", X.offsets)
    if _is_list_of_sequences(X):
        _no_cut("a list of sequences", lengths, sequence_id)
        parts = [_part(i, part) for i, part in enumerate(X)]
        frames = check(parts[0] if len(parts) == 1 else _stack(parts))
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
        return Sequences(frames, offsets), Layout("list", offsets)
    if getattr(X, "ndim", None) == 3:
        return _read_cube(X, lengths, sequence_id, check)
    X, ids = _take_ids(X, sequence_id)
    frames = check(X)
    N = len(frames)
    if ids is not None:
        return _gather(frames, ids)
    offsets = np.array([0, N]) if lengths is None else np.concatenate([[0], np.cumsum(check_lengths(lengths, N))])
    return Sequences(frames, offsets), Layout("array", offsets)


def check_lengths(lengths: Any, n_frames: int | None = None, steps: int | None = None) -> np.ndarray:
    """Return lengths as int64 (n,): positive integers that add up to ``n_frames``, or are at most ``steps``."""
    try:
        array = np.asarray(lengths)
    except ValueError:  # nested lists of different lengths
        array = np.empty(0)
    if array.ndim != 1 or array.size == 0 or (array.dtype.kind not in "iu" and not _is_whole(array)):
        raise ValueError(f"lengths must be a 1-D array of positive integers; got {_short(lengths)}")
    if np.any(array <= 0):
        i = int(np.argmax(array <= 0))
        raise ValueError(f"lengths must be positive; sequence {i} has {array[i]} frames; leave empty sequences out")
    total = sum(array.tolist())  # Python's integers: a sum in 64 bits could wrap around to the right one
    if n_frames is not None and total != n_frames and steps is None:
        raise ValueError(f"lengths must add up to the frames of X; they add up to {total:.0f} and X has {n_frames}")
    if total > 2**53:
        raise ValueError(f"lengths must add up to less than 2^53 frames; they add up to {total:.6g}")
    array = array.astype(np.int64)
    if steps is not None and array.max() > steps:
        raise ValueError(
            f"lengths must be at most {steps}, the second dimension of X; sequence {array.argmax()} has {array.max()}"
        )
    return array


def positional_lengths(X: Any, y: Any) -> np.ndarray | None:
    """Return y as lengths if it can be nothing else: positive integers, fewer than the rows of a 2-D X.

    Raises
    ------
    ValueError
        If such integers do not add up to the rows: no label of a row, and no lengths either.
    """
    if y is None or _is_list_of_sequences(X) or isinstance(X, Sequences) or getattr(X, "ndim", 2) != 2:
        return None
    try:
        array, n_frames = np.asarray(y), len(X)
    except (TypeError, ValueError):
        return None
    if array.ndim != 1 or array.dtype.kind not in "iu" or not 0 < len(array) < n_frames or array.min() <= 0:
        return None
    if sum(array.tolist()) != n_frames:
        raise ValueError(
            f"y has {len(array)} integers and X {n_frames} rows; as lengths, which hmmlearn takes in this place, they"
            f" add up to {sum(array.tolist())}. Pass lengths= that add up to the rows of X"
        )
    return array


def _check_sequences(X: Sequences) -> None:
    """Check what a user put together by hand."""
    offsets = np.asarray(X.offsets)
    fine = offsets.ndim == 1 and len(offsets) > 1 and offsets.dtype.kind in "iu"
    if not (fine and offsets[0] == 0 and offsets[-1] == len(X.frames) and np.all(offsets[1:] > offsets[:-1])):
        raise ValueError(
            f"the offsets of Sequences must run from 0 to the number of frames, {len(X.frames)}, and increase; got"
            f" {_short(X.offsets)}"
        )
    weights = np.asarray(X.weights)
    if weights.shape != (len(X),) or not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ValueError(
            f"the weights of Sequences must be {len(X)} finite numbers of at least 0; got {_short(weights)}"
        )


def _is_whole(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and bool(np.all(np.isfinite(array) & (array == np.floor(array))))


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"shape {value.shape} of {value.dtype}"
    text = repr(value)
    return text if len(text) < 80 else f"{text[:60]} ..."


def _no_cut(what: str, lengths: Any, sequence_id: Any) -> None:
    for name, value in (("lengths", lengths), ("sequence_id", sequence_id)):
        if value is not None:
            raise ValueError(f"X is {what} and so cut already; leave {name} out")


def _is_list_of_sequences(X: Any) -> bool:
    if not isinstance(X, (list, tuple)) or not X:
        return False
    if any(getattr(part, "ndim", 0) == 2 or _is_frame(part) for part in X):
        return True
    if all(isinstance(part, list) or getattr(part, "ndim", 0) == 1 for part in X) and len(set(map(len, X))) > 1:
        return True  # no table: series of different lengths, or a row that is too short; _part says which and the mend
    return isinstance(X[0], list) and bool(X[0]) and isinstance(X[0][0], (list, np.ndarray))


def _part(i: int, part: Any) -> Any:
    """One sequence of a list, (T, D)."""
    array = part if hasattr(part, "ndim") or _is_frame(part) else np.asarray(part)
    shape = tuple(getattr(array, "shape", ()))
    if len(shape) != 2:
        mend = (
            "reshape(-1, 1) makes a 1-D series one feature" if len(shape) == 1 else "each sequence needs shape (T, D)"
        )
        raise ValueError(
            f"X is a list of sequences, so every item must be 2-D, (frames, features); item {i} has shape {shape};"
            f" {mend}. Lengths are passed as lengths=, never inside a tuple"
        )
    if shape[0] == 0:
        raise ValueError(f"sequence {i} of X has no frames; leave empty sequences out")
    return array


def _stack(parts: list[Any]) -> np.ndarray:
    widths = {int(part.shape[1]) for part in parts}
    if len(widths) > 1:
        i = next(i for i, part in enumerate(parts) if part.shape[1] != parts[0].shape[1])
        raise ValueError(
            "all sequences of X must have the same number of features;"
            f" sequence 0 has {parts[0].shape[1]} and sequence {i} has {parts[i].shape[1]}"
        )
    arrays = [np.asarray(part) for part in parts]
    kinds = {array.dtype.kind for array in arrays}
    if len(kinds) > 1 and kinds & {"U", "S"}:  # NumPy would turn the numbers into text
        arrays = [array.astype(object) for array in arrays]
    return np.concatenate(arrays)


def _is_frame(X: Any) -> bool:
    """Whether X is a DataFrame or an Arrow table."""
    return (hasattr(X, "columns") and hasattr(X, "shape")) or (hasattr(X, "column_names") and hasattr(X, "num_rows"))


def _read_cube(X: Any, lengths: Any, sequence_id: Any, check: Check) -> tuple[Sequences, Layout]:
    if sequence_id is not None:
        raise ValueError(
            "X has three dimensions (sequence, frame, feature) and so is cut already; leave sequence_id out"
        )
    X = np.asarray(X)
    n, steps, D = X.shape
    full = np.full(n, steps) if lengths is None else lengths
    if n == 0 or steps == 0:
        raise ValueError(f"X must hold at least one sequence of one frame; got shape {X.shape}")
    full = check_lengths(full, steps=steps)
    if len(full) != n:
        raise ValueError(f"lengths must have one entry per sequence of X, {n}; got {len(full)}")
    inside = np.arange(steps) < full[:, None]
    frames = check(X.reshape(n * steps, D) if lengths is None else X[inside])
    offsets = np.concatenate([[0], np.cumsum(full)])
    return Sequences(frames, offsets), Layout("cube", offsets, steps=steps)


def _take_ids(X: Any, sequence_id: Any) -> tuple[Any, np.ndarray | None]:
    """Take the identifiers out of X where they are a column of it; Arrow tables become arrays with names."""
    if _is_frame(X):
        import narwhals.stable.v2 as nw

        frame = nw.from_native(X, eager_only=True)
        if isinstance(sequence_id, str):
            if sequence_id not in frame.columns:
                raise ValueError(
                    f"sequence_id names the column {sequence_id!r}; X has {', '.join(map(str, frame.columns))}"
                )
            ids = frame[sequence_id].to_numpy()
            return _native(frame.drop(sequence_id)), ids
        X = _native(frame)
    if sequence_id is None:
        return X, None
    if isinstance(sequence_id, str):
        raise ValueError(f"sequence_id={sequence_id!r} names a column, but X is not a DataFrame; pass one id per row")
    if hasattr(sequence_id, "to_numpy"):
        sequence_id = sequence_id.to_numpy()
    return X, np.asarray(sequence_id)


def _native(frame: Any) -> Any:
    """A frame as scikit-learn's validation takes it, names included."""
    return frame.to_pandas() if frame.implementation.is_pyarrow() and _has_pandas() else frame.to_native()


def _has_pandas() -> bool:
    import importlib.util

    return importlib.util.find_spec("pandas") is not None


def _gather(frames: np.ndarray, ids: np.ndarray) -> tuple[Sequences, Layout]:
    N = len(frames)
    if ids.shape != (N,):
        raise ValueError(f"sequence_id must have one entry per row of X, {N}; got shape {ids.shape}")
    if ids.dtype.kind == "O":
        missing = np.array([x is None or type(x).__name__ == "NAType" or bool(x != x) for x in ids])
    else:
        missing = ids != ids  # nan and NaT are not themselves
    if np.any(missing):
        raise ValueError(f"sequence_id is missing in row {int(np.argmax(missing))}; every row needs one")
    if ids.dtype.kind == "O":  # of any types, which need not be comparable with each other
        number: dict[Any, int] = {}
        label = np.array([number.setdefault(x, len(number)) for x in ids], dtype=np.int64)
    else:
        _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        label = rank[inverse]
    lengths = np.bincount(label)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    if np.all(label[:-1] <= label[1:]):
        return Sequences(frames, offsets), Layout("array", offsets)
    order = np.argsort(label, kind="stable")
    return Sequences(frames[order], offsets), Layout("array", offsets, order)
