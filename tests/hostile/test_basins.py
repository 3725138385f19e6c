"""``basin.yaml`` with `--check`, whose maps are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import domain_maps
import numpy as np
import pytest
import yaml
from hostile.judge import judge, tries
from hostile.mutations import odd_values, spoiled_trees
from hypothesis import given

from rootzone.domain_builder import report
from rootzone.domain_builder.build import build

RICH: dict[str, Any] = {
    "title": "Valley",
    "grid": {"crs": domain_maps.UTM, "cell": 200.0},
    "region": {"pour_point": {"x": domain_maps.WEST + 2000.0, "y": domain_maps.SOUTH + 2000.0, "snap": 400.0}},
    "elevation": {"file": "ground.tif", "pits": "carve", "minimum_slope": 1e-4},
    "rivers": {"upstream_area": 1.0, "depth": 1.0, "manning": 0.04},
    "layers": [5.0, 1.0, 0.5, 0.3, 0.2],
    "root_zone": 4,
    "soil": {
        "depths": [0, 0.3, 1.0],
        "sand": {"files": ["sand.tif", "sand.tif"], "units": "%"},
        "clay": ["clay.tif", 25.0],
        "bulk_density": 1.4,
        "depth_to_bedrock": 1.2,
        "anisotropy": 0.5,
    },
    "permeability": {
        "log10_permeability": -13.0,
        "temperature": 12.0,
        "decay": {"a": 120.0, "b": 150.0, "minimum": 5.0},
    },
    "land_cover": {"file": "cover.tif", "legend": {4: 4, 10: 10}, "manning": {4: 0.3}, "shares": True},
    "initial": {"water_table_depth": 1.5, "recharge": 300.0, "years": 3, "coupled_years": 2, "storage_change": 0.01},
    "gauges": {"weir": {"x": domain_maps.WEST + 2000.0, "y": domain_maps.SOUTH + 2000.0, "snap": 400.0}},
}
CLASSES: dict[str, Any] = {
    "grid": {"like": "coarse.tif"},
    "region": {"mask": "coarse.tif"},
    "elevation": {"file": "elevation.tif", "outlets": {"upstream_area": 1.0}, "missing": "nearest"},
    "layers": [2.0, 1.0],
    "soil": {
        "classes": "cover.tif",
        "table": {
            number: {"porosity": 0.4, "alpha": 2.0, "n": 1.6, "residual_saturation": 0.1, "conductivity": 0.01}
            for number in (4, 10)
        },
    },
    "land_cover": {"file": "cover.tif", "nodata": 255},
}
BASINS = {"rich": RICH, "classes": CLASSES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps of a valley that a ridge closes in the north and on its sides."""
    made = tmp_path_factory.mktemp("basin")
    domain_maps.write_maps(made)
    ground = domain_maps.valley()
    ground[-12:] += 200.0 - 30.0 * np.abs(np.arange(12) - 5.0)[:, np.newaxis]
    ground[:, :10] -= 15.0 * (10.0 - np.arange(10))
    ground[:, -10:] -= 15.0 * (1.0 + np.arange(10))
    domain_maps.write(made / "ground.tif", ground)
    domain_maps.write(made / "coarse.tif", np.ones((10, 10), dtype=np.uint8), cell=400.0)
    (made / "first.yaml").write_text(yaml.safe_dump(RICH), encoding="utf-8")
    build(made / "first.yaml", None)  # an editable installation compiles what is imported for the first time
    return made


@pytest.fixture(autouse=True)
def _without_maps_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all the rest, and no input decides about it."""
    monkeypatch.setattr(report, "draw_maps", lambda basin: [])


def check(folder: Path, tree: Any) -> str:
    """Judge `--check` of this basin, which writes nothing."""
    file = folder / "basin.yaml"
    file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    before = sorted(folder.rglob("*"))
    message = judge(lambda: build(file, None), folder, seconds=60.0)
    assert sorted(folder.rglob("*")) == before
    return message


@pytest.mark.parametrize("name", BASINS)
def test_good_basins_are_accepted(folder: Path, name: str) -> None:
    assert check(folder, BASINS[name]) == ""


@pytest.mark.fuzz
@pytest.mark.parametrize("name", BASINS)
def test_basins_are_accepted_or_refused(folder: Path, name: str) -> None:
    @given(tree=spoiled_trees(BASINS[name]))
    @tries(20)
    def spoiled(tree: Any) -> None:
        check(folder, tree)

    spoiled()


@given(value=odd_values)
@tries(10)
def test_basins_that_are_none(folder: Path, value: Any) -> None:
    check(folder, value)
