"""Ground that rises and falls through level layers: each column has its own topmost layer."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from richards_cases import LAYERS, NX, NY, valley
from richards_conditions import CONVERGED, assert_closed, everything, transposed
from richards_domains import Floats, random_domain
from richards_residual import residual

from bmi_common import ConfigError
from bmi_common import groundwater as names
from bmi_common.boundary_conditions import Conditions
from bmi_common.groundwater_config import Mode
from bmi_common.overland import SurfaceCondition
from bmi_common.prescribed import PrescribedSource
from bmi_common.slopes import SlopeFormulation
from bmi_richards.config import prepare
from bmi_richards.options import SolverConfig
from bmi_richards.solver import RichardsSolver
from rootzone.bmi_run import main


def uneven(random: np.random.Generator, ny: int = 4, nx: int = 5, nz: int = 5) -> SimpleNamespace:
    domain = random_domain(random, ny, nx, nz)
    domain.slope_formulation = SlopeFormulation.LEVEL
    domain.dz[0] = 2.0
    domain.top_layer = random.integers(0, nz, (ny, nx))
    domain.top_layer[0, 0], domain.top_layer[0, 1] = nz - 1, 0
    return domain


def moist(domain: SimpleNamespace, random: np.random.Generator) -> Floats:
    """Heads of a state somewhere between dry and ponded, NaN above the ground."""
    above = np.arange(domain.dz.size)[:, np.newaxis, np.newaxis] > domain.top_layer
    return np.where(above, np.nan, random.uniform(-1.0, 0.3, above.shape))


@pytest.mark.parametrize("surface", SurfaceCondition)
def test_heads_solve_the_equations_as_written_down_a_second_time(surface: SurfaceCondition) -> None:
    random = np.random.default_rng(2)
    domain = uneven(random)
    conditions = everything(domain, random, surface)
    solver = RichardsSolver(domain, moist(domain, random), CONVERGED, conditions)
    above = np.arange(domain.dz.size)[:, np.newaxis, np.newaxis] > domain.top_layer
    source = np.where(above, 0.0, random.uniform(0.0, 1e-4, size=solver.shape))
    for hour in range(6):
        before = solver.head
        balance = solver.step(source, time=float(hour))
        assert balance.unmet_demand == balance.unmet_outflow == 0.0
        left = residual(domain, conditions, before, solver.head, source, float(hour))
        assert np.abs(left).max() <= 1e-10
        assert_closed(balance)
    assert np.isnan(solver.head[:, domain.mask][above[:, domain.mask]]).all()
    assert np.isfinite(solver.head[:, domain.mask][~above[:, domain.mask]]).all()


@pytest.mark.parametrize("options", [SolverConfig(), CONVERGED, SolverConfig(mode=Mode.FREE_DRAINAGE)], ids=str)
def test_columns_that_all_end_one_layer_lower_are_a_domain_of_fewer_layers(options: SolverConfig) -> None:
    random = np.random.default_rng(4)
    domain = random_domain(random)
    lower = SimpleNamespace(
        **{n: v[:-1] if np.shape(v)[:1] == domain.dz.shape and n != "mask" else v for n, v in vars(domain).items()}
    )
    domain.top_layer = np.full(domain.mask.shape, domain.dz.size - 2)
    start = random.uniform(-1.0, 0.3, domain.porosity.shape)
    heads = []
    for d in (domain, lower):
        solver = RichardsSolver(d, start[: d.dz.size], options)
        for _ in range(3):
            solver.step(np.zeros(solver.shape))
        heads.append(solver.head[: lower.dz.size])
        assert solver.storage > 0.0
    np.testing.assert_array_equal(*heads)


def test_exchanging_east_and_north_exchanges_the_heads() -> None:
    random = np.random.default_rng(8)
    domain = uneven(random)
    start, other = moist(domain, random), transposed(domain)
    heads = []
    for d, head in ((domain, start), (other, np.swapaxes(start, -1, -2))):
        solver = RichardsSolver(d, head, CONVERGED, Conditions(surface=SurfaceCondition.OVERLAND_FLOW))
        for _ in range(3):
            solver.step(np.zeros(solver.shape))
        heads.append(solver.head)
    np.testing.assert_allclose(np.swapaxes(heads[1], -1, -2), heads[0], rtol=0.0, atol=1e-9)


def test_water_at_rest_below_hills_stays_at_rest() -> None:
    random = np.random.default_rng(1)
    domain = uneven(random)
    centres = (np.cumsum(domain.dz) - 0.5 * domain.dz)[:, np.newaxis, np.newaxis]
    level = 0.4 * domain.dz[0]  # water stands on a cell whose head is above 0
    solver = RichardsSolver(domain, np.broadcast_to(level - centres, domain.porosity.shape), CONVERGED)
    before = solver.head
    for _ in range(3):
        solver.step(np.zeros(solver.shape))
    np.testing.assert_allclose(solver.head, before, rtol=0.0, atol=1e-10)


def test_a_source_above_the_ground_is_refused() -> None:
    domain = uneven(np.random.default_rng(2))
    solver = RichardsSolver(domain, np.zeros(domain.porosity.shape))
    with pytest.raises(ValueError, match="must be 0 above the ground"):
        solver.step(np.full(solver.shape, 1e-5))


def test_a_state_goes_on_bit_for_bit() -> None:
    random = np.random.default_rng(3)
    domain = uneven(random)
    solver, other = (RichardsSolver(domain, moist(domain, np.random.default_rng(3))) for _ in range(2))
    none = np.zeros(solver.shape)
    solver.step(none)
    other.load_state_dict({name: array.values for name, array in solver.state_dict().items()})
    for s in (solver, other):
        s.step(none)
    np.testing.assert_array_equal(other.head, solver.head)


def hills(folder: Path) -> Path:
    """The valley with ground of its own in each column, and a run in which rain, a well and a head at a side act."""
    groundwater = valley(folder, {"passes": {"tolerance": 1e-9, "most": 100}}, slope_formulation="level")
    tops = np.random.default_rng(6).integers(7, len(LAYERS), (NY, NX))
    tops[0, 0] = len(LAYERS) - 1
    with netCDF4.Dataset(folder / "valley.nc", "a") as data:
        data.createVariable("top", "f8", ("y", "x"))[:] = tops
    content = yaml.safe_load(groundwater.read_text())
    content["domain"]["top_layer"] = {"file": "valley.nc", "variable": "top"}
    content["initial"] = {"water_table_depth": 0.3}
    content["surface"] = {"flux": {"cycle": [{"hours": 5, "rate": 0.01}, {"hours": 19, "rate": -1e-5}]}}
    content["boundaries"] = [{"side": "west", "head": 22.0}]
    content["wells"] = [{"name": "pump", "cell": {"x": 1, "y": 2}, "screen": [0.5, 2.0], "rate": 500.0}]
    groundwater.write_text(yaml.safe_dump(content))
    (folder / "none.yaml").write_text(yaml.safe_dump({"domain": content["domain"], "recharge": 0.0}))
    (folder / "run.yaml").write_text(
        yaml.safe_dump(
            {
                "time": {"start": "2020-01-01T00:00", "end": "2020-01-03T00:00", "step": "1h"},
                "components": {
                    "none": {"class": "bmi_common.prescribed:PrescribedSource", "config": "none.yaml"},
                    "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
                },
                "order": ["none", "groundwater"],
                "exchanges": [{"from": f"none.{names.NET_SOURCE}", "to": f"groundwater.{names.NET_SOURCE}"}],
                "output": [
                    {
                        "file": "states.nc",
                        "every": "1h",
                        "variables": [f"groundwater.{name}" for name in (names.PRESSURE_HEAD, names.WATER_TABLE_DEPTH)],
                    }
                ],
                "checkpoint": {"every": "20h", "keep": 4},
                "checks": {"water_balance": {"tolerance": 1e-10, "action": "stop"}},
            }
        )
    )
    return folder / "run.yaml"


@pytest.mark.slow
def test_a_run_closes_every_hour_and_goes_on_from_its_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    def run(*arguments: str) -> dict[str, Floats]:
        result = CliRunner().invoke(main, list(arguments))
        assert result.exit_code == 0, result.output
        assert "no finite value" not in result.output
        with netCDF4.Dataset(tmp_path / "whole" / "states.nc") as data:
            return {name: np.ma.filled(v[:], np.nan) for name, v in data.variables.items() if v.ndim > 2}

    whole = run(str(hills(tmp_path)), "--output", str(tmp_path / "whole"))
    with netCDF4.Dataset(tmp_path / "valley.nc") as data:
        tops, mask = np.asarray(data["top"][:]), np.asarray(data["mask"][:]) > 0
    heads = whole["soil_water__pressure_head"]
    there = mask & (np.arange(len(LAYERS))[:, np.newaxis, np.newaxis] <= tops)
    np.testing.assert_array_equal(np.isfinite(heads), np.broadcast_to(there, heads.shape))
    depth = whole["soil_water_sat_zone_top__depth"]
    ground = np.cumsum(LAYERS)[tops.astype(int)]
    assert ((depth >= 0.0) & (depth <= ground))[:, mask].all()
    again = run("--restart", str(tmp_path / "whole" / "checkpoints" / "2020-01-02T16-00-00"))
    np.testing.assert_array_equal(again["soil_water__pressure_head"], heads)


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("wells", [{"name": "p", "cell": {"x": 1, "y": 2}, "screen": [0.0, 23.4], "rate": 1.0}], "m below the ground"),
        ("sources", 1e-5, "above the ground at"),
    ],
)
def test_what_lies_above_the_ground_is_refused(tmp_path: Path, section: str, values: Any, message: str) -> None:
    hills(tmp_path)
    file = tmp_path / "groundwater.yaml"
    content = yaml.safe_load(file.read_text())
    content[section] = values
    tops = np.full((NY, NX), 9.0)
    with netCDF4.Dataset(tmp_path / "valley.nc", "a") as data:
        data["top"][:] = tops
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=message):
        prepare(file)


def test_recharge_of_a_root_zone_that_is_not_level_is_refused(tmp_path: Path) -> None:
    hills(tmp_path)
    file = tmp_path / "none.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"recharge": {"value": 1.0, "units": "mm d-1"}}))
    with pytest.raises(ConfigError, match="lie above the ground where it is uneven"):
        PrescribedSource().initialize(str(file))
