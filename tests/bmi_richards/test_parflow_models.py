"""Against small runs of the real ParFlow, one for each kind of definition."""

from pathlib import Path

import numpy as np
import pytest
from parflow_models import Model, read_model

from bmi_richards.options import Convergence, SolverConfig
from bmi_richards.solver import RichardsSolver

pytestmark = pytest.mark.reference

RMS, LARGEST = 1e-6, 1e-4
WINDOWS = (
    "OverlandFlow_DefaultForm",
    "OverlandFlow_Upwind",
    "OverlandKinematic_Original",
    "OverlandKinematic_Upwind",
    "OverlandKinematic_UpwindSine",
    "SeepageFace_Upwind",
)
BOXES = ("box_heads", "box_rainflux", "box_barrier", "box_wells")


def solver_of(model: Model) -> RichardsSolver:
    converged = Convergence(tolerance=1e-10, most=100)
    return RichardsSolver(model.domain, model.head, SolverConfig(passes=converged, table=model.table), model.conditions)


def assert_equal(solver: RichardsSolver, expected: np.ndarray) -> None:
    error = solver.head - expected
    error = error[np.isfinite(error)]  # not those outside the mask
    assert np.sqrt(np.mean(error**2)) <= RMS
    assert np.abs(error).max() <= LARGEST


@pytest.mark.parametrize("name", WINDOWS)
def test_surface_conditions_and_slope_formulations_equal_parflow_every_hour(reference: Path, name: str) -> None:
    definition = reference / "parflow_models" / "window" / f"{name}.pfidb"
    heads = np.load(definition.with_suffix(".npz"))["pressure"]
    model = read_model(definition, heads[0])
    solver = solver_of(model)
    for hour, expected in enumerate(heads[1:]):
        solver.step(model.source, time=float(hour))
        assert_equal(solver, expected)


@pytest.mark.parametrize("name", BOXES)
def test_sides_bottom_surface_flux_barriers_and_wells_equal_parflow_for_three_days(reference: Path, name: str) -> None:
    folder = reference / "parflow_models" / name
    stored = np.load(folder / "parflow.npz")
    expected = dict(zip(stored["hours_f64"].tolist(), stored["pressure_f64_at"], strict=True))
    model = read_model(folder / "box.pfidb", stored["pressure_f32"][0].astype(np.float64))
    solver = solver_of(model)
    for hour in range(72):
        solver.step(model.source, time=float(hour))
        if hour + 1 in expected:
            assert_equal(solver, expected[hour + 1])


def test_two_days_of_a_watershed_driven_by_the_sources_of_parflow_clm_equal_parflow(reference: Path) -> None:
    folder = reference / "upper_verde"
    stored = np.load(folder / "parflow_clm_48h.npz")
    model = read_model(folder / "upper_verde_box.pfidb", stored["pressure_f32"][0].astype(np.float64))
    model.domain.mask = stored["mask"] > 0
    solver = solver_of(model)
    for hour, source in enumerate(stored["evap_trans_f32"]):
        solver.step(source.astype(np.float64), time=float(hour))
        at = np.flatnonzero(stored["hours_f64"] == hour + 1)
        if at.size:
            assert_equal(solver, stored["pressure_f64_at"][at[0]])
