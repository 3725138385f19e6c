"""Domains and zones from solid files."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from parflow_runs import ISLANDS, NX, NY, NZ, ParflowRun, with_solid

from bmi_common.fields import read_pfb
from bmi_common.pfsol import read_solids, write_solid
from bmi_richards.config import prepare
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.solid import Face, rasterise

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.booleans()).filter(np.any)
TOP, BOTTOM, SIDE = {Face.TOP}, {Face.BOTTOM}, {Face.SIDE}


@settings(deadline=None, max_examples=60)
@given(mask=MASKS, corner=st.sampled_from((0.0, -350.5, 4.2e6)), cell=st.sampled_from((30.0, 1.0, 1000.0 / 3.0)))
def test_a_solid_holds_the_columns_that_it_was_made_of(
    mask: np.ndarray, corner: float, cell: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("solid") / "basin.pfsol"
    write_solid(path, mask, cell, 20.0, 11.0)
    (solid,) = read_solids(path)
    solid.vertices[:] += (corner, 2.0 * corner, 7.0)
    ny, nx = mask.shape
    shape = rasterise(solid, ParflowGrid(nx, ny, 11, cell, 20.0, 1.0, corner, 2.0 * corner, 7.0))
    np.testing.assert_array_equal(shape.cells, np.broadcast_to(mask, (11, ny, nx)))
    assert [patch.faces for patch in shape.patches] == [TOP, BOTTOM, SIDE]


def test_cells_under_a_slanted_surface(tmp_path: Path) -> None:
    """A wedge of eight metres' height in the west and none in the east, of few large triangles."""
    path = tmp_path / "wedge.pfsol"
    corners = [(0, 0, 0), (8, 0, 0), (8, 3, 0), (0, 3, 0), (0, 0, 8), (0, 3, 8)]
    triangles = [(4, 1, 2), (4, 2, 5), (0, 2, 1), (0, 3, 2), (0, 4, 5), (0, 5, 3), (0, 1, 4), (3, 5, 2)]
    patches = [[0, 1], [2, 3], [4, 5, 6, 7]]
    lines = ["1", "6", *(" ".join(map(str, c)) for c in corners), "1", "8", *(" ".join(map(str, t)) for t in triangles)]
    lines += ["3", *(str(n) for patch in patches for n in (len(patch), *patch))]
    path.write_text("\n".join(lines))
    shape = rasterise(read_solids(path)[0], ParflowGrid(8, 3, 8, 1.0, 1.0, 1.0))
    z, x = np.mgrid[0:8, 0:8] + 0.5
    expected = z + x < 8.0 - 1e-5  # columns are looked at a little beside their centres
    np.testing.assert_array_equal(shape.cells, np.broadcast_to(expected[:, None], (8, 3, 8)))
    assert [patch.faces for patch in shape.patches] == [TOP, BOTTOM, SIDE]


def test_solids_that_parflows_tools_make_of_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path(os.environ.get("PARFLOW_DIR", "")) / "bin" / "pfmask-to-pfsol"
    if not program.is_file():
        pytest.skip("needs $PARFLOW_DIR/bin/pfmask-to-pfsol, which makes the solids")
    from parflow.tools.builders import SolidFileBuilder

    monkeypatch.chdir(tmp_path)  # the program also writes where it runs
    rng = np.random.default_rng(3)
    for ny, nx in ((7, 9), (1, 4), (6, 2)):
        mask = rng.random((ny, nx)) < 0.6
        mask[0, 0] = True
        path = tmp_path / f"{ny}.pfsol"
        SolidFileBuilder(1, 2, 3).mask(mask[np.newaxis].astype(float)).write(str(path), extra=["--z-top", "5"])
        shape = rasterise(read_solids(path)[0], ParflowGrid(nx, ny, 5, 1.0, 1.0, 1.0))
        np.testing.assert_array_equal(shape.cells, np.broadcast_to(mask, (5, ny, nx)))
        assert [patch.faces for patch in shape.patches] == [TOP, BOTTOM, SIDE]


