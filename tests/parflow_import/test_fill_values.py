"""Values of files outside the cells that ParFlow computes, which say nothing, and impossible ones inside."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from parflow_runs import NZ, SHAPE, ParflowRun

FILES = {
    "porosity": ("Geom.domain.Porosity.FileName", {"Geom.domain.Porosity.Type": "PFBFile"}, 0.3),
    "permeability": ("Geom.domain.Perm.FileName", {"Geom.domain.Perm.Type": "PFBFile"}, 0.05),
    "storage": ("Geom.domain.SpecificStorage.FileName", {"SpecificStorage.Type": "PFBFile"}, 1e-4),
    "source": ("Solver.EvapTrans.FileName", {"Solver.EvapTransFile": True}, 1e-5),
    "barrier": ("Geom.domain.FBz.FileName", {"Solver.Nonlinear.FlowBarrierZ": True, "FBz.Type": "PFBFile"}, 0.5),
    "scale": (
        "Geom.domain.dzScale.FileName",
        {"Solver.Nonlinear.VariableDz": True, "dzScale.Type": "PFBFile", "dzScale.GeomNames": "domain"},
        1.0,
    ),
    **{
        name: (f"Geom.domain.Saturation.{name}.Filename", {"Phase.Saturation.VanGenuchten.File": 1}, value)
        for name, value in (("Alpha", 2.0), ("N", 2.5), ("SRes", 0.1), ("SSat", 1.0))
    },
}


def layers_left_out(run: ParflowRun) -> np.ndarray:
    run.keys |= {"Geom.domain.Lower.Z": 1.0}
    outside = np.zeros(SHAPE, dtype=bool)
    outside[:2] = True
    return outside


def columns_beside(run: ParflowRun) -> np.ndarray:
    run.keys |= {"Geom.domain.Upper.X": 3000.0}
    outside = np.zeros(SHAPE, dtype=bool)
    outside[:, :, 3] = True
    return outside


def rock_below(run: ParflowRun) -> np.ndarray:
    """Slant the bottom of a solid, which rises from 0 m in the west to 2.9 m in the east."""
    run.keys |= {"GeomInput.box_input.InputType": "SolidFile", "GeomInput.box_input.GeomNames": "domain"}
    run.keys |= {"GeomInput.box_input.FileName": "slanted.pfsol"}
    for key in [k for k in run.keys if k.startswith(("Geom.domain.Lower", "Geom.domain.Upper"))]:
        del run.keys[key]
    del run.keys["GeomInput.box_input.GeomName"]
    corners = [(x, y, 2.9 * x / 4000.0) for y in (0, 1500) for x in (0, 4000)]
    corners += [(x, y, 0.5 * NZ) for y in (0, 1500) for x in (0, 4000)]
    sides = [(0, 2, 6, 4), (1, 5, 7, 3), (0, 4, 5, 1), (2, 3, 7, 6), (0, 1, 3, 2), (4, 6, 7, 5)]
    triangles = [t for a, b, c, d in sides for t in ((a, b, c), (a, c, d))]
    lines = ["1", str(len(corners)), *(" ".join(map(str, c)) for c in corners), "1", str(len(triangles))]
    lines += [" ".join(map(str, t)) for t in triangles] + [str(len(sides))]
    lines += [text for n in range(len(sides)) for text in ("2", str(2 * n), str(2 * n + 1))]
    (run.folder / "slanted.pfsol").write_text("\n".join(lines) + "\n")
    bottom = 2.9 * (np.arange(4) + 0.5) / 4.0
    centres = 0.5 * (np.arange(NZ) + 0.5)
    return np.broadcast_to(centres[:, None, None] < bottom, SHAPE)


def give(run: ParflowRun, name: str, values: np.ndarray) -> None:
    key, switches, _ = FILES[name]
    run.pfb(f"{name}.pfb", values)
    run.keys |= switches | {key: f"{name}.pfb"}
    if "VanGenuchten" in str(switches):  # with this switch all four parameters come from files
        for other in ("Alpha", "N", "SRes", "SSat"):
            if other != name:
                run.pfb(f"{other}.pfb", FILES[other][2])
                run.keys[FILES[other][0]] = f"{other}.pfb"


@pytest.mark.parametrize("fill", [0.0, -9999.0, np.nan])
@pytest.mark.parametrize("outside_of", [layers_left_out, columns_beside, rock_below])
def test_what_files_hold_outside_the_active_cells_has_no_effect(
    parflow: ParflowRun, outside_of: Callable[[ParflowRun], np.ndarray], fill: float
) -> None:
    outside = outside_of(parflow)
    for name, (_, _, value) in FILES.items():
        give(parflow, name, np.full(SHAPE, value))
    parflow.imported()
    expected = parflow.run()["soil_water__pressure_head"].values
    for name, (_, _, value) in FILES.items():
        give(parflow, name, np.where(outside, fill, value))
    parflow.imported("--overwrite")
    np.testing.assert_array_equal(parflow.run(to="filled")["soil_water__pressure_head"].values, expected)


@pytest.mark.parametrize("name", [name for name in FILES if name != "scale"])
def test_what_no_active_cell_can_have_is_told_with_key_file_and_cell(parflow: ParflowRun, name: str) -> None:
    key, _, value = FILES[name]
    values = np.full(SHAPE, value)
    values[4, 1, 2] = np.nan
    give(parflow, name, values)
    message = " ".join(parflow().output.split())
    assert f"case.pfidb: {key}: {parflow.folder / name}.pfb: " in message
    assert "(k=4, j=1, i=2)" in message


def test_the_file_of_the_step_that_lacks_a_number_is_named(parflow: ParflowRun, tmp_path: Path) -> None:
    for step in range(5):
        parflow.pfb(f"e.{step:05d}.pfb", np.where((step == 4) & (np.arange(NZ) == 3)[:, None, None], np.nan, 1e-5))
    parflow.keys |= {"Solver.EvapTransFileTransient": True, "Solver.EvapTrans.FileName": "e"}
    assert "Solver.EvapTrans.FileName: " + str(parflow.folder / "e.00004.pfb") in " ".join(parflow().output.split())
