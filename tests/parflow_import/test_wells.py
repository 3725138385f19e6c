"""Wells of a definition, as ParFlow computes them."""

from typing import Any

import numpy as np
import pytest
from parflow_runs import NX, NY, NZ, ParflowRun

MULTIPLIERS = [4.0, 2.0, 1.0, 0.5] + [0.2] * (NZ - 4)


def with_well(run: ParflowRun, name: str = "pump", **changes: Any) -> None:
    own = f"Wells.{name}"
    values = {
        "InputType": "Vertical", "Type": "Flux", "Action": "Extraction", "Method": "Standard", "Cycle": "constant",
        "X": 2500.0, "Y": 700.0, "ZLower": 0.2, "ZUpper": 1.2, "alltime.Flux.water.Value": 12.0, **changes,
    }  # fmt: skip
    run.keys["Wells.Names"] = f"{run.keys['Wells.Names']} {name}".strip()
    run.keys |= {f"{own}.{key}": value for key, value in values.items()}


def with_layers(run: ParflowRun) -> None:
    run.keys |= {"Solver.Nonlinear.VariableDz": True, "dzScale.GeomNames": "domain", "dzScale.Type": "nzList"}
    run.keys |= {"dzScale.nzListNumber": NZ} | {f"Cell.{k}.dzScale.Value": m for k, m in enumerate(MULTIPLIERS)}


def refused(run: ParflowRun) -> str:
    result = run()
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


def test_parts_count_nominal_cells_and_are_multiplied_as_layers_are(parflow: ParflowRun) -> None:
    with_layers(parflow)
    with_well(parflow)
    output = " ".join(parflow.imported().output.split())
    (well,) = parflow.yaml("groundwater")["wells"]
    assert well["cell"] == {"x": 2, "y": 1}
    assert well["layers"] == pytest.approx({0: 4.0 / 3.0, 1: 2.0 / 3.0, 2: 1.0 / 3.0})
    assert well["rate"] == pytest.approx(12.0 * 7.0 / 3.0)
    assert well["action"] == "extraction"
    assert "12 m3/h are 28 m3/h there" in output


def test_a_cycle_of_rates_is_one_here(parflow: ParflowRun) -> None:
    parflow.keys |= {"Cycle.Names": "constant shifts", "Cycle.shifts.Names": "on off", "Cycle.shifts.Repeat": 2}
    parflow.keys |= {"Cycle.shifts.on.Length": 8, "Cycle.shifts.off.Length": 16}
    rates = {"on.Flux.water.Value": 30.0, "off.Flux.water.Value": 0.0}
    with_well(parflow, Cycle="shifts", Action="Injection", **rates)
    parflow.imported()
    (well,) = parflow.yaml("groundwater")["wells"]
    assert well["action"] == "injection"
    assert well["rate"] == {"cycle": [{"hours": 8.0, "rate": 30.0}, {"hours": 16.0, "rate": 0.0}], "repeat": 2}


def test_a_weighted_well_follows_the_permeability(parflow: ParflowRun) -> None:
    conductivity = [[[0.01 * (1 + k)] * NX] * NY for k in range(NZ)]
    parflow.keys |= {"Geom.domain.Perm.Type": "PFBFile"}
    parflow.keys["Geom.domain.Perm.FileName"] = parflow.pfb("perm.pfb", conductivity)
    with_well(parflow, Method="Weighted")
    parflow.imported()
    (well,) = parflow.yaml("groundwater")["wells"]
    assert well["layers"] == pytest.approx({0: 1.0 / 6.0, 1: 2.0 / 6.0, 2: 3.0 / 6.0})
    assert well["rate"] == pytest.approx(12.0)


def test_a_negative_injection_is_an_extraction(parflow: ParflowRun) -> None:
    with_well(parflow, Action="Injection", **{"alltime.Flux.water.Value": -5.0})
    parflow.imported()
    (well,) = parflow.yaml("groundwater")["wells"]
    assert (well["action"], well["rate"]) == ("extraction", 5.0)


def test_a_well_at_a_pressure_holds_each_of_its_layers_at_it(parflow: ParflowRun) -> None:
    with_layers(parflow)
    with_well(parflow, Type="Pressure", **{"alltime.Pressure.Value": 4.0})
    assert "the same pressure head, whatever its height" in " ".join(parflow.imported().output.split())
    wells = parflow.yaml("groundwater")["wells"]
    assert [(well["name"], well["layers"], well["head"]) for well in wells] == [
        ("pump_0", {0: 1.0}, 5.0), ("pump_1", {1: 1.0}, 6.5), ("pump_2", {2: 1.0}, 7.25)
    ]  # fmt: skip
    head = parflow.run()["soil_water__pressure_head"]
    np.testing.assert_allclose(head[-1, :3, 1, 2], 4.0, rtol=1e-6)


def test_what_lies_at_the_lower_edge_is_lost_as_in_parflow(parflow: ParflowRun) -> None:
    """The nearest centre to ZLower 0 is as far below as above; ParFlow takes the one below, where no cell is."""
    with_well(parflow, ZLower=0.0, ZUpper=0.6)
    parflow.imported()
    (well,) = parflow.yaml("groundwater")["wells"]
    assert well["layers"] == pytest.approx({0: 1.0 / 3.0, 1: 1.0 / 3.0})
    assert well["rate"] == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"X": 1.0e6}, "Wells.pump.X: 1e+06 m is outside the computational grid"),
        ({"ZLower": 90.0, "ZUpper": 99.0}, "Wells.pump.ZLower: the well is outside the layers of the domain"),
        ({"ZLower": 3.0}, "Wells.pump.ZUpper: must not be below ZLower"),
        ({"Method": "Patterned"}, "Wells.pump.Method: 'Patterned' is not supported"),
        ({"Cycle": "never"}, "Cycle.never.Names: this key is missing"),
    ],
)
def test_a_mistake_names_its_key(parflow: ParflowRun, changes: dict[str, Any], words: str) -> None:
    with_well(parflow, **changes)
    assert words in refused(parflow)


def test_wells_run(parflow: ParflowRun) -> None:
    with_layers(parflow)
    with_well(parflow)
    with_well(parflow, "in", Action="Injection", X=500.0)
    parflow.imported()
    assert parflow.run().sizes["time"] == 5
