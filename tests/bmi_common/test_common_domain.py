from pathlib import Path

import numpy as np
import pytest
from parflow.tools.io import write_pfb

from bmi_common import Config, ConfigError, Domain, DomainField, load_config

LAYERS = "[100, 50, 25, 10, 5, 1, 0.6, 0.3, 0.2, 0.1, 0.05]"
MINIMAL = f"""\
grid: {{nx: 4, ny: 3, dx: 1000, dy: 500, x0: 10000, y0: -2000}}
layers: {LAYERS}
porosity: 0.4
van_genuchten: {{alpha: 3.5, n: 2.0, residual_saturation: 0.1}}
"""
FULL = (
    MINIMAL
    + """\
elevation: 250
latitude: {value: 50.5, units: degrees_north}
longitude: 6.4
conductivity: {x: {value: 1.0e-5, units: m s-1}, z: 0.02}
specific_storage: 1e-5
slope: {x: 0.01, y: -0.02}
manning: {value: 5.0e-6, units: h m-1/3}
"""
)


class Model(Config):
    domain: DomainField


def domain(write, text: str = MINIMAL) -> Domain:
    write(text, "domain.yaml")
    return Domain.load(load_config(write("domain: domain.yaml\n"), Model).domain)


def failure(write, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        domain(write, text)
    return str(error.value)


def test_grids_and_sizes_follow_from_cells_and_layers(write) -> None:
    d = domain(write)
    assert (d.nx, d.ny, d.nz, d.dx, d.dy) == (4, 3, 11, 1000.0, 500.0)
    assert (d.surface.shape, d.subsurface.shape, d.root_zone.shape) == ((3, 4), (11, 3, 4), (6, 3, 4))
    assert d.surface.coordinates[1][0] == 10500.0
    assert d.surface.coordinates[0][0] == -1750.0
    assert d.thickness.shape == (11, 3, 4)
    assert d.thickness[:, 2, 1] == pytest.approx(d.dz)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("n: 2.0", "n must lie between 1.000001 and 20, got 1 at cell (k=0, j=0, i=0)"),
        ("n: 2.0", "n must lie between 1.000001 and 20, got 20.0000001 at cell (k=0, j=0, i=0)"),
        ("alpha: 3.5", "alpha must lie between 1e-06 and 10000 m-1, got -3 at cell (k=0, j=0, i=0)"),
    ],
)
def test_a_range_is_told_so_that_the_value_lies_outside(write, line: str, message: str) -> None:
    value = message.split(" got ")[1].split()[0]
    changed = MINIMAL.replace(line, f"{line.split(':')[0]}: {value}")
    assert failure(write, changed) == f"domain: van_genuchten.{message}"


def test_all_impossible_fields_are_told(write) -> None:
    text = MINIMAL.replace("porosity: 0.4", "porosity: 4.0").replace("n: 2.0", "n: 0.5") + "elevation: 1e300\n"
    assert [line.split()[1] for line in failure(write, text).splitlines()] == [
        "elevation",
        "porosity",
        "van_genuchten.n",
    ]


def test_a_map_of_soil_classes_holds_in_all_layers(write, tmp_path: Path) -> None:
    write_pfb(str(tmp_path / "soil.pfb"), np.array([[[3.0, 3.0, 3.0, 7.0]] * 3]), dist=False)
    d = domain(write, MINIMAL.replace("porosity: 0.4", "porosity: {file: soil.pfb, lookup: {3: 0.4, 7: 0.5}}"))
    assert d.porosity.shape == (11, 3, 4)
    assert np.all(d.porosity[:, :, :3] == 0.4)
    assert np.all(d.porosity[:, :, 3] == 0.5)


def test_what_is_not_given_has_its_default(write, tmp_path: Path) -> None:
    d = domain(write)
    assert d.mask.all()
    assert d.maximum_saturation.min() == 1.0
    assert d.specific_storage.max() == 1.0e-4
    assert d.elevation.max() == 0.0
    assert d.conductivity_x is d.slope_x is d.manning is d.latitude is None
    assert d.files == (tmp_path / "domain.yaml",)


