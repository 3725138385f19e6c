"""Overland outflow diagnosed at the boundary."""

from pathlib import Path

import numpy as np
import pytest

from bmi_common.overland import boundary_outflow

DX, DY = 100.0, 50.0


def outflow(slope_x: float, slope_y: float, mask: np.ndarray, depth: float = 0.01) -> np.ndarray:
    def full(value: float) -> np.ndarray:
        return np.full(mask.shape, value)

    return boundary_outflow(full(depth), full(slope_x), full(slope_y), full(0.05), DX, DY, mask)


@pytest.mark.parametrize(
    ("slope_x", "slope_y", "edge", "width"),
    [
        (0.02, 0.0, (slice(None), 0), DX),
        (-0.02, 0.0, (slice(None), -1), DX),
        (0.0, 0.02, (0, slice(None)), DY),
        (0.0, -0.02, (-1, slice(None)), DY),
    ],
)
def test_water_leaves_over_the_lower_edge_by_manning(
    slope_x: float, slope_y: float, edge: tuple[object, ...], width: float
) -> None:
    flux = outflow(slope_x, slope_y, np.ones((4, 5), dtype=bool))
    expected = np.zeros((4, 5))
    expected[edge] = np.sqrt(0.02) / 0.05 * 0.01 ** (5 / 3) / width
    np.testing.assert_allclose(flux, expected, rtol=1e-12)


def test_edge_of_the_mask_is_the_boundary() -> None:
    mask = np.ones((4, 5), dtype=bool)
    mask[:, :2] = False
    flux = outflow(0.02, 0.0, mask)
    assert np.isnan(flux[:, :2]).all()
    assert (flux[:, 2] > 0).all()
    np.testing.assert_array_equal(flux[:, 3:], 0.0)


def test_dry_ground_gives_nothing() -> None:
    np.testing.assert_array_equal(outflow(0.02, 0.03, np.ones((3, 3), dtype=bool), depth=-0.4), 0.0)


@pytest.mark.reference
def test_outflow_equals_that_of_parflow(reference: Path) -> None:
    run = np.load(reference / "parflow" / "tilted_v_overland.npz")
    manning = run["manning"] * 3600.0
    mask = np.ones(manning.shape, dtype=bool)
    head = run["pressure_dt1h"][:, -1]
    dx = 50.0
    total = [
        dx
        * dx
        * 3600.0
        * boundary_outflow(np.maximum(h, 0), run["slope_x"], run["slope_y"], manning, dx, dx, mask).sum()
        for h in head
    ]
    assert max(total) > 100.0
    np.testing.assert_allclose(total, run["outlet_flow_dt1h"], rtol=1e-9, atol=1e-9)