def test_the_solid_of_a_real_watershed(reference: Path) -> None:
    folder = reference / "upper_verde"
    if not folder.is_dir():
        pytest.skip("needs the watershed's files, which are not part of the project")
    (solid,) = read_solids(folder / "solidfile.pfsol")
    shape = rasterise(solid, ParflowGrid(112, 90, 5, 1000.0, 1000.0, 100.0))
    np.testing.assert_array_equal(shape.cells, np.broadcast_to(read_pfb(folder / "mask.pfb")[0] > 0, (5, 90, 112)))
    assert [patch.faces for patch in shape.patches] == [TOP, BOTTOM, SIDE]


def test_the_columns_of_a_solid_become_the_mask(parflow: ParflowRun) -> None:
    with_solid(parflow).imported()
    np.testing.assert_array_equal(parflow.domain().mask, ISLANDS)
    # the head is 4 m at the base, which lies 5.5 m under the ground
    assert parflow.yaml("groundwater")["initial"] == {"water_table_depth": 1.5}


def test_patches_are_where_they_lie_and_not_where_they_stand_in_the_list(parflow: ParflowRun) -> None:
    with_solid(parflow).keys["Geom.domain.Patches"] = "base ground walls"  # so the ground lies at the bottom
    said = parflow().output
    assert "Patch.base.BCPressure.Type" not in said
    assert "Patch.ground.BCPressure.Type: OverlandKinematic: no condition of a side or the bottom" in said


def test_a_few_columns_under_slanted_sides_are_whole(parflow: ParflowRun) -> None:
    """A solid of four triangles; it is 5.5 m high, or more, in six columns and lower in one."""
    with_solid(parflow)
    (parflow.folder / "basin.pfsol").write_text(
        "1\n4\n0 0 0\n4000 0 0\n0 1500 0\n0 0 100\n1\n4\n0 1 2\n0 1 3\n0 2 3\n1 2 3\n3\n1\n3\n1\n0\n2\n1 2\n"
    )
    output = parflow.imported().output
    assert "1 of 6 columns of 'domain' lack layers" in output
    expected = [[True, True, True, False], [True, True, False, False], [True, False, False, False]]
    np.testing.assert_array_equal(parflow.domain().mask, expected)


def test_the_ground_of_a_solid_may_rise_and_fall_through_level_layers(parflow: ParflowRun) -> None:
    with_solid(parflow)
    (parflow.folder / "basin.pfsol").write_text(
        "1\n4\n0 0 0\n4000 0 0\n0 1500 0\n0 0 8\n1\n4\n0 1 2\n0 1 3\n0 2 3\n1 2 3\n3\n1\n3\n1\n0\n2\n1 2\n"
    )
    parflow.keys["Solver.TerrainFollowingGrid"] = False
    assert "rises and falls through the layers; columns end there" in parflow.imported().output
    j, i = np.mgrid[0:NY, 0:NX]
    height = 8.0 * (1.0 - (i + 0.5) * 1000.0 / 4000.0 - (j + 0.5) * 500.0 / 1500.0)
    domain = parflow.domain()
    cells = (np.arange(domain.nz)[:, None, None] + 0.5) * domain.dz[0] < height
    np.testing.assert_array_equal(domain.cells_in_ground, cells)
    # the head at the base is 4 m everywhere, and the depth of the table is counted from the ground of each column
    head = parflow.run()["soil_water__pressure_head"]
    np.testing.assert_array_equal(np.isfinite(head[-1]), cells)
    parflow.keys["Patch.ground.BCPressure.Type"] = "FluxConst"
    parflow.imported("--overwrite")
    np.testing.assert_array_equal(parflow.domain().cells_in_ground, cells)
    # a velocity along the axes: rain flows in through steps that look east or north, too
    parflow.keys["Patch.ground.BCPressure.alltime.Value"] = -0.001
    parflow.imported("--overwrite")
    rate = prepare(parflow.output / "groundwater.yaml").conditions.surface_flux
    assert rate is not None
    tops = np.where(cells.any(axis=0), cells.sum(axis=0) - 1, -1)
    share = np.ones((NY, NX))
    for axis, width in ((1, 1000.0), (0, 500.0)):
        after = np.roll(tops, -1, axis=axis)
        looks = (tops > after) & (after >= 0)
        looks[(slice(None), -1) if axis else -1] = False
        share += np.where(looks, domain.dz[0] / width, 0.0)
    there = cells.any(axis=0)
    np.testing.assert_allclose(rate.mean(0.0, 1.0)[there], 0.001 * share[there], rtol=1e-12)
    parflow.keys |= {
        "Patch.ground.BCPressure.Type": "DirEquilRefPatch",
        "Patch.ground.BCPressure.RefPatch": "base",
    }
    assert "DirEquilRefPatch on ground that rises and falls" in parflow("--overwrite").output


