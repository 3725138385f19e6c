"""A small run of fake components that tests change in one place."""

import copy
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import xarray as xr
import yaml
from click.testing import CliRunner, Result

from rootzone.bmi_run import main

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

    def succeeds(self, *arguments: str) -> Result:
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result

    def refuses(self, *words: str, arguments: tuple[str, ...] = ()) -> str:
        """Expect exit code 2, one message with all `words`, no traceback, and nothing written or changed."""
        self.write()
        before = contents(self.folder)
        message = self._fails(2, words, arguments)
        assert contents(self.folder) == before
        return message

    def breaks(self, *words: str, arguments: tuple[str, ...] = ()) -> str:
        """Expect exit code 1 and one message with all `words`, no traceback."""
        return self._fails(1, words, arguments)

    def _fails(self, code: int, words: tuple[str, ...], arguments: tuple[str, ...]) -> str:
        result = self(*arguments)
        assert isinstance(result.exception, SystemExit), result.output
        assert result.exit_code == code, result.output
        messages = [line for line in result.output.splitlines() if line.startswith("bmi-run: ")]
        assert len(messages) == 1, result.output
        assert "Traceback" not in result.output
        message = result.output[result.output.index(messages[0]) :]  # several mistakes have a line each
        for word in words:
            assert word in message, f"{word!r} not in {message!r}"
        return message

    def open(self, file: str = "hourly.nc") -> xr.Dataset:
        with xr.open_dataset(self.output / file) as data:
            return data.load()

    def use(self, groundwater_class: str, **groundwater: object) -> "FakeRun":
        self.run["components"]["groundwater"]["class"] = f"zoo:{groundwater_class}"
        self.groundwater.update(groundwater)
        return self


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def fake(tmp_path: Path) -> FakeRun:
    return FakeRun(tmp_path)
