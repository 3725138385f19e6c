"""Maps become a basin that runs, and mistakes are one message each before anything is written."""

import re
from pathlib import Path

import domain_maps
import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from domain_maps import SIDE, SOUTH, WEST, rasterio
from dropped_interrupts import dropping_within, interruptible

from bmi_common.config import load_config
from bmi_common.domain import Domain, DomainConfig
from bmi_common.domain_checks import network_of, outlets_of
from rootzone.bmi_domain import main as bmi_domain
from rootzone.bmi_run import main as bmi_run
from rootzone.domain_builder import build


def call(command, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refusal(path: Path) -> str:
    before = sorted(path.parent.rglob("*"))
    result = CliRunner().invoke(bmi_domain, [str(path), "--output", str(path.parent / "another")])
    assert result.exit_code == 2, result.output
    assert sorted(path.parent.rglob("*")) == before  # nothing was written
    return result.output


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A basin with rock, recharge and a gauge."""
    folder = tmp_path_factory.mktemp("basin")
    content = domain_maps.write_maps(folder)
    path = domain_maps.write_basin(
        folder,
        content,
        {
            "permeability": {"log10_permeability": -13.0, "decay": {"a": 120.0}},
            "soil.depth_to_bedrock": 1.2,
            "initial.recharge": 300.0,
            "gauges": {"weir": {"x": WEST + 2000.0, "y": SOUTH + 900.0}},
            "rivers": {"upstream_area": 1.0},
            "land_cover": {"file": "cover.tif", "shares": True},
        },
    )
    said = call(bmi_domain, path, "--output", folder / "basin")
    return folder / "basin", said


def test_an_interrupt_that_a_library_drops_ends_the_command_and_leaves_the_basin_as_it_was(tmp_path, monkeypatch):
    path = domain_maps.write_basin(tmp_path, domain_maps.write_maps(tmp_path))
    target = tmp_path / "basin"
    call(bmi_domain, path, "--output", target)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    monkeypatch.setattr(build, "_read_back", dropping_within(build._read_back))
    with interruptible():
        result = CliRunner().invoke(bmi_domain, [str(path), "--output", str(target), "--overwrite"])
    assert (result.exit_code, result.output.strip()) == (130, "bmi-domain: interrupted")
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()} == before


def test_the_basin_is_checked_and_the_next_command_is_told(built):
    folder, said = built
    assert "1 outlet over the ground" in said
    assert "look at this" not in said
    assert f"bmi-run {folder}/spin_up.yaml\n" in said
    assert "sound" in call(bmi_run, folder / "spin_up.yaml", "--check")
    page = (folder / "report.html").read_text()
    assert page.count("<figure>") == 5
    assert "deciduous broadleaf forest" in page


def test_all_of_it_drains_to_the_outlet(built):
    domain = Domain.load(load_config(built[0] / "domain.yaml", DomainConfig))
    outlets = outlets_of(network_of(domain), domain.dx * domain.dy)
    assert len(outlets.cells) == 1
    assert outlets.areas[0] == pytest.approx(domain.mask.sum() * 200.0**2)
    assert domain.mask.sum() == 16 * 16 + 1  # a bank beside the outlet


def test_soil_lies_above_rock_whose_conductivity_decays(built):
    domain = Domain.load(load_config(built[0] / "domain.yaml", DomainConfig))
    k = domain.conductivity_x[:, domain.mask]
    # layers from the top end at 0.2, 0.5, 1, 2 and 7 m; soil is 1.2 m deep, so the centre of the fourth is in rock
    assert (k[-1] == k[-3]).all()
    rock = 1e-13 * 999.7 * 9.80665 / 1.3e-3 * 3600.0
    assert (k[1] < rock).all()
    assert k[1].max() == pytest.approx(rock, rel=0.1)
    assert (k[0] < k[1]).all()
    np.testing.assert_allclose(domain.conductivity_z[1][domain.mask], 0.1 * k[1])


def test_covers_keep_their_shares_and_rivers_their_roughness(built):
    with netCDF4.Dataset(built[0] / "domain.nc") as data:
        mask = data["mask"][:] > 0
        np.testing.assert_allclose(data["land_cover_share"][:].sum(axis=0)[mask], 1.0, atol=1e-6)
        assert set(np.unique(data["land_cover"][:][mask])) == {4.0, 10.0}
        river = data["upstream_area"][:] >= 1.0e6
        np.testing.assert_allclose(data["manning"][:][mask & river], 0.035)
        assert (data["manning"][:][mask & ~river] > 0.1).all()


@pytest.mark.slow
def test_the_groundwater_runs_and_files_of_results_lie_on_the_map(built, tmp_path):
    call(bmi_run, built[0] / "spin_up.yaml", "--output", tmp_path / "run", "--set", "spin_up.max=1")
    domain = yaml.safe_load((built[0] / "domain.yaml").read_text())["grid"]
    for file in (tmp_path / "run" / "daily.nc", built[0] / "domain.nc"):
        name = "soil_water_sat_zone_top__depth" if file.name == "daily.nc" else "elevation"
        with rasterio.open(f'NETCDF:"{file}":{name}') as raster:
            assert raster.crs.to_epsg() == 32631
            assert raster.bounds.left == pytest.approx(domain["x0"])
            assert raster.bounds.bottom == pytest.approx(domain["y0"])
            assert raster.res == pytest.approx((200.0, 200.0))
            top_left = raster.read(1, masked=True)[1, 1]
        with netCDF4.Dataset(file) as data:
            assert data[name].grid_mapping == "crs"
            values = data[name][:]
            assert (values[-1] if values.ndim == 3 else values)[-2, 1] == pytest.approx(top_left)
            assert data["latitude"].standard_name == "latitude"
            assert abs(float(data["latitude"][0, 0]) - 45.15) < 0.05


def test_check_reads_all_and_writes_nothing(tmp_path):
    path = domain_maps.write_basin(tmp_path, domain_maps.write_maps(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    assert "257 of" in call(bmi_domain, path, "--check")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_pour_point_gives_its_basin(tmp_path):
    content = domain_maps.write_maps(tmp_path)
    point = {"pour_point": [WEST + 2000.0, SOUTH + 2000.0], "snap": 400.0}
    path = domain_maps.write_basin(tmp_path, content, {"region": {"pour_point": point["pour_point"]}})
    # the valley reaches the northern edge of the map
    assert "the basin reaches the edge of the elevation map" in refusal(path)
    ridge = domain_maps.valley()
    ridge[-12:] += 200.0 - 30.0 * np.abs(np.arange(12) - 5.0)[:, np.newaxis]
    ridge[:, :10] -= 15.0 * (10.0 - np.arange(10))
    ridge[:, -10:] -= 15.0 * (1.0 + np.arange(10))
    domain_maps.write(tmp_path / "elevation.tif", ridge)
    said = call(bmi_domain, path, "--check")
    assert "1 outlet over the ground" in said
    assert "look at this" not in said


def test_without_a_region_cells_on_the_end_of_the_map_and_beyond_are_left_out(tmp_path):
    content = domain_maps.write_maps(tmp_path)
    ground = domain_maps.valley()
    row, column = np.mgrid[0:SIDE, 0:SIDE]
    ground[np.hypot(row - 40, column - 40) > 38] = np.nan  # cut out along a basin
    changes = {"region": None, "grid": {"crs": domain_maps.UTM, "cell": 230.0}}  # no corner of a cell on one of the map
    for file in (tmp_path / "elevation.tif", tmp_path / "holed.tif"):
        domain_maps.write(file, ground, nodata=np.nan)
        ground[34:46, 34:46] = np.nan
    call(bmi_domain, domain_maps.write_basin(tmp_path, content, changes), "--output", tmp_path / "basin")
    domain = Domain.load(load_config(tmp_path / "basin" / "domain.yaml", DomainConfig))
    # cells that the map covers in part belong to it
    assert 1.0 < domain.mask.sum() * 230.0**2 / (np.pi * (38 * 50.0) ** 2) < 1.2
    told = refusal(domain_maps.write_basin(tmp_path, content, changes | {"elevation.file": "holed.tif"}))
    assert "has no value in" in told


def test_a_polygon_is_the_region_and_lines_are_rivers(tmp_path):
    geopandas = pytest.importorskip("geopandas")
    from shapely.geometry import LineString, Point

    content = domain_maps.write_maps(tmp_path)
    circle = Point(WEST + 2000.0, SOUTH + 2000.0).buffer(1500.0)
    geopandas.GeoDataFrame(geometry=[circle], crs=domain_maps.UTM).to_crs("EPSG:4326").to_file(tmp_path / "region.gpkg")
    bed = LineString([(WEST + 1500.0, SOUTH + 3900.0), (WEST + 1500.0, SOUTH + 100.0)])  # beside the valley's floor
    geopandas.GeoDataFrame(geometry=[bed], crs=domain_maps.UTM).to_file(tmp_path / "rivers.gpkg")
    changes = {
        "region": {"polygon": "region.gpkg"},
        "rivers": {"vector": "rivers.gpkg", "depth": 50.0},
        "elevation": {"file": "elevation.tif", "outlets": [[WEST + 1500.0, SOUTH + 500.0]]},
    }
    path = domain_maps.write_basin(tmp_path, content, changes)
    call(bmi_domain, path, "--output", tmp_path / "basin")
    domain = Domain.load(load_config(tmp_path / "basin" / "domain.yaml", DomainConfig))
    assert domain.mask.sum() * 200.0**2 == pytest.approx(np.pi * 1500.0**2, rel=0.05)
    outlet = outlets_of(network_of(domain), 200.0**2).cells[0]
    x = domain.cells.easting[outlet % domain.nx]
    assert abs(x - (WEST + 1500.0)) <= 200.0
    assert "say how deep" in refusal(domain_maps.write_basin(tmp_path, content, {"rivers": {"vector": "rivers.gpkg"}}))


# ---------------------------------------------------------------------- mistakes

BAD = [
    ({"elevation": {"file": "short.tif"}}, r"basin.yaml:\d+: elevation: .*no value in \d+ of 256 cells.*25 %"),
    ({"elevation": {"file": "elsewhere.tif"}}, r"elevation: .*does not cover the region"),
    ({"elevation": {"file": "unplaced.tif"}}, r"elevation: .*no coordinate reference system"),
    ({"elevation": {"file": "hole.tif"}}, r"no value in 1 of 256 cells.*first at x 502100, y 5002100"),
    ({"elevation": {"file": "nowhere.tif"}}, r"basin.yaml:\d+: elevation\.file: no such file"),
    ({"grid.crs": "EPSG:4326"}, r"basin.yaml:\d+: grid\.crs: WGS 84 is in degrees.*EPSG:32631, UTM zone 31"),
    ({"grid.crs": "EPSG:1"}, r"grid\.crs: 'EPSG:1' is not a coordinate reference system"),
    ({"grid.cell": 0.2}, r"grid\.cell: 0\.2 m cells over .* is the size in metres"),
    ({"region.bounding_box": [3.0, 45.1, 3.02, 45.2]}, r"region\.bounding_box: .*looks like degrees"),
    ({"region.bounding_box": [WEST, SOUTH, WEST + 150.0, SOUTH + 150.0], "grid.cell": 200.0}, r"holds 1 cells"),
    (
        {"region": {"pour_point": [WEST + 700.0, SOUTH + 2000.0], "snap": 1}},
        r"basin.yaml:\d+: region\.snap: unknown key",
    ),
    (
        {"region": {"pour_point": {"x": WEST + 700.0, "y": SOUTH + 2000.0, "snap": 250.0}}},
        r"region\.pour_point: .* is off the river: .*less than the 2 km2 of a river; the nearest is \d+ m away",
    ),
    ({"region": {"pour_point": [3.0, 45.2]}}, r"region\.pour_point: 3, 45\.2 looks like degrees"),
    ({"elevation": {"file": "two.tif"}}, r"elevation\.outlets: one outlet was asked for, but water leaves .* 2 places"),
    ({"soil.clay": "sand.tif", "soil.silt": "sand.tif"}, r"soil: sand, silt and clay add up to 120 %, not 100"),
    ({"soil.sand": "promille.tif"}, r"soil\.sand: sand must lie between 0 and 100 %.*g/kg"),
    ({"soil.clay": None}, r"soil: sand alone is no texture"),
    ({"soil.sand": ["sand.tif", "sand.tif"], "soil.depths": "soilgrids"}, r"soil\.sand: 2 maps; .* 6 intervals"),
    (
        {"soil": {"usda": "cover.tif"}, "land_cover": {"file": "cover.tif", "legend": "nlcd"}},
        r"class 4, 10 has no row.*nlcd",
    ),
    ({"soil": {"classes": "cover.tif", "table": {}}}, r"classes and table go together"),
    ({"permeability": {"log10_permeability": -1300.0}, "soil.depth_to_bedrock": 1.0}, r"say `scale: 0\.01`"),
    ({"soil.depth_to_bedrock": 1.0}, r"soil\.depth_to_bedrock: without effect"),
    ({"gauges": {"weir": {"x": WEST, "y": SOUTH + 2000.0}}}, r"gauges\.weir: .*(off the river|outside|no cell)"),
    (
        {"forcing": {"type": "netcdf", "file": "cover.tif"}, "period": {"start": "2020-01-01", "end": "2020-01-02"}},
        r"basin\.yaml:\d+: forcing: .*cover\.tif",
    ),
    ({"forcing": {"type": "netcdf", "file": "cover.tif"}}, r"forcing and period go together"),
    ({"land_cover": {"file": "cover.tif", "legend": "igpb"}}, r"land_cover\.legend"),
    ({"elevation": {"file": "elevation.tif", "pit": "fill"}}, r"elevation\.pit: unknown key; did you mean 'pits'"),
    ({"layers": [5.0, 1.0], "root_zone": 3}, r"root_zone: 3 layers, but the domain has 2"),
    (
        {"terrain_statistics": {"cell": 60.0, "stream_area": 0.1}},
        r"basin.yaml:\d+: terrain_statistics\.cell: 60 m does not divide .* 200 by 200 m.*, such as 50",
    ),
    (
        {"terrain_statistics": {"cell": 200.0, "stream_area": 0.1}},
        r"terrain_statistics\.cell: 200 m does not .* at least 2; give a size that does, such as 100",
    ),
    (
        {"terrain_statistics": {"cell": 0.1, "stream_area": 0.1}},
        r"terrain_statistics\.cell: 0\.1 m cells all over the domain: .* is the size in metres",
    ),
    ({"terrain_statistics": {"cell": 50.0, "stream_area": 0.0025}}, r"terrain_statistics: stream_area 0\.0025 km2 is"),
    ({"terrain_statistics": {"cell": 50.0}}, r"terrain_statistics\.stream_area"),
    (
        {
            "elevation": None,
            "slopes": {"x": "sand.tif", "y": "sand.tif"},
            "terrain_statistics": {"cell": 50.0, "stream_area": 0.1},
        },
        r"terrain_statistics needs elevation, not slopes",
    ),
]


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    content = domain_maps.write_maps(folder)
    ground = domain_maps.valley()
    domain_maps.write(folder / "short.tif", ground[:, : SIDE - 24])
    domain_maps.write(folder / "elsewhere.tif", ground, west=WEST + 90_000.0)
    domain_maps.write(folder / "unplaced.tif", ground, crs=None)
    hole = ground.copy()
    hole[40:44, 40:44] = -9999.0
    domain_maps.write(folder / "hole.tif", hole, nodata=-9999.0)
    domain_maps.write(folder / "promille.tif", np.full((SIDE, SIDE), 400.0))
    row, column = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1.0)
    domain_maps.write(folder / "two.tif", 100.0 + 60.0 * row - 200.0 * np.abs(column - 0.5) + 0.0 * ground)
    return folder, content


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[m for _, m in BAD])
def test_mistakes_are_one_message_and_nothing_is_written(maps, changes, message):
    folder, content = maps
    said = refusal(domain_maps.write_basin(folder, content, changes))
    assert re.search(message, said), said
    assert said.count("bmi-domain:") == 1


def test_mistakes_in_several_maps_come_together(maps):
    folder, content = maps
    said = refusal(domain_maps.write_basin(folder, content, {"soil.sand": "promille.tif", "land_cover": "sand.tif"}))
    assert "soil.sand" in said
    assert "land_cover" in said


# ---------------------------------------------------------------------- maps of fields that are known


@pytest.mark.reference
def test_upper_verde_rebuilt_from_maps_of_its_own_fields_comes_back_equal(reference, tmp_path):
    from bmi_common.fields import read_pfb

    source = reference / "upper_verde"
    mask = read_pfb(source / "mask.pfb")[0] > 0
    slopes = {axis: read_pfb(source / f"slope_{axis}.pfb")[0] for axis in "xy"}
    indicator = read_pfb(source / "pf_indicator.pfb")
    place = {"west": -1_000_000.0, "south": 1_200_000.0, "cell": 1000.0, "crs": "EPSG:5070"}
    domain_maps.write(tmp_path / "mask.tif", mask.astype(np.uint8), **place)
    for axis, slope in slopes.items():
        domain_maps.write(tmp_path / f"slope_{axis}.tif", slope, **place)
    for k, layer in enumerate(indicator[::-1]):  # topmost first
        domain_maps.write(tmp_path / f"soil_{k}.tif", layer.astype(np.int16), **place)
    domain_maps.write(tmp_path / "cover.tif", np.full(mask.shape, 7, dtype=np.uint8), **place)
    random = np.random.default_rng(0)
    table = {
        int(number): {
            "porosity": float(random.uniform(0.2, 0.5)), "alpha": float(random.uniform(0.5, 4.0)),
            "n": float(random.uniform(1.5, 3.0)), "residual_saturation": 0.1,
            "conductivity": float(random.uniform(1e-4, 0.1)),
        }
        for number in np.unique(indicator)
    }  # fmt: skip
    content = {
        "grid": {"like": "mask.tif"},
        "region": {"mask": "mask.tif"},
        "slopes": {"x": "slope_x.tif", "y": "slope_y.tif", "formulation": "original"},
        "layers": [100.0, 1.0, 0.6, 0.3, 0.1],
        "soil": {
            "classes": [f"soil_{k}.tif" for k in range(5)],
            "depths": [0.0, 0.1, 0.4, 1.0, 2.0, 102.0],
            "table": table,
        },
        "land_cover": "cover.tif",
    }
    call(bmi_domain, domain_maps.write_basin(tmp_path, content), "--output", tmp_path / "verde")
    domain = Domain.load(load_config(tmp_path / "verde" / "domain.yaml", DomainConfig))
    np.testing.assert_array_equal(domain.mask, mask)
    for axis, slope in slopes.items():
        np.testing.assert_array_equal(getattr(domain, f"slope_{axis}")[mask], slope[mask])
    for name, key in (("conductivity_x", "conductivity"), ("porosity", "porosity"), ("alpha", "alpha"), ("n", "n")):
        expected = np.vectorize({number: row[key] for number, row in table.items()}.get)(indicator.astype(int))
        np.testing.assert_array_equal(getattr(domain, name)[:, mask], expected[:, mask])
