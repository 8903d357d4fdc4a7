"""Statistics add and scale, field by field, and refuse what does not belong together."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hmmem.statistics import Statistics


def example(origin: np.ndarray | None = None) -> Statistics:
    inner = Statistics(origin, first=np.array([1.0, 2.0]))
    return Statistics(weight=2.0, n=3, tables=(np.eye(2), np.ones(3)), inner=inner)


def test_add_works_on_numbers_arrays_tuples_and_statistics() -> None:
    total = example() + example()
    assert (total.weight, total.n) == (4.0, 6)
    assert_array_equal(total.tables[0], 2 * np.eye(2))
    assert_array_equal(total.tables[1], [2.0, 2.0, 2.0])
    assert_array_equal(total.inner.first, [2.0, 4.0])


def test_multiply_scales_every_field_from_either_side() -> None:
    for scaled in (example() * 2.5, 2.5 * example()):
        assert (scaled.weight, scaled.n) == (5.0, 7.5)
        assert_array_equal(scaled.tables[1], [2.5, 2.5, 2.5])
        assert_array_equal(scaled.inner.first, [2.5, 5.0])


def test_add_leaves_the_parts_alone() -> None:
    a, b = example(), example()
    _ = a + b
    assert a.weight == 2.0
    assert_array_equal(a.inner.first, [1.0, 2.0])


def test_total_adds_from_left_to_right() -> None:
    parts = [Statistics(x=1e16), Statistics(x=1.0), Statistics(x=-1e16), Statistics(x=1.0)]
    assert Statistics.total(parts).x == 1.0
    assert Statistics.total(reversed(parts)).x == 0.0
    assert Statistics.total(iter([parts[1]])).x == 1.0


def test_origin_is_carried_and_different_ones_are_refused() -> None:
    origin = np.array([1.0, 2.0])
    same = example(origin) + example(origin.copy())
    assert_array_equal(same.inner.origin, origin)
    assert_array_equal((3 * same).inner.origin, origin)
    for other in (origin + 1e-12, None, np.array([1.0])):
        with pytest.raises(ValueError, match="different origins"):
            example(origin) + example(other)


def test_different_fields_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"different kinds: \['x'\] and \['y'\]"):
        Statistics(x=1.0) + Statistics(y=1.0)
    with pytest.raises(TypeError):
        Statistics(x=1.0) + 1.0


def test_missing_field_is_named_with_those_that_exist() -> None:
    with pytest.raises(AttributeError, match="these statistics hold weight, n, tables, inner; not counts"):
        _ = example().counts


def test_pickle_keeps_fields_and_origin() -> None:
    origin = np.array([1.0, 2.0])
    again = pickle.loads(pickle.dumps(example(origin)))
    assert again.weight == 2.0
    assert_array_equal(again.inner.origin, origin)
    assert_array_equal((again + example(origin)).inner.first, [2.0, 4.0])
    assert repr(again) == "Statistics(weight, n, tables, inner)"
