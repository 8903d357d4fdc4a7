"""Sequences: blocks and pieces cover every frame once; indexing as scikit-learn's splitters need it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import KFold

from hmmem.sequences import BLOCK_SIZE, LONG, Sequences


def numbered(lengths: list[int], D: int = 2) -> Sequences:
    """Frames that hold their own number, with side data that does too."""
    N = sum(lengths)
    frames = np.repeat(np.arange(N, dtype=float)[:, None], D, axis=1)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(frames, offsets, {"row": np.arange(N)}, {"weight": np.arange(1.0, len(lengths) + 1)})


@pytest.mark.parametrize("seed", range(10))
def test_blocks_cover_every_sequence_once_and_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9000, rng.integers(1, 60)).tolist()
    data = numbered(lengths, 1)
    width = int(rng.integers(1, 12))
    limit = BLOCK_SIZE // width
    blocks = list(data.blocks(width))
    assert_array_equal(np.concatenate([block.frames for block in blocks]), data.frames)
    assert_array_equal(np.concatenate([block.lengths for block in blocks]), lengths)
    assert_array_equal(np.concatenate([block.weights for block in blocks]), data.weights)
    assert_array_equal(np.concatenate([block.per_frame["row"] for block in blocks]), np.arange(data.n_frames))
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        assert block.offsets[0] == 0
        assert len(block) <= 8 or block.n_frames <= 1.125 * LONG * limit
        assert len(block) == 1 or block.lengths.max() <= limit // 2 + 1
        if after is not None and max(block.lengths.max(), after.lengths[0]) <= limit // 2:  # nobody has to stand alone
            assert len(block) % 8 == 0


def test_many_blocks_can_be_shared_out_evenly() -> None:
    data = numbered([100] * 2000, 1)
    sizes = [block.n_frames for block in data.blocks(4)]
    assert len(sizes) == 8
    assert max(sizes) == 25_600
    assert sizes[-1] == 20_800


def test_pieces_cover_every_frame_once() -> None:
    data = numbered([5, 90_000, 3], 1)
    pieces = data.pieces(4)
    assert all(piece.n_frames == BLOCK_SIZE // 4 for piece in pieces[:-1])
    assert_array_equal(np.concatenate([piece.frames for piece in pieces]), data.frames)
    assert_array_equal(np.concatenate([piece.per_frame["row"] for piece in pieces]), np.arange(data.n_frames))
    assert all(len(piece) == 1 for piece in pieces)


def test_only_one_sequence_beyond_the_budget_is_long() -> None:
    limit = LONG * BLOCK_SIZE
    assert not numbered([limit], 1).is_long(1)
    assert numbered([limit + 1], 1).is_long(1)
    assert numbered([limit], 1).is_long(2)
    assert not numbered([limit, 1], 1).is_long(1)


def test_blocks_of_wide_frames_hold_one_sequence() -> None:
    data = numbered([3, 1], 1)
    assert [block.n_frames for block in data.blocks(10 * BLOCK_SIZE)] == [3, 1]
    assert [piece.n_frames for piece in data.pieces(10 * BLOCK_SIZE)] == [1, 1, 1, 1]


def test_integer_gives_the_array_of_one_sequence() -> None:
    data = numbered([2, 1, 4])
    assert_array_equal(data[1], [[2.0, 2.0]])
    assert_array_equal(data[-1], data[2])
    assert_array_equal(data[np.int64(0)], [[0.0, 0.0], [1.0, 1.0]])
    with pytest.raises(IndexError):
        data[3]
    assert [len(sequence) for sequence in data] == [2, 1, 4]


@pytest.mark.parametrize(
    "key",
    [slice(1, 3), slice(None, None, 2), slice(None, None, -1), [0, 2], [2, 0, 2], [1], np.array([True, False, True])],
)
def test_other_keys_give_sequences_with_their_side_data(key: object) -> None:
    data = numbered([2, 1, 4])
    picked = np.arange(3)[key]
    found = data[key]
    assert_array_equal(found.lengths, data.lengths[picked])
    assert_array_equal(found.weights, data.weights[picked])
    for i, j in enumerate(picked):
        assert_array_equal(found[i], data[int(j)])
    assert_array_equal(found.per_frame["row"], found.frames[:, 0])


def test_empty_selection_is_empty() -> None:
    data = numbered([2, 1])[[]]
    assert len(data) == 0
    assert data.n_frames == 0


def test_contiguous_selection_is_a_view() -> None:
    data = numbered([2, 1, 4])
    assert np.shares_memory(data[1:].frames, data.frames)
    assert np.shares_memory(data[[0, 1]].frames, data.frames)
    assert not np.shares_memory(data[[0, 2]].frames, data.frames)


def test_splitters_of_scikit_learn_take_a_sequence_as_a_sample() -> None:
    data = numbered([2, 1, 4, 3, 5])
    held_out = []
    for train, test in KFold(5).split(data):
        assert len(data[train]) == 4
        assert data[train].n_frames + data[test].n_frames == 15
        held_out.append(data[test][0][0, 0])
    assert sorted(held_out) == [0.0, 2.0, 3.0, 7.0, 10.0]


def test_weight_counts_frames_with_the_weight_of_their_sequence() -> None:
    assert numbered([2, 1, 4]).weight == 2 * 1.0 + 1 * 2.0 + 4 * 3.0
    plain = Sequences.from_lengths(np.zeros((7, 1)), [2, 5])
    assert plain.weight == 7.0
    assert plain.weights.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("dtype", ["float32", ">f8", "int32", "bool"])
def test_frames_are_cast_block_by_block(dtype: str) -> None:
    frames = (np.arange(12).reshape(6, 2) % 2).astype(dtype)
    data = Sequences.from_lengths(frames, [4, 2])
    assert data.frames is frames
    assert data.X.dtype == np.float64
    assert data.X.flags.c_contiguous
    assert_array_equal(data.X, frames.astype(float))


def test_memory_mapped_frames_stay_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(200_000, dtype=np.float32).reshape(-1, 2))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = Sequences.from_lengths(mapped, [60_000, 40_000])
    blocks = [piece for block in data.blocks(2) for piece in block.pieces(2)]
    assert all(isinstance(block.frames, np.memmap) for block in blocks)
    assert sum(block.X.sum() for block in blocks) == 200_000 * 199_999 / 2


def test_float64_frames_in_order_are_not_copied() -> None:
    frames = np.zeros((4, 2))
    assert Sequences.from_lengths(frames, [4]).X is frames
