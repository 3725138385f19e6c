"""Rasters named by their source in a catalogue of HydroMT."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import domain_maps
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from bmi_common.config import load_config
from bmi_common.domain import Domain, DomainConfig
from rootzone.bmi_domain import main as bmi_domain

CATALOGUE = {
    "meta": {"root": "."},
    "lidar": {
        "data_type": "RasterDataset",
        "uri": "decimetres.tif",
        "driver": {"name": "rasterio"},
        "metadata": {"crs": 32631, "nodata": -1},
        "data_adapter": {"unit_mult": {"elevtn": 0.1}},
    },
    "soil": {
        "data_type": "RasterDataset",
        "uri": "{variable}.tif",
        "driver": {"name": "rasterio"},
        "data_adapter": {"rename": {"sand": "sndppt"}},
    },
    "tiles": {"data_type": "RasterDataset", "uri": "tile_*.tif", "driver": {"name": "rasterio"}},
}


class StandIn:
    """What is used of HydroMT's catalogue, where that is not installed."""

    def __init__(self, data_libs: list[str]) -> None:
        from pyproj import CRS

        path = Path(data_libs[0])
        entries, root = yaml.safe_load(path.read_text()), path.parent
        self.sources = {}
        for name, entry in entries.items():
            if name == "meta":
                continue
            metadata = entry.get("metadata", {})
            adapter = {"unit_mult": {}, "unit_add": {}, "rename": {}} | entry.get("data_adapter", {})
            self.sources[name] = SimpleNamespace(
                full_uri=f"{root}/{entry['uri']}",
                driver=SimpleNamespace(**entry["driver"]),
                metadata=SimpleNamespace(
                    crs=CRS.from_user_input(metadata["crs"]) if "crs" in metadata else None,
                    nodata=metadata.get("nodata"),
                ),
                data_adapter=SimpleNamespace(**adapter),
            )

    def get_source_names(self) -> list[str]:
        return list(self.sources)

    def get_source(self, name: str) -> SimpleNamespace:
        return self.sources[name]


@pytest.fixture
def hydromt(monkeypatch) -> None:
    try:
        import hydromt  # noqa: F401
    except ImportError:
        module = ModuleType("hydromt")
        module.DataCatalog = StandIn
        monkeypatch.setitem(sys.modules, "hydromt", module)


def content(folder):
    made = domain_maps.write_maps(folder)
    ground = np.round(10.0 * domain_maps.valley()).astype(np.int32)
    domain_maps.write(folder / "decimetres.tif", ground, crs=None)  # the catalogue knows the CRS
    domain_maps.write(folder / "elevation.tif", ground * 0.1)
    (folder / "catalogue.yml").write_text(yaml.safe_dump(CATALOGUE))
    return made


def elevation(path, folder):
    result = CliRunner().invoke(bmi_domain, [str(path), "--output", str(folder)])
    assert result.exit_code == 0, result.output
    domain = Domain.load(load_config(folder / "domain.yaml", DomainConfig))
    return domain.elevation, domain.conductivity_x


def test_a_source_is_the_file_that_the_catalogue_describes(tmp_path, hydromt):
    made = content(tmp_path)
    plain = elevation(domain_maps.write_basin(tmp_path, made), tmp_path / "plain")
    changes = {
        "catalog": "catalogue.yml",
        "elevation": {"source": "lidar", "variable": "elevtn"},
        "soil.sand": {"source": "soil", "variable": "sndppt"},
        "soil.clay": {"source": "soil", "variable": "clay"},
    }
    named = elevation(domain_maps.write_basin(tmp_path, made, changes), tmp_path / "named")
    for one, other in zip(plain, named, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"catalog": None}, "elevation.source: a source needs the catalogue that has it"),
        ({"elevation": "elevation.tif"}, "catalog: without effect"),
        (
            {"elevation": {"source": "lidr"}},
            "elevation.source: the catalogue has no source 'lidr'; did you mean",
        ),
        ({"elevation": {"source": "tiles"}}, "tiles is not one file but"),
        ({"soil.sand": {"source": "soil"}}, "soil.sand.source: soil is not one file but"),
    ],
)
def test_a_source_that_is_no_file_is_one_message(tmp_path, hydromt, changes, told):
    made = content(tmp_path)
    named = {"catalog": "catalogue.yml", "elevation": {"source": "lidar"}}
    path = domain_maps.write_basin(tmp_path, made, named | changes)
    result = CliRunner().invoke(bmi_domain, [str(path), "--check"])
    assert result.exit_code == 2
    assert told in result.output
    assert f"{path}:" in result.output


def test_without_hydromt_there_is_one_message(tmp_path, monkeypatch):
    made = content(tmp_path)
    monkeypatch.setitem(sys.modules, "hydromt", None)
    path = domain_maps.write_basin(tmp_path, made, {"catalog": "catalogue.yml", "elevation": {"source": "lidar"}})
    result = CliRunner().invoke(bmi_domain, [str(path), "--check"])
    assert result.exit_code == 2
    assert "catalog: needs HydroMT, which is not installed: pip install hydromt" in result.output