def test_patches_at_the_ground_have_fluxes_of_their_own(parflow: ParflowRun) -> None:
    """A box whose top is two triangles: rain comes and goes on the south-eastern one, and is steady on the other."""
    with_solid(parflow)
    corners = [(x, y, z) for z in (0, 5.5) for x, y in ((0, 0), (4000, 0), (4000, 1500), (0, 1500))]
    triangles = [(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)]
    triangles += [t for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)) for t in ((a, b, b + 4), (a, b + 4, a + 4))]
    patches = [[2], [3], [0, 1], list(range(4, 12))]
    lines = [
        "1",
        "8",
        *(" ".join(map(str, c)) for c in corners),
        "1",
        "12",
        *(" ".join(map(str, t)) for t in triangles),
    ]
    lines += ["4", *(str(n) for patch in patches for n in (len(patch), *patch))]
    (parflow.folder / "basin.pfsol").write_text("\n".join(lines))
    names = ("south", "north", "base", "walls")
    parflow.keys |= {
        "Geom.domain.Patches": " ".join(names),
        "BCPressure.PatchNames": " ".join(names),
        **{f"Patch.{name}.BCPressure.Type": "FluxConst" for name in names},
        **{f"Patch.{name}.BCPressure.Cycle": "constant" for name in names},
        **{f"Patch.{name}.BCPressure.alltime.Value": 0.0 for name in names},
        "Patch.north.BCPressure.alltime.Value": -0.002,
        "Cycle.Names": "constant rain",
        "Cycle.rain.Names": "on off",
        "Cycle.rain.on.Length": 2,
        "Cycle.rain.off.Length": 3,
        "Cycle.rain.Repeat": -1,
        "Patch.south.BCPressure.Cycle": "rain",
        "Patch.south.BCPressure.on.Value": -0.01,
        "Patch.south.BCPressure.off.Value": 0.0,
    }
    parflow.imported()
    rate = prepare(parflow.output / "groundwater.yaml").conditions.surface_flux
    assert rate is not None
    j, i = np.mgrid[0:NY, 0:NX]
    south = (j + 0.5) / NY < (i + 0.5) / NX - 1e-5
    assert south.any()
    assert not south.all()
    for time, rain in ((0.0, 0.01), (2.0, 0.0), (5.0, 0.01)):
        np.testing.assert_array_equal(rate.mean(time, 1.0), np.where(south, rain, 0.002))

    parflow.keys |= {"Patch.north.BCPressure.Type": "DirEquilRefPatch", "Patch.north.BCPressure.RefPatch": "base"}
    parflow.keys["Patch.north.BCPressure.alltime.Value"] = 4.0
    parflow.imported("--overwrite")
    conditions = prepare(parflow.output / "groundwater.yaml").conditions
    (ground,), rate = conditions.boundaries, conditions.surface_flux
    np.testing.assert_array_equal(ground.faces[-1], ~south)
    assert not ground.faces[:-1].any()
    assert ground.head is not None
    assert rate is not None
    assert ground.head.mean(0.0, 1.0) == 4.0
    np.testing.assert_array_equal(rate.mean(0.0, 1.0), np.where(south, 0.01, 0.0))


