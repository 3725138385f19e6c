"""Against hourly runs of the real ParFlow with the same discretisation and step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from richards_domains import parflow_domain, pearl_river

from bmi_common.groundwater_config import Mode
from bmi_richards.options import Drainage, PermeabilityTable, SolverConfig
from bmi_richards.solver import RichardsSolver

pytestmark = pytest.mark.reference

# ParFlow's own solver stops at residuals that leave about 1e-7 m in these runs; three passes leave 3e-8 m.
RMS, LARGEST = 1e-6, 1e-4
# float32 rounds the 72 m of the 100 m layer by up to 3.8e-6 m.
FLOAT32 = 4e-6


@pytest.mark.parametrize("case", ["column_infiltration", "tilted_v_overland"])
def test_hourly_pressure_and_saturation_equal_parflow(reference: Path, case: str) -> None:
    file = reference / "parflow" / f"{case}.npz"
    data = dict(np.load(file))
    solver = RichardsSolver(parflow_domain(file), data["pressure_dt1h"][0], SolverConfig(passes=3))
    for hour, source in enumerate(data["evap_trans"]):
        solver.step(source)
        error = solver.head - data["pressure_dt1h"][hour + 1]
        assert np.sqrt(np.mean(error**2)) <= RMS
        assert np.abs(error).max() <= LARGEST
        np.testing.assert_allclose(solver.saturation, data["saturation_dt1h"][hour + 1], rtol=0.0, atol=LARGEST)


def test_outlet_flow_of_the_tilted_v_equals_parflow(reference: Path) -> None:
    file = reference / "parflow" / "tilted_v_overland.npz"
    data = dict(np.load(file))
    solver = RichardsSolver(parflow_domain(file), data["pressure_dt1h"][0], SolverConfig(passes=3))
    for hour, source in enumerate(data["evap_trans"]):
        balance = solver.step(source)
        # m3 per hour, over the south edge only; ParFlow's residual tolerance is 1e-7 m3
        assert balance.outflow == pytest.approx(data["outlet_flow_dt1h"][hour + 1], rel=1e-8, abs=1e-3)
        assert np.nansum(solver.outflow[0]) * 2500.0 == pytest.approx(balance.outflow, rel=1e-12)
        assert balance.ponding == pytest.approx(data["surface_storage_dt1h"][hour + 1].sum(), rel=1e-7, abs=1e-4)


@pytest.mark.parametrize(
    ("run", "options"),
    [
        ("lateral", {}),
        ("freedrain", {"mode": Mode.FREE_DRAINAGE, "drainage": Drainage.LAGGED}),
        ("freedrain", {"mode": Mode.FREE_DRAINAGE, "drainage": Drainage.PRESCRIBED}),
    ],
    ids=["lateral", "lagged drainage", "prescribed drainage"],
)
def test_three_days_of_the_pearl_river_window_equal_parflow(reference: Path, run: str, options: dict[str, Any]) -> None:
    inputs_file = reference / "parflow" / "pearl64x48_inputs.npz"
    inputs, data = dict(np.load(inputs_file)), dict(np.load(reference / "parflow" / f"pearl64x48_{run}.npz"))
    solver = RichardsSolver(parflow_domain(inputs_file), inputs["initial_pressure"], SolverConfig(passes=3, **options))
    drainage = None
    for hour in range(72):
        source = inputs["et_profile"][hour][:, None, None] * inputs["et_pattern"]
        source[-1] = inputs["et_top"][hour]
        if options.get("drainage") is Drainage.PRESCRIBED:
            drainage = data["bottom_drainage"][hour]
        balance = solver.step(source, drainage=drainage)

        error = solver.head - data["pressure_f32"][hour + 1]
        assert np.sqrt(np.mean(error**2)) <= RMS
        assert np.abs(error).max() <= FLOAT32 + 1e-7
        for exact in np.flatnonzero(data["hours_f64"] == hour + 1):
            error = solver.head - data["pressure_f64_at"][exact]
            assert np.sqrt(np.mean(error**2)) <= RMS
            assert np.abs(error).max() <= LARGEST
        assert balance.storage == pytest.approx(data["storage_total"][hour + 1], rel=1e-11)
        assert balance.outflow == pytest.approx(data["overland_edge_outflow"][hour + 1], rel=1e-8)
        if options:
            assert balance.drainage == pytest.approx(data["bottom_drainage"][hour].sum() * 961.72**2, rel=1e-6)


def test_two_passes_are_within_a_hundredth_of_a_millimetre(reference: Path) -> None:
    inputs_file = reference / "parflow" / "pearl64x48_inputs.npz"
    inputs, data = dict(np.load(inputs_file)), dict(np.load(reference / "parflow" / "pearl64x48_lateral.npz"))
    solver = RichardsSolver(parflow_domain(inputs_file), inputs["initial_pressure"], SolverConfig(passes=2))
    for hour in range(24):
        source = inputs["et_profile"][hour][:, None, None] * inputs["et_pattern"]
        source[-1] = inputs["et_top"][hour]
        solver.step(source)
    error = solver.head - data["pressure_f32"][24]
    assert np.abs(error).max() <= 1e-5 + FLOAT32


def test_the_whole_pearl_river_domain_equals_parflow_with_its_table_of_permeability(reference: Path) -> None:
    domain, head = pearl_river(reference)
    data = np.load(reference / "surrogate" / "parflow_check.npz")
    # ParFlow interpolated linearly between 20000 points from -300 m; with the formula the rms is 3e-6 m
    solver = RichardsSolver(domain, head, SolverConfig(passes=3, table=PermeabilityTable(20000, -300.0)))
    for _ in range(5):
        solver.step(data["const_flux"])
    error = solver.head - data["const_t05"]
    # the conductivity and the result are float32
    assert np.sqrt(np.mean(error**2)) <= RMS
    assert np.abs(error).max() <= LARGEST
