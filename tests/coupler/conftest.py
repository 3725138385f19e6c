"""A small run of fake components that tests change in one place."""

import copy
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from coupler.cli import main

HEAD = "soil_water__pressure_head"
SATURATION = "soil_water__saturation"
SOURCE = "soil_root-zone_water__net_volume_flux"

GRID = {"nx": 4, "ny": 3, "layers": 11}
RUN = {
    "time": {"start": "2020-01-01T00:00", "end": "2020-01-01T06:00", "step": "1h"},
    "components": {
        "land": {"class": "zoo:Land", "config": "land.yaml"},
        "groundwater": {"class": "zoo:Bucket", "config": "groundwater.yaml"},
    },
    "order": ["land", "groundwater"],
    "exchanges": [
        {"from": f"groundwater.{HEAD}", "to": f"land.{HEAD}"},
        {"from": f"groundwater.{SATURATION}", "to": f"land.{SATURATION}"},
        {"from": f"land.{SOURCE}", "to": f"groundwater.{SOURCE}"},
    ],
    "output": [{"file": "hourly.nc", "every": "1h", "variables": [f"groundwater.{HEAD}", f"land.{SOURCE}"]}],
}


@dataclass
class FakeRun:
    """Files of a run in a folder, and the command on them."""

    folder: Path
    run: dict = field(default_factory=lambda: copy.deepcopy(RUN))
    land: dict = field(default_factory=lambda: dict(GRID))
    groundwater: dict = field(default_factory=lambda: dict(GRID))

    @property
    def yaml(self) -> Path:
        return self.folder / "coupled.yaml"

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def write(self) -> Path:
        for name, content in (("coupled", self.run), ("land", self.land), ("groundwater", self.groundwater)):
            (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        return self.yaml

    def __call__(self, *arguments: str) -> Result:
        self.write()
        given = [str(self.yaml), *arguments]
        if "--check" not in arguments and "--output" not in arguments:
            given += ["--output", str(self.output)]
        return CliRunner().invoke(main, given)

    def use(self, groundwater_class: str, **groundwater: object) -> "FakeRun":
        self.run["components"]["groundwater"]["class"] = f"zoo:{groundwater_class}"
        self.groundwater.update(groundwater)
        return self


@pytest.fixture
def fake(tmp_path: Path) -> FakeRun:
    return FakeRun(tmp_path)
