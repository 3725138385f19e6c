"""The training store: windows, segments, description."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_stores import START, make_domain, make_store

from bmi_common import ConfigError
from bmi_surrogate.training.store import DESCRIPTION, HEAD, Store

SEGMENTS = (30, 1, 25)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("store"), make_domain(), SEGMENTS, validation_hours=10)


def test_a_window_holds_one_head_more_than_hours(store: Store) -> None:
    head, source = store.window(2, 5)
    assert head.shape == (6, 11, 6, 5)
    assert source.shape == (5, 10, 6, 5)
    assert head.dtype == np.float64
    assert source.dtype == np.float32


def test_windows_are_read_from_disk_and_never_whole(store: Store) -> None:
    head, source = store.window(2, 5)
    assert isinstance(head, np.memmap)
    assert isinstance(source, np.memmap)
    assert not head.flags.writeable


def test_each_segment_starts_with_a_head_of_its_own(store: Store) -> None:
    np.testing.assert_array_equal(store.window(29, 1)[0], store.head[29:31])
    np.testing.assert_array_equal(store.window(30, 1)[0], store.head[31:33])
    np.testing.assert_array_equal(store.window(31, 2)[0], store.head[33:36])
    np.testing.assert_array_equal(store.window(31, 2)[1], store.source[31:33])


@pytest.mark.parametrize(("hour", "hours"), [(29, 2), (30, 2), (55, 2), (56, 1), (-1, 1), (0, 0)])
def test_windows_that_leave_their_segment_are_refused(store: Store, hour: int, hours: int) -> None:
    with pytest.raises(ValueError, match="hour"):
        store.window(hour, hours)


@given(hours=st.integers(1, 30), every=st.integers(1, 12))
def test_windows_stay_in_their_segment_and_out_of_the_validation(store: Store, hours: int, every: int) -> None:
    for hour in store.starts(hours, every):
        head, _ = store.window(int(hour), hours)  # raises where it leaves the segment
        assert len(head) == hours + 1
        assert hour + hours <= store.training_hours == 46


@pytest.mark.parametrize("hours", [1, 4, 10])
def test_validation_windows_lie_in_the_last_hours(store: Store, hours: int) -> None:
    starts = store.starts(hours, validation=True)
    assert starts.min() == 46
    assert starts.max() + hours == 56


def test_every_start_is_found(store: Store) -> None:
    possible = [h for h in range(46) if h + 7 <= 46 and store.segment(h) == store.segment(h + 6)]
    np.testing.assert_array_equal(store.starts(7), possible)


def test_a_window_longer_than_every_stretch_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"training hours.*31 h long"):
        store.starts(31)


def test_hours_have_calendar_times(store: Store) -> None:
    assert store.time(3) == START + timedelta(hours=3)
    assert store.time(32) == START + timedelta(hours=1)  # of the third segment


def test_a_store_of_another_domain_is_refused(store: Store) -> None:
    store.check(make_domain())
    with pytest.raises(ConfigError, match=r"store\.yaml.*\(11, 6, 5\).*\(11, 6, 7\)"):
        store.check(make_domain(nx=7))
    with pytest.raises(ConfigError, match="other cells are active"):
        store.check(make_domain(inactive=0.3))


def test_a_store_shorter_than_the_validation_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="56 h of data; 56 h"):
        Store.open(store.folder, 56)


def test_a_store_without_description_is_not_finished(tmp_path: Path) -> None:
    make_store(tmp_path, make_domain(), (3,))
    (tmp_path / DESCRIPTION).unlink()
    with pytest.raises(ConfigError, match="no finished training store"):
        Store.open(tmp_path)


def test_a_store_whose_arrays_were_cut_is_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path, make_domain(), (3,))
    np.save(tmp_path / HEAD, np.array(store.head[:2]))
    with pytest.raises(ConfigError, match=r"head\.npy: holds.*announces"):
        Store.open(tmp_path)


@pytest.mark.parametrize("text", ["", "format: something else\n", "format: rootzone training store\nversion: 1\n"])
def test_a_damaged_description_is_refused(tmp_path: Path, text: str) -> None:
    make_store(tmp_path, make_domain(), (3,))
    (tmp_path / DESCRIPTION).write_text(text)
    with pytest.raises(ConfigError, match=r"store\.yaml"):
        Store.open(tmp_path)
