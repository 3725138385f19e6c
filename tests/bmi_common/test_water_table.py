import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from parflow.tools.hydrology import calculate_water_table_depth

from bmi_common import water_table

DZ = np.array([5.0, 2.0, 1.0, 0.6, 0.3, 0.1])
TOTAL = float(DZ.sum())
CENTRES = np.cumsum(DZ) - 0.5 * DZ


def hydrostatic(depth: float) -> np.ndarray:
    return TOTAL - depth - CENTRES


@pytest.mark.parametrize("depth", [0.0, 0.05, 0.3, 1.7, 4.0, 6.0, TOTAL])
def test_water_at_rest_has_its_table_where_the_head_is_zero(depth: float) -> None:
    assert water_table.depth(hydrostatic(depth), DZ) == pytest.approx(depth, abs=1e-12)


def test_water_table_above_the_surface_is_at_the_surface() -> None:
    assert water_table.depth(hydrostatic(-2.0), DZ) == 0.0


def test_water_table_below_the_column_is_at_its_bottom() -> None:
    assert water_table.depth(hydrostatic(TOTAL + 20.0), DZ) == TOTAL
    assert water_table.depth(np.full(6, -100.0), DZ) == TOTAL


def test_water_table_below_the_lowest_centre_is_continued_hydrostatically() -> None:
    head = np.full(6, -50.0)
    head[0] = -1.0
    assert water_table.depth(head, DZ) == pytest.approx(TOTAL - (2.5 - 1.0))


def test_perched_water_does_not_count() -> None:
    head = hydrostatic(5.0)
    head[4] = 0.2
    assert water_table.depth(head, DZ) == pytest.approx(5.0)


def test_saturated_column_without_a_dry_layer_takes_the_top_layer() -> None:
    head = np.full(6, 3.0)
    head[-1] = 0.02
    assert water_table.depth(head, DZ) == pytest.approx(0.05 - 0.02)


def test_inactive_columns_stay_nan_and_leave_others_alone() -> None:
    head = np.repeat(hydrostatic(2.0)[:, np.newaxis, np.newaxis], 3, axis=2)
    head[:, 0, 1] = np.nan
    depth = water_table.depth(head, DZ)
    assert depth.shape == (1, 3)
    assert np.isnan(depth[0, 1])
    assert depth[0, [0, 2]] == pytest.approx([2.0, 2.0])


@given(
    hnp.arrays(np.float64, (6, 3, 2), elements=st.floats(-20.0, 20.0)),
    hnp.arrays(np.float64, 6, elements=st.floats(0.05, 50.0)),
)
def test_depth_equals_that_of_pftools(head: np.ndarray, thickness: np.ndarray) -> None:
    saturation = np.where(head >= 0.0, 1.0, 0.5)
    expected = calculate_water_table_depth(head, saturation, thickness)
    # the total thickness is summed in another order
    np.testing.assert_allclose(water_table.depth(head, thickness), np.squeeze(expected), rtol=0, atol=1e-10)
