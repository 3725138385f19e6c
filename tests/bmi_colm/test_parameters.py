"""Tables that users change, maps over the domain, land cover and soil texture: what arrives in the columns."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from land_basin import COVER, LAYERS, MASK, NX, NY, started, step, write_fields

from bmi_colm import BmiColm
from bmi_colm import variables as names
from bmi_colm.parameters import column_parameters, root_fraction
from bmi_colm.soil import SoilTexture, layer_weights
from bmi_colm.tables import soil_table, vegetation_table
from bmi_common import ConfigError

GRASS = COVER[MASK] == 10
THICKNESS = np.array(LAYERS[:1:-1])


def shipped(name: str) -> dict:
    return yaml.safe_load((resources.files("bmi_colm.tables") / name).read_text())


def of(bmi: BmiColm, name: str) -> np.ndarray:
    return bmi.columns.parameters.of_columns(name)


# ------------------------------------------------------------------ tables


def test_some_parameters_of_one_class_change_and_all_others_stay(tmp_path):
    plain = started(tmp_path)
    change = {"leaf_area": [0.1, 3.0], "carboxylation_capacity": 6.0e-5, "leaf": {"reflectance": [0.11, 0.5]}}
    changed = started(tmp_path, vegetation={10: change})
    np.testing.assert_array_equal(of(changed, "leaf_area_minimum")[GRASS], 0.1)
    np.testing.assert_array_equal(of(changed, "leaf_area_maximum")[GRASS], 3.0)
    np.testing.assert_array_equal(of(changed, "carboxylation_capacity")[GRASS], 6.0e-5)
    np.testing.assert_array_equal(of(changed, "leaf_reflectance")[GRASS], [[0.11, 0.5]] * GRASS.sum())
    for name in plain.columns.parameters.arrays():
        values = of(plain, name)
        given = name in ("leaf_area_minimum", "leaf_area_maximum", "carboxylation_capacity", "leaf_reflectance")
        where = ~GRASS if given else slice(None)
        np.testing.assert_array_equal(of(changed, name)[where], values[where], err_msg=name)


def test_profiles_of_soil_that_are_alike_are_kept_once_and_columns_have_their_own():
    covers, porosity = np.array([10, 7, 10, 10, 7]), np.full((5, THICKNESS.size), 0.4)
    porosity[3, 2] = 0.45
    loam = SoilTexture(*(np.full(5, share) for share in (40.0, 20.0, 0.0, 0.0, 1.5)))
    together = column_parameters(covers, loam, THICKNESS, porosity, 45.0, 5.0)
    assert together.profile.tolist().count(together.profile[0]) == 2  # two covers by root depth, and the odd layer
    assert len(together.porosity) == 3
    for column, cover in enumerate(covers):
        alone = column_parameters(
            [cover], SoilTexture(*(v[:1] for v in vars(loam).values())), THICKNESS, porosity[[column]], 45.0, 5.0
        )
        for name in set(alone.arrays()) - {"profile"}:
            np.testing.assert_array_equal(together.of_columns(name)[column], alone.of_columns(name)[0], err_msg=name)


def test_changes_may_stand_in_a_file_of_their_own(tmp_path):
    (tmp_path / "grass.yaml").write_text("10: {canopy_height: 0.4, water_cost_of_carbon: 800.0}\n")
    bmi = started(tmp_path, vegetation="grass.yaml")
    assert set(of(bmi, "canopy_height")[GRASS]) == {0.4}
    assert set(of(bmi, "water_cost_of_carbon")[GRASS]) == {800.0}  # common to all covers in the shipped table
    assert set(of(bmi, "water_cost_of_carbon")[~GRASS]) == {1000.0}
    assert str(tmp_path / "grass.yaml") in bmi.provenance


def test_a_wetland_can_be_treated_as_soil(tmp_path):
    bmi = started(tmp_path, land_cover=11, vegetation={11: {"treatment": "soil"}})
    soil = started(tmp_path)
    np.testing.assert_array_equal(of(bmi, "ground"), of(soil, "ground"))


@pytest.mark.parametrize(
    ("vegetation", "message"),
    [
        ({10: {"canopy_hight": 1.0}}, r"land\.yaml:\d+: vegetation\.10\.canopy_hight: .*did you mean 'canopy_height'"),
        ({10: {"canopy_height": -1.0}}, r"vegetation\.10\.canopy_height: must lie between 0.05 and 120 m, got -1"),
        ({10: {"carboxylation_capacity": 60.0}}, r"10\.carboxylation_capacity: must lie between 1e-06 and 0.0003 mol"),
        ({10: {"leaf_area": [0.4, 17.0]}}, r"vegetation\.10\.leaf_area: must lie between 0 and 15 m2 m-2, got 17"),
        ({10: {"canopy_height": True}}, r"vegetation\.10\.canopy_height: expected a number, got true"),
        ({10: {"stem_area": float("nan")}}, r"vegetation\.10\.stem_area: must lie between 0 and 15 m2 m-2, got nan"),
        ({True: {"stem_area": 1.0}}, r"True is no number of a land cover class"),
        ({10: {"leaf_area": 3.0}}, r"vegetation\.10\.leaf_area"),
        ({10: {"root_exponent": 1.3}}, r"10\.root_exponent: must lie between -10 and -0.1"),
        ({10: {"leaf": {"reflectance": [0.1, 1.2]}}}, r"vegetation\.10\.leaf\.reflectance: must lie between 0 and 1"),
        ({10: {"leaf": {"reflectance": [0.1, 0.9]}}}, r"class 10 \(grassland\): leaf: .*0.9.*near infrared.*below 1"),
        ({10: {"treatment": "lava"}}, r"vegetation\.10\.treatment.*'soil'"),
        ({10: {"soil_colour": 21}}, r"soil colour 21 at cell \(j=0, i=2\).*1-20"),
        ({18: {"canopy_height": 1.0}}, r"vegetation\.18: no such class; the table has 1-17"),
        ({"grass": {"canopy_height": 1.0}}, r"land\.yaml:\d+: vegetation: 'grass' is no number of a land cover class"),
        ("gras.yaml", r"gras\.yaml: no such file"),
    ],
)
def test_mistakes_in_changes_name_class_and_key(tmp_path, vegetation, message):
    with pytest.raises(ConfigError, match=message):
        started(tmp_path, vegetation=vegetation)


def test_a_mistake_in_a_file_of_changes_names_its_line(tmp_path):
    (tmp_path / "veg.yaml").write_text("# mine\n10:\n  canopy_height: 0.5\n  stem_area: 40.0\n")
    with pytest.raises(ConfigError, match=r"veg\.yaml:4: 10\.stem_area: must lie between 0 and 15"):
        started(tmp_path, vegetation="veg.yaml")


def test_a_whole_table_of_the_user_takes_the_place_of_the_shipped_one(tmp_path):
    table = shipped("vegetation.yaml")
    table["covers"][10]["canopy_height"] = 0.7
    (tmp_path / "table.yaml").write_text(yaml.safe_dump(table))
    bmi = started(tmp_path, vegetation_table="table.yaml", vegetation={10: {"stem_area": 1.0}})
    assert set(of(bmi, "canopy_height")[GRASS]) == {0.7}
    assert set(of(bmi, "stem_area_index")[GRASS]) == {1.0}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t["covers"][3].pop("stem_area"), r"table\.yaml:\d+: covers\.3: the key 'stem_area' is missing"),
        (lambda t: t["covers"][3]["leaf"].pop("reflectance"), r"covers\.3: the key 'leaf\.reflectance' is missing"),
        (lambda t: t["common"].pop("quantum_efficiency"), r"the key 'quantum_efficiency' is missing"),
        (lambda t: t["covers"][3].update(hight=2.0), r"table\.yaml:\d+: covers\.3\.hight: unknown key"),
        (lambda t: t["covers"][3].update(canopy_height="tall"), r"covers\.3\.canopy_height: .*number"),
        (lambda t: t.pop("covers"), r"covers: this key is missing"),
    ],
)
def test_mistakes_in_a_whole_table_are_named(tmp_path, spoil, message):
    table = shipped("vegetation.yaml")
    spoil(table)
    (tmp_path / "table.yaml").write_text(yaml.safe_dump(table))
    with pytest.raises(ConfigError, match=message):
        started(tmp_path, vegetation_table="table.yaml")


def test_the_shipped_tables_are_complete_and_within_their_own_ranges():
    assert sorted(vegetation_table()) == list(range(1, 18))
    assert sorted(soil_table().colours) == list(range(1, 21))
    assert sorted(t.number for t in soil_table().textures.values()) == list(range(1, 13))


def test_soil_colours_textures_and_defaults_can_be_changed(tmp_path):
    plain = started(tmp_path)
    bmi = started(tmp_path, soil={"colours": {2: {"dry": [0.4, 0.6]}}, "defaults": {"organic_carbon": 8.0}})
    np.testing.assert_array_equal(of(bmi, "albedo_dry")[GRASS], [[0.4, 0.6]] * GRASS.sum())  # grass has colour 2
    np.testing.assert_array_equal(of(bmi, "albedo_saturated"), of(plain, "albedo_saturated"))
    assert (of(bmi, "conductivity_dry") < of(plain, "conductivity_dry")).all()  # organic matter insulates
    quartz = started(tmp_path, soil={"textures": {"loam": {"sand": 60.0}}})
    assert (of(quartz, "conductivity_saturated") != of(plain, "conductivity_saturated")).all()


@pytest.mark.parametrize(
    ("soil", "message"),
    [
        ({"colour": {2: {}}}, r"soil\.colour: .*did you mean 'colours'"),
        ({"colours": {21: {"dry": [0.4, 0.6]}}}, r"soil\.colours\.21: the key 'saturated' is missing"),
        ({"colours": {2: {"dry": [0.4, 1.6]}}}, r"soil\.colours\.2\.dry: must lie between 0 and 1, got 1.6"),
        ({"textures": {"loam": {"quartz": 40.0}}}, r"soil\.textures\.loam\.quartz: must lie between 0 and 1"),
        ({"defaults": {"bulk_density": 1400.0}}, r"defaults\.bulk_density: must lie between 0.02 and 2.7 g cm-3"),
    ],
)
def test_mistakes_in_changes_of_soil_are_named(tmp_path, soil, message):
    with pytest.raises(ConfigError, match=message):
        started(tmp_path, soil=soil)


# ------------------------------------------------------------------ maps


def test_a_map_holds_where_it_has_a_value_and_the_class_elsewhere(tmp_path):
    heights = np.full((NY, NX), np.nan)
    heights[1, 2], heights[0, 0] = 12.5, -99.0  # the latter outside the mask
    write_fields(tmp_path / "veg.nc", {"h": "cm", "v": "umol m-2 s-1"}, h=100.0 * heights, v=np.full((NY, NX), 45.0))
    plain = started(tmp_path)
    bmi = started(
        tmp_path,
        vegetation_maps={
            "canopy_height": {"file": "veg.nc", "variable": "h"},
            "carboxylation_capacity": {"file": "veg.nc", "variable": "v"},
            "stem_area": 0.8,
        },
    )
    expected = np.where(np.isnan(heights[MASK]), of(plain, "canopy_height"), 12.5)
    np.testing.assert_allclose(of(bmi, "canopy_height"), expected, rtol=1e-14)
    np.testing.assert_allclose(of(bmi, "carboxylation_capacity"), 45.0e-6)
    np.testing.assert_array_equal(of(bmi, "stem_area_index"), 0.8)
    assert str(tmp_path / "veg.nc") in bmi.provenance
    step(bmi, 2)
    step(plain, 2)
    assert (bmi.values[names.LATENT_HEAT][MASK] != plain.values[names.LATENT_HEAT][MASK]).all()


def test_maps_of_root_depth_change_the_roots_of_their_cells(tmp_path):
    depth = np.full((NY, NX), np.nan)
    depth[2, 0] = 60.0
    write_fields(tmp_path / "veg.nc", d=depth)
    bmi = started(tmp_path, vegetation_maps={"root_depth_50": {"file": "veg.nc", "variable": "d"}})
    plain = started(tmp_path)
    column = int(np.flatnonzero((np.argwhere(MASK) == (2, 0)).all(axis=1))[0])
    exponent = vegetation_table()[14].root_exponent
    np.testing.assert_allclose(of(bmi, "root_fraction")[column], root_fraction(60.0, exponent, THICKNESS), rtol=1e-14)
    others = np.arange(MASK.sum()) != column
    np.testing.assert_array_equal(of(bmi, "root_fraction")[others], of(plain, "root_fraction")[others])


def test_soil_colour_albedo_and_thermal_properties_may_be_maps(tmp_path):
    colours = np.full((NY, NX), np.nan)
    colours[1, :] = 20
    profile = np.broadcast_to(np.linspace(0.2, 0.38, 10)[:, None, None], (10, NY, NX)).copy()
    profile[:, 2, :] = np.nan
    write_fields(tmp_path / "soil.nc", c=colours, k=profile)
    plain = started(tmp_path)
    bmi = started(
        tmp_path,
        soil_maps={
            "colour": {"file": "soil.nc", "variable": "c"},
            "albedo_dry_near_infrared": 0.33,
            "conductivity_dry": {"file": "soil.nc", "variable": "k"},
        },
    )
    row = np.argwhere(MASK)[:, 0]
    np.testing.assert_array_equal(of(bmi, "albedo_saturated")[row == 1], [[0.04, 0.08]] * 4)
    np.testing.assert_array_equal(of(bmi, "albedo_saturated")[row != 1], of(plain, "albedo_saturated")[row != 1])
    np.testing.assert_array_equal(of(bmi, "albedo_dry")[:, 1], 0.33)
    np.testing.assert_array_equal(of(bmi, "albedo_dry")[row == 1, 0], 0.15)
    np.testing.assert_allclose(of(bmi, "conductivity_dry")[row == 0][:, 0], 0.38)  # top first in the columns
    np.testing.assert_array_equal(of(bmi, "conductivity_dry")[row == 2], of(plain, "conductivity_dry")[row == 2])


@pytest.mark.parametrize(
    ("key", "maps", "message"),
    [
        ("vegetation_maps", {"canopy_hight": 1.0}, "did you mean 'canopy_height'"),
        (
            "vegetation_maps",
            {"canopy_height": 300.0},
            r"canopy_height must lie between 0.05 and 120 m, got 300 at .*j=0",
        ),
        ("vegetation_maps", {"canopy_height": {"file": "basin.nc", "variable": "h"}}, "no variable 'h'"),
        ("soil_maps", {"colour": 3.5}, "soil colour 3.5 at cell .* is no colour class"),
        (
            "soil_maps",
            {"heat_capacity_solids": 2.0},
            "heat_capacity_solids must lie between 100000 and 5000000 J m-3 K-1",
        ),
    ],
)
def test_mistakes_in_maps_are_named(tmp_path, key, maps, message):
    with pytest.raises(ConfigError, match=rf"land\.yaml.*{message}"):
        started(tmp_path, **{key: maps})


# ------------------------------------------------------------------ land cover


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            0.0,
            r"land_cover: .*cover\.nc: 0 is no IGBP class \(1-17\), in 1 .* first at cell \(j=2, i=1\); water",
        ),
        (255.0, "255 is no IGBP class .* missing value, or another legend"),
        (10.5, "10.5 is no IGBP class"),
        (np.nan, "not finite in 1 active cells"),
    ],
)
def test_a_land_cover_that_is_no_class_names_file_and_cell(tmp_path, value, message):
    cover = COVER.astype(float)
    cover[2, 1] = value
    write_fields(tmp_path / "cover.nc", c=cover)
    with pytest.raises(ConfigError, match=message):
        started(tmp_path, land_cover={"file": "cover.nc", "variable": "c"})


# ------------------------------------------------------------------ texture


def test_texture_may_be_a_constant_a_map_or_a_profile(tmp_path):
    sand = np.full((10, NY, NX), 30.0)
    write_fields(tmp_path / "soil.nc", {"bd": "kg m-3"}, flat=sand[0], deep=sand, bd=1400.0 + 0.0 * sand[0])
    reference = started(tmp_path, soil_texture={"sand": 30.0, "clay": 20.0, "bulk_density": 1.4})
    for profile in (
        {"sand": {"file": "soil.nc", "variable": "flat"}},
        {"sand": {"file": "soil.nc", "variable": "deep"}},
        {"sand": [30.0] * 10},
        {"sand": [30.0, 30.0, 30.0], "thickness": [1.0, 0.5, 0.3]},
        {"sand": 30.0, "bulk_density": {"file": "soil.nc", "variable": "bd"}},
    ):
        bmi = started(tmp_path, soil_texture={"clay": 20.0, **profile})
        np.testing.assert_allclose(
            of(bmi, "conductivity_saturated"), of(reference, "conductivity_saturated"), rtol=1e-12
        )


def test_a_profile_of_other_layers_is_averaged_by_depth(tmp_path):
    # the upper source layer is 0.15 m thick: the third layer of the model, 0.07 to 0.15 m, is the last within it
    bmi = started(tmp_path, soil_texture={"sand": [10.0, 80.0], "clay": 10.0, "thickness": [0.85, 0.15]})
    own = [80.0, 80.0, 80.0, *[10.0] * 7]
    expected = started(tmp_path, soil_texture={"sand": own[::-1], "clay": 10.0})
    np.testing.assert_allclose(of(bmi, "conductivity_saturated"), of(expected, "conductivity_saturated"), rtol=1e-12)


@given(st.lists(st.floats(0.01, 3.0), min_size=1, max_size=12), st.lists(st.floats(0.01, 3.0), min_size=1, max_size=12))
def test_averaging_layers_keeps_constants_and_order(source, target):
    weights = layer_weights(source, target)
    assert (weights >= 0.0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)
    assert (np.diff(weights @ np.arange(len(source))) >= -1e-12).all()  # bottom first on both sides


def test_averaging_layers_keeps_the_amount_of_a_column_of_the_same_depth():
    source, target = [1.0, 0.5, 0.25, 0.25], [0.9, 0.4, 0.4, 0.2, 0.1]
    values = np.array([1.0, 2.0, 4.0, 8.0])
    np.testing.assert_allclose(np.dot(target, layer_weights(source, target) @ values), np.dot(source, values))


@pytest.mark.parametrize(
    ("texture", "message"),
    [
        (
            {"sand": -5.0, "clay": 20.0},
            r"soil_texture\.sand: must lie between 0 and 100 %, got -5, at cell \(k=9, j=0, i=1\)",
        ),
        ({"sand": 430.0, "clay": 200.0}, r"sand: .*these look like g kg-1, ten times the percentage"),
        ({"sand": 0.4, "clay": 0.2}, r"sand \(0.4 at most\) and clay \(0.2 at most\) look like fractions"),
        ({"sand": 60.0, "clay": 50.0}, r"sand and clay together are more than 100 % \(110 %\)"),
        ({"sand": 40.0, "clay": 20.0, "gravel": 120.0}, r"soil_texture\.gravel: must lie between 0 and 95 %"),
        ({"sand": 40.0, "clay": 20.0, "organic_carbon": 120.0}, r"organic_carbon: .*look like g kg-1"),
        ({"sand": 40.0, "clay": 20.0, "bulk_density": 1400.0}, r"bulk_density: .*look like kg m-3"),
        ({"sand": 40.0, "clay": 20.0, "bulk_density": 140.0}, r"bulk_density: .*look like cg cm-3"),
        ({"usda": "loam", "thickness": [1.0]}, "thickness: without effect"),
        ({"sand": [40.0, 30.0], "clay": 20.0}, r"2 numbers given, needs one number or 10"),
    ],
)
def test_impossible_texture_is_refused_with_what_it_looks_like(tmp_path, texture, message):
    with pytest.raises(ConfigError, match=rf"land\.yaml.*{message}"):
        started(tmp_path, soil_texture=texture)


def test_an_impossible_texture_names_file_layer_and_cell(tmp_path):
    clay = np.full((10, NY, NX), 20.0)
    clay[3, 1, 2] = 120.0
    write_fields(tmp_path / "soil.nc", clay=clay)
    with pytest.raises(ConfigError, match=r"soil\.nc: soil_texture\.clay: .*got 120, at cell \(k=3, j=1, i=2\)"):
        started(tmp_path, soil_texture={"sand": 20.0, "clay": {"file": "soil.nc", "variable": "clay"}})


def test_fractions_with_their_units_are_converted(tmp_path):
    write_fields(tmp_path / "soil.nc", {"sand": "1"}, sand=np.full((NY, NX), 0.4))
    bmi = started(tmp_path, soil_texture={"sand": {"file": "soil.nc", "variable": "sand"}, "clay": 20.0})
    same = started(tmp_path, soil_texture={"sand": 40.0, "clay": 20.0})
    np.testing.assert_allclose(of(bmi, "conductivity_saturated"), of(same, "conductivity_saturated"), rtol=1e-12)
