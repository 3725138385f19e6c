"""The sections ``error_control:`` and ``report:`` of a run, with `--check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile.judge import judge, tries
from hostile.mutations import odd_values, spoiled_trees
from hostile.test_yaml import command
from hypothesis import given
from hypothesis import strategies as st
from zoo import Land

from bmi_common import Role, Variable, grids

HEAD = "soil_water__pressure_head"
SATURATION = "soil_water__saturation"
LATENT_HEAT = "land_surface_air_heat~net~latent__energy_flux"
SOURCE = "soil_root-zone_water__net_volume_flux"


class Evaporating(Land):
    """A land that has a latent heat to be compared, too."""

    variables = (*Land.variables, Variable(LATENT_HEAT, "W m-2", grids.SURFACE, Role.OUTPUT))

    def _start(self) -> None:
        super()._start()
        self._fill(LATENT_HEAT, 20.0)


RUN: dict[str, Any] = {
    "time": {"start": "2020-01-01T00:00", "end": "2020-01-01T12:00", "step": "1h"},
    "components": {
        "land": {"class": f"{__name__}:Evaporating", "config": "land.yaml"},
        "groundwater": {"class": "zoo:Well", "config": "groundwater.yaml"},
    },
    "order": ["land", "groundwater"],
    "exchanges": [
        {"from": f"groundwater.{HEAD}", "to": f"land.{HEAD}"},
        {"from": f"groundwater.{SATURATION}", "to": f"land.{SATURATION}"},
        {"from": f"land.{SOURCE}", "to": f"groundwater.{SOURCE}"},
    ],
    "output": [
        {"file": "heads.nc", "every": "1h", "variables": [f"groundwater.{HEAD}"], "precision": "double"},
        {"file": "fluxes.nc", "every": "1h", "variables": [f"land.{LATENT_HEAT}"]},
    ],
    "checkpoint": {"every": "6h", "keep": 9},
}
PHYSICS = {"class": "zoo:OtherNamedWell", "config": "groundwater.yaml"}
SECTIONS: dict[str, dict[str, Any]] = {
    "audit": {
        "audit": {
            "component": PHYSICS,
            "every": "6h",
            "window": "4h",
            "thresholds": {"water_table": "2.5 cm", "soil_water": "3 mm"},
            "free_drainage": PHYSICS,
            "action": "switch",
            "come_back": True,
        },
        "residual": {"limit": 0.1, "over": "3h", "action": "audit"},
        "ensemble": {"checkpoints": ["weights", "others"], "limits": {"water_table": "0.1 m"}, "action": "stop"},
    },
    "segments": {"segments": {"length": "6h", "restart_from": "reference", "restart": "all"}},
    "companion": {"segments": {"length": "6h", "restart_from": PHYSICS, "restart": "groundwater"}},
}
REPORT: dict[str, Any] = {
    "reference": "reference",
    "free_drainage": "reference",
    "thresholds": {"water_table": "0.5m", "latent_heat": "20 W m-2"},
    "precipitation": "reference/heads.nc",
    "reanalysis": "reference/heads.nc",
    "name": "mine",
    "segment_length": "12h",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configurations of the components, weights, and a finished run to restart from."""
    made = tmp_path_factory.mktemp("run")
    (made / "land.yaml").write_text("{nx: 4, ny: 3, layers: 11}\n")
    (made / "groundwater.yaml").write_text(
        f"{{nx: 4, ny: 3, layers: 11, surrogate: {{checkpoint: {made / 'weights'}}}}}"
    )
    for name in ("weights", "others"):
        (made / name).write_text("0.0")
    write(made / "reference.yaml", RUN)
    assert judge(lambda: command(str(made / "reference.yaml"), "--output", str(made / "reference")), made) == ""
    return made


def write(file: Path, tree: Any) -> None:
    file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


def check(folder: Path, key: str, section: Any) -> str:
    """Judge `--check` of the run with this section, which writes nothing."""
    write(folder / "run.yaml", {**RUN, key: section})
    before = sorted(folder.rglob("*"))
    message = judge(lambda: command(str(folder / "run.yaml"), "--check"), folder)
    assert sorted(folder.rglob("*")) == before
    return message


CASES = [*(("error_control", name) for name in SECTIONS), ("report", "report")]


def section_of(name: str) -> dict[str, Any]:
    return REPORT if name == "report" else SECTIONS[name]


@pytest.mark.parametrize(("key", "name"), CASES)
def test_good_sections_are_accepted(folder: Path, key: str, name: str) -> None:
    assert check(folder, key, section_of(name)) == ""


@pytest.mark.fuzz
@pytest.mark.parametrize(("key", "name"), CASES)
def test_sections_are_accepted_or_refused(folder: Path, key: str, name: str) -> None:
    @given(section=spoiled_trees(section_of(name)))
    @tries(20)
    def spoiled(section: Any) -> None:
        check(folder, key, section)

    spoiled()


@given(data=st.data())
@tries(10)
def test_sections_that_are_none(folder: Path, data: st.DataObject) -> None:
    check(folder, data.draw(st.sampled_from(("error_control", "report"))), data.draw(odd_values))