def test_a_solid_may_be_a_zone_of_the_soil(parflow: ParflowRun) -> None:
    mask = np.zeros((NY, NX), dtype=bool)
    mask[1, 2] = True
    write_solid(parflow.folder / "lens.pfsol", mask, 1000.0, 500.0, 2.0)
    parflow.keys |= {
        "GeomInput.Names": "box_input lens_input",
        "GeomInput.lens_input.InputType": "SolidFile",
        "GeomInput.lens_input.GeomNames": "lens",
        "GeomInput.lens_input.FileName": "lens.pfsol",
        "Geom.lens.Patches": "a b c",
        "Geom.Porosity.GeomNames": "domain lens",
        "Geom.lens.Porosity.Type": "Constant",
        "Geom.lens.Porosity.Value": 0.1,
    }
    parflow.imported()
    expected = np.full((NZ, NY, NX), 0.4)
    expected[:4, 1, 2] = 0.1
    np.testing.assert_array_equal(parflow.domain().porosity, expected)


def cut(path: Path) -> None:
    path.write_text("\n".join(path.read_text().splitlines()[:-5]))


@pytest.mark.parametrize(
    ("changes", "spoil", "message"),
    [
        (
            {"ComputationalGrid.DX": 900.0},
            None,
            "the solid reaches from x = 0 to 4000 m, the computational grid from 0 to",
        ),
        (
            {"ComputationalGrid.Lower.Y": 250.0},
            None,
            "the solid reaches from y = 0 to 1500 m, the computational grid from",
        ),
        ({}, cut, "not a whole solid file: it ends in the patches"),
        ({}, lambda path: path.write_text("2\n0\n"), "not a solid file of ParFlow, which begins with the version 1"),
        ({}, lambda path: path.write_text("1\n1\n0 0 zero\n"), "not a solid file: vertices: "),
        (
            {},
            lambda path: path.write_text("1\n1\n0 0 0\n1\n1\n0 1 2\n0\n"),
            "the triangles refer to more than there is",
        ),
        ({"GeomInput.box_input.GeomNames": "domain more"}, None, "solids in the file: 1, geometries that name them: 2"),
        ({"GeomInput.box_input.FileName": "basn.pfsol"}, None, "no such file: "),
    ],
)
def test_solid_files_that_do_not_fit_are_named(
    parflow: ParflowRun, changes: dict[str, Any], spoil: Any, message: str
) -> None:
    with_solid(parflow, np.ones((NY, NX), dtype=bool)).keys |= changes
    if spoil:
        spoil(parflow.folder / "basin.pfsol")
    result = parflow()
    assert result.exit_code == 2
    assert "case.pfidb: GeomInput.box_input." in result.output
    assert message in result.output
    assert ".pfsol" in result.output


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"Geom.domain.Patches": "ground base"},
            "Geom.domain.Patches: 'domain' has 3 patches, here are 2 names: ground base",
        ),
        ({"BCPressure.PatchNames": "ground base"}, "BCPressure.PatchNames: patch 'walls' of 'domain' is missing"),
        (
            {"Geom.domain.ICPressure.RefPatch": "walls"},
            "must be the whole bottom or top, 'base' or 'ground', got 'walls'",
        ),
        (
            {"Patch.walls.BCPressure.Type": "FluxVolumetric"},
            "Patch.walls.BCPressure.Type: FluxVolumetric: a volume a time over the patch; give it as FluxConst",
        ),
    ],
)
def test_mistakes_about_solids_are_named(parflow: ParflowRun, changes: dict[str, Any], message: str) -> None:
    with_solid(parflow).keys |= changes
    assert message in parflow().output


def test_a_domain_has_a_patch_at_the_top(parflow: ParflowRun) -> None:
    with_solid(parflow, np.ones((1, 1), dtype=bool)).keys["Geom.domain.Patches"] = "base walls"
    file = parflow.folder / "basin.pfsol"
    words = file.read_text().splitlines()
    patches = len(words) - 16  # three patches of 2, 2 and 8 triangles, each under its number
    file.write_text("\n".join([*words[:patches], "2", *words[patches + 4 :]]))
    assert "Geom.domain.Patches: none of the patches lies at the top of the domain" in parflow().output