def test_fields_are_in_the_units_of_the_domain(write) -> None:
    d = domain(write, FULL)
    assert d.require("conductivity_x", "x")[0, 0, 0] == pytest.approx(0.036)
    assert d.require("conductivity_y", "x")[0, 0, 0] == pytest.approx(0.036)
    assert d.require("conductivity_z", "x")[0, 0, 0] == 0.02
    assert d.require("manning", "x")[0, 0] == pytest.approx(0.018)
    assert (d.require("slope_x", "x")[0, 0], d.require("slope_y", "x")[0, 0]) == (0.01, -0.02)
    assert d.require("latitude", "x")[0, 0] == 50.5


@pytest.mark.parametrize(
    ("name", "key"), [("conductivity_z", "conductivity.z"), ("slope_x", "slope.x"), ("manning", "manning")]
)
def test_a_field_that_a_component_needs_is_named_with_who_needs_it(write, name: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"domain: {key} is missing; the Richards solver needs it"):
        domain(write).require(name, "the Richards solver")


def test_the_domain_may_stand_in_the_configuration_itself(write) -> None:
    inner = "".join(f"  {line}\n" for line in MINIMAL.splitlines())
    assert Domain.load(load_config(write(f"domain:\n{inner}"), Model).domain).nz == 11


def test_mistake_in_a_domain_file_is_reported_with_its_own_line(write, tmp_path: Path) -> None:
    file = tmp_path / "domain.yaml"
    assert failure(write, MINIMAL.replace("porosity: 0.4", "porosityy: 0.4")).splitlines() == [
        f"{file}: porosity: this key is missing",
        f"{file}:3: porosityy: unknown key; did you mean 'porosity'?",
    ]


def test_missing_domain_file_is_reported_with_a_similar_name(write, tmp_path: Path) -> None:
    write(MINIMAL, "domain.yaml")
    with pytest.raises(ConfigError, match=r"domian\.yaml: no such file; did you mean 'domain\.yaml'"):
        load_config(write("domain: domian.yaml\n"), Model)


def test_paths_of_a_domain_file_start_from_it_and_know_the_folders_of_the_outer_file(write, tmp_path: Path) -> None:
    for folder in ("basin", "store"):
        (tmp_path / folder).mkdir()
        write_pfb(str(tmp_path / folder / f"{folder}.pfb"), np.full((11, 3, 4), 0.3), dist=False)
    text = MINIMAL.replace("porosity: 0.4", "porosity: basin.pfb").replace("n: 2.0", "n: {file: '${store}/store.pfb'}")
    write(text + "paths: {store: nowhere}\n", "basin/domain.yaml")
    config = load_config(write("paths: {store: store}\ndomain: basin/domain.yaml\n"), Model)
    with pytest.raises(ConfigError, match=r"van_genuchten.n must lie between"):  # 0.3: the outer folder was read
        Domain.load(config.domain)
    assert config.domain.porosity.file == tmp_path / "basin" / "basin.pfb"


def test_files_that_were_read_are_listed_once(write, tmp_path: Path) -> None:
    write_pfb(str(tmp_path / "k.pfb"), np.full((11, 3, 4), 0.3), dist=False)
    d = domain(write, MINIMAL.replace("0.4", "k.pfb") + "conductivity: {x: k.pfb, z: k.pfb}\n")
    assert d.files == (tmp_path / "domain.yaml", tmp_path / "k.pfb")


def test_a_mask_may_be_missing_where_no_cell_takes_part(write, tmp_path: Path) -> None:
    mask = np.ones((11, 3, 4))
    mask[:, 0, 1] = np.nan
    np.savez(tmp_path / "mask.npz", mask=mask)
    d = domain(write, MINIMAL + "mask: {file: mask.npz, variable: mask}\n")
    assert not d.mask[0, 1]
    assert d.mask.sum() == 11


# ---------------------------------------------------------------------- mask


def test_a_mask_of_one_layer_says_which_columns_take_part(write, tmp_path: Path) -> None:
    mask = np.zeros((1, 3, 4))
    mask[0, 1, 1:3] = 1.0
    write_pfb(str(tmp_path / "mask.pfb"), mask, dist=False)
    np.testing.assert_array_equal(domain(write, MINIMAL + "mask: mask.pfb\n").mask, mask[0] > 0)


