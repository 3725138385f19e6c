"""The version stands in `meson.build`; files that cannot read it there repeat it."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
REPEATED = [ROOT / "CITATION.cff", *sorted(ROOT.glob("*/pymt/info.yaml"))]


@pytest.mark.parametrize("file", REPEATED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_version_is_that_of_the_build(file: Path) -> None:
    built = re.search(r"version: '(.+?)'", (ROOT / "meson.build").read_text())
    assert built is not None
    assert yaml.safe_load(file.read_text())["version"] == built[1] == version("rootzone")
