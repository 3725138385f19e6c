"""Ready cases that come with the package, and how they are put into a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

FOLDER = "cfg"
"""Where the files lie in the package, and in the folder of a case, so that paths are those of the guides."""


@dataclass(frozen=True)
class Step:
    """A command to go on with, in the folder of the case.

    Attributes
    ----------
    command : str
        The command.
    what : str
        What it does.
    surrogate : bool
        Whether it needs PyTorch, the extra ``surrogate``.
    """

    command: str
    what: str
    surrogate: bool = False


@dataclass(frozen=True)
class Case:
    """A case.

    Attributes
    ----------
    title : str
        What it is, in one line.
    parts : tuple of str
        Its files and folders below `FOLDER`.
    steps : tuple of Step
        What to do with it.
    """

    title: str
    parts: tuple[str, ...]
    steps: tuple[Step, ...]


_BASIN = ("coupled.yaml", "coupled-richards.yaml", "coupled-free-drainage.yaml", "coupled-parflow.yaml", "demo")
_TRAINING = "output/demo_training"

CASES: dict[str, Case] = {
    "demo": Case(
        "ten days of an invented basin: land over Richards groundwater, free drainage or the surrogate",
        (*_BASIN, "demo_recharge.yaml", "demo_spin_up.yaml"),
        (
            Step("bmi-run cfg/coupled-richards.yaml --check", "print the exchange plan, run nothing"),
            Step("bmi-run cfg/coupled-richards.yaml --output physics", "land and Richards groundwater"),
            Step("bmi-run cfg/coupled-free-drainage.yaml --output free", "without lateral groundwater flow"),
            Step("bmi-evaluate physics free --name free --output report", "how far apart the two are"),
            Step("bmi-run cfg/coupled.yaml --output hybrid", "the surrogate in the place of Richards", surrogate=True),
            Step(
                "bmi-evaluate physics hybrid --free-drainage free --output trust", "whether to trust it", surrogate=True
            ),
        ),
    ),
    "training": Case(
        "the same basin for three years: train its surrogate, judge it, keep its errors in check",
        (*_BASIN, "demo_training", "error_control"),
        (
            Step(
                f"bmi-run cfg/demo_training/physics_years.yaml --output {_TRAINING}/physics_years",
                "two years of physics, ten minutes",
            ),
            Step(
                f"bmi-run cfg/demo_training/physics_test_year.yaml --output {_TRAINING}/physics_test_year",
                "the year to be judged in",
            ),
            Step("bmi-train cfg/demo_training/train.yaml", "ten minutes more", surrogate=True),
            Step(
                f"bmi-run cfg/demo_training/hybrid_test_year.yaml --output {_TRAINING}/hybrid_test_year",
                "the test year with the surrogate",
                surrogate=True,
            ),
            Step(
                f"bmi-evaluate {_TRAINING}/physics_test_year {_TRAINING}/hybrid_test_year --output report",
                "its errors",
                surrogate=True,
            ),
            Step("bmi-run cfg/error_control/year.yaml --output year", "a year with error control", surrogate=True),
        ),
    ),
    "pearl_river": Case(
        "the domain of the paper; its data are not part of the package",
        ("pearl_river.yaml", "pearl_river"),
        (
            Step(
                "bmi-run cfg/pearl_river.yaml --set data=FOLDER --set groundwater.class=bmi_richards:BmiRichards",
                "land and Richards groundwater",
            ),
            Step("bmi-run cfg/pearl_river.yaml --set data=FOLDER", "the published network", surrogate=True),
        ),
    ),
}


def files(case: Case) -> Iterator[tuple[Path, Traversable]]:
    """Give the files of a case, each with its place in the folder."""
    for part in case.parts:
        yield from _walk(Path(FOLDER, part), resources.files("rootzone") / FOLDER / part)


def _walk(place: Path, found: Traversable) -> Iterator[tuple[Path, Traversable]]:
    if not found.is_dir():
        yield place, found
        return
    for child in sorted(found.iterdir(), key=lambda c: c.name):
        yield from _walk(place / child.name, child)


def put(case: Case, folder: Path) -> int:
    """Write the files of a case into a folder, which is made if it is not there; return their size in bytes.

    Raises
    ------
    FileExistsError
        If there is a file of that name, or the folder holds anything; nothing is written then.
    OSError
        If a file cannot be written; nothing stays of those that were, as after an interrupt.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file")
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".rootzone.staging-", dir=folder) as name:
            size = _write(case, Path(name))
            Path(name, FOLDER).rename(folder / FOLDER)
    except BaseException:
        for path in made:
            with suppress(OSError):  # not there, or not empty
                path.rmdir()
        raise
    return size


def _write(case: Case, folder: Path) -> int:
    size = 0
    for place, file in files(case):
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        size += target.write_bytes(file.read_bytes())
    return size