def test_a_mask_of_all_layers_counts_by_its_top_layer(write, tmp_path: Path) -> None:
    mask = np.zeros((11, 3, 4))
    mask[-1, 0, 0] = 99999.0  # ParFlow's mask values are patch numbers, not ones
    mask[0] = 1.0
    write_pfb(str(tmp_path / "mask.pfb"), mask, dist=False)
    d = domain(write, MINIMAL + "mask: mask.pfb\n")
    assert d.mask.dtype == bool
    assert np.argwhere(d.mask).tolist() == [[0, 0]]


def test_a_mask_of_another_shape_or_without_active_cells_is_refused(write, tmp_path: Path) -> None:
    write_pfb(str(tmp_path / "mask.pfb"), np.ones((1, 4, 3)), dist=False)
    assert "mask has shape (1, 4, 3)" in failure(write, MINIMAL + "mask: mask.pfb\n")
    write_pfb(str(tmp_path / "mask.pfb"), np.zeros((1, 3, 4)), dist=False)
    assert "mask has no active cell" in failure(write, MINIMAL + "mask: mask.pfb\n")


def test_values_outside_the_mask_do_not_matter(write, tmp_path: Path) -> None:
    mask, porosity = np.ones((1, 3, 4)), np.full((11, 3, 4), 0.4)
    mask[0, 2, 3] = 0.0
    porosity[:, 2, 3] = np.nan
    porosity[5, 2, 3] = -9999.0
    write_pfb(str(tmp_path / "mask.pfb"), mask, dist=False)
    write_pfb(str(tmp_path / "porosity.pfb"), porosity, dist=False)
    text = MINIMAL.replace("porosity: 0.4", "porosity: porosity.pfb")
    assert np.isfinite(domain(write, text + "mask: mask.pfb\n").porosity[:, :, :3]).all()
    assert "not finite in 10 active cells" in failure(write, text)


# ---------------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("good", "bad", "name"),
    [
        ("porosity: 0.4", "porosity: 1.4", "porosity"),
        ("porosity: 0.4", "porosity: 0", "porosity"),
        ("alpha: 3.5", "alpha: -3.5", "van_genuchten.alpha"),
        ("n: 2.0", "n: 1.0", "van_genuchten.n"),
        ("residual_saturation: 0.1", "residual_saturation: -0.1", "van_genuchten.residual_saturation"),
        ("x: 0.01, y", "x: 0.01, y: 200.0, y", "stands twice"),
        ("manning: {value: 5.0e-6, units: h m-1/3}", "manning: 0", "manning"),
        ("longitude: 6.4", "longitude: 600", "longitude"),
        ("z: 0.02", "z: -0.02", "conductivity.z"),
    ],
)
def test_values_outside_their_physical_range_are_refused(write, good: str, bad: str, name: str) -> None:
    assert good in FULL
    said = failure(write, FULL.replace(good, bad))
    assert name in said
    assert "stands twice" in said or ("must lie between" in said and "at cell (" in said)


def test_maximum_saturation_must_exceed_the_residual(write) -> None:
    text = MINIMAL.replace("residual_saturation: 0.1", "residual_saturation: 0.5, maximum_saturation: 0.5")
    assert "maximum_saturation must exceed residual_saturation" in failure(write, text)


@pytest.mark.parametrize(
    ("good", "bad", "key"),
    [
        (LAYERS, "[]", "layers"),
        ("100, 50", "100, -50", "layers.1"),
        ("nx: 4", "nx: 0", "grid.nx"),
        ("dx: 1000", "dx: 0", "grid.dx"),
        ("porosity: 0.4\n", "", "porosity: this key is missing"),
        (", residual_saturation: 0.1", "", "van_genuchten.residual_saturation: this key is missing"),
    ],
)
def test_a_domain_that_cannot_be_is_refused_with_its_key(write, good: str, bad: str, key: str) -> None:
    assert good in MINIMAL
    assert key in failure(write, MINIMAL.replace(good, bad))


