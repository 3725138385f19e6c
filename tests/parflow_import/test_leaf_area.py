"""Leaf and stem area that a definition forces."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from parflow_runs import CLMIN, NX, NY, ParflowRun

LEAF, STEM = "land_vegetation__leaf-area_index", "land_vegetation__stem-area_index"
KEY = "Solver.CLM.ForceVegetation"


def forced(run: ParflowRun, hours: int) -> tuple[np.ndarray, np.ndarray]:
    """A run from 20 UTC; classes (ny, nx) of its cells, and leaf area (hours, classes)."""
    run.with_clm(CLMIN.replace("shr            06", "shr            20"))
    classes = 1 + np.arange(NY * NX).reshape(NY, NX) % 14
    leaves = 0.5 + 0.1 * np.arange(18) + 0.02 * np.arange(hours)[:, np.newaxis]
    run.pfb("veg_map.pfb", classes, (1, NY, NX))
    np.savetxt(run.folder / "lai.dat", leaves)
    np.savetxt(run.folder / "sai.dat", 0.5 * leaves)
    run.keys |= {KEY: True, "TimingInfo.StopTime": 10.0}
    return classes, leaves


def test_each_cell_has_the_mean_of_its_class_over_the_day(parflow: ParflowRun) -> None:
    classes, leaves = forced(parflow, hours=10)
    assert "leaf and stem area have the mean of each day" in parflow.imported().output
    run = yaml.safe_load((parflow.output / "coupled.yaml").read_text())
    run["output"][0]["variables"] += [f"land.{LEAF}", f"land.{STEM}"]
    (parflow.output / "coupled.yaml").write_text(yaml.safe_dump(run))
    result: xr.Dataset = parflow.run()
    for hours, expected in ((slice(0, 3), leaves[:4].mean(axis=0)), (slice(6, 10), leaves[4:].mean(axis=0))):
        for hour in result[LEAF.replace("-", "_")].values[hours]:
            np.testing.assert_allclose(hour, expected[classes - 1], rtol=1e-6)  # written in single precision
        for hour in result[STEM.replace("-", "_")].values[hours]:
            np.testing.assert_allclose(hour, 0.5 * expected[classes - 1], rtol=1e-6)  # written in single precision


def shorter(path: Path) -> None:
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))


@pytest.mark.parametrize(
    ("file", "spoil", "words"),
    [
        ("sai.dat", Path.unlink, "sai.dat"),
        ("veg_map.pfb", Path.unlink, "no such file: "),
        ("lai.dat", shorter, "lai.dat has 9 rows, one an hour; the run needs 10 (TimingInfo)"),
        ("lai.dat", lambda path: path.write_text("1 2\n" * 10), "lai.dat:1: 2 columns, needs 18, one a class"),
        ("lai.dat", lambda path: path.write_text(path.read_text().replace("5", "?", 1)), "lai.dat:1: could not"),
    ],
)
def test_a_mistake_names_key_and_file(parflow: ParflowRun, file: str, spoil: object, words: str) -> None:
    forced(parflow, hours=10)
    spoil(parflow.folder / file)  # type: ignore[operator]
    result = parflow()
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert f"case.pfidb: {KEY}: " in said
    assert words in said


def test_a_class_is_a_number_from_1_to_18(parflow: ParflowRun) -> None:
    forced(parflow, hours=10)
    parflow.pfb("veg_map.pfb", 19.0, (1, NY, NX))
    assert "a class of vegetation is a number from 1 to 18, got 19" in " ".join(parflow().output.split())