def test_layers_may_be_given_as_parflow_has_them(write) -> None:
    scaled = "layers: {dz: 0.5, multipliers: [200, 100, 50, 20, 10, 2, 1.2, 0.6, 0.4, 0.2, 0.1]}"
    d = domain(write, MINIMAL.replace(f"layers: {LAYERS}", scaled))
    np.testing.assert_allclose(d.dz, [100, 50, 25, 10, 5, 1, 0.6, 0.3, 0.2, 0.1, 0.05], rtol=1e-15)
    assert "multipliers: needs 1 or more entries, has none" in failure(
        write, MINIMAL.replace(f"layers: {LAYERS}", "layers: {dz: 0.5, multipliers: []}")
    )


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([100.0, 1.137, 0.9133, 0.5539, 0.336, 0.2038, 0.1236, 0.0749, 0.0455, 0.0276, 0.0175], 10),
        ([100.0, *[0.1] * 12], 10),
        ([0.4] * 10, 10),
        ([0.5] * 10, 7),
        ([100.0, 1.0, 0.6, 0.3, 0.1], 4),
        ([200.0, 100.0, 50.0, 25.0, 10.0, 5.0, 1.0, 0.6, 0.3, 0.1], 4),
        ([2.0] * 5, 1),
        ([5.0, 5.0], 1),
        ([1.0], 1),
    ],
)
def test_the_root_zone_is_ten_layers_of_4_m_or_what_reaches_to_3_5_m(write, layers: list[float], expected: int) -> None:
    d = domain(write, MINIMAL.replace(LAYERS, str(layers)))
    assert d.root_zone_layers == expected
    np.testing.assert_array_equal(d.root_zone.coordinates[0], d.subsurface.coordinates[0][-expected:])


def test_the_root_zone_may_be_chosen_up_to_all_layers(write) -> None:
    assert domain(write, MINIMAL + "root_zone: {layers: 11}\n").root_zone.shape == (11, 3, 4)
    assert domain(write, MINIMAL + "root_zone: {layers: 1}\n").root_zone.shape == (1, 3, 4)
    assert "domain.yaml:5: root_zone.layers: 12 layers, but the domain has 11" in failure(
        write, MINIMAL + "root_zone: {layers: 12}\n"
    )


def test_vertical_conductivity_may_be_a_fraction_of_the_horizontal(write) -> None:
    layers = "[0.1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.5]"
    text = MINIMAL + f"conductivity: {{x: 0.02, anisotropy: {layers}}}\n"
    d = domain(write, text)
    assert d.conductivity_z is not None
    np.testing.assert_allclose(d.conductivity_z[[0, 5, 10], 1, 2], [0.002, 0.02, 0.01])
    assert "give either z" in failure(write, MINIMAL + "conductivity: {x: 0.02}\n")
    assert "give either z" in failure(write, MINIMAL + "conductivity: {x: 0.02, z: 0.1, anisotropy: 1}\n")


def test_specific_storage_and_anisotropy_may_follow_the_soil_class(write, tmp_path) -> None:
    classes = np.where(np.arange(11)[:, None, None] < 2, 22.0, 3.0) * np.ones((11, 3, 4))
    np.savez(tmp_path / "classes.npz", soil=classes)
    by_class = "{{file: classes.npz, variable: soil, lookup: {{3: {}, 22: {}}}}}"
    d = domain(
        write,
        MINIMAL
        + f"specific_storage: {by_class.format(1e-3, 1e-5)}\n"
        + f"conductivity: {{x: {by_class.format(0.02, 0.03)}, anisotropy: {by_class.format(1.0, 0.1)}}}\n",
    )
    np.testing.assert_array_equal(d.specific_storage[:, 0, 0], [1e-5] * 2 + [1e-3] * 9)
    assert d.conductivity_z is not None
    np.testing.assert_allclose(d.conductivity_z[:, 0, 0], [0.003] * 2 + [0.02] * 9)


def test_what_is_the_same_is_kept_once(write) -> None:
    d = domain(write, FULL)
    assert d.conductivity_y is d.conductivity_x
    assert d.cells.latitude is d.latitude
    assert d.cells.longitude is d.longitude
    other = domain(write, FULL.replace("z: 0.02}", "y: 0.03, z: 0.02}"))
    assert other.require("conductivity_x", "x")[0, 0, 0] == pytest.approx(0.036)
    assert other.require("conductivity_y", "x")[0, 0, 0] == 0.03
