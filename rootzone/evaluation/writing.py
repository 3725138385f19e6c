"""Everything that an evaluation writes into its folder."""

from __future__ import annotations

from pathlib import Path

from bmi_common.owned_folder import OwnedFolder, new_folder
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.evaluate import Wanted, evaluate
from rootzone.evaluation.figures import draw_all, draw_baselines
from rootzone.evaluation.report import netcdf, page, summary

HOLDS = "evaluation"
"""What the record of its folder says that it holds."""


def evaluate_to(wanted: Wanted, output: Path | None, overwrite: bool) -> tuple[Assessment, list[Path]]:
    """Evaluate, and write report, fields and figures into a folder of their own, if one is given.

    Returns the assessment and the files, the page first. Raises as `evaluate_into` does.
    """
    if output is None:
        return evaluate(wanted), []
    with new_folder(output, HOLDS, overwrite) as folder:
        folder.require_not_removed(wanted.inputs)
        return evaluate_into(wanted, folder)


def evaluate_into(wanted: Wanted, folder: OwnedFolder, below: str = "") -> tuple[Assessment, list[Path]]:
    """Evaluate, and write report, fields and figures; returns the files, the page first.

    Nothing that lies in the folder is touched before all is made, in a hidden folder in it.

    Parameters
    ----------
    wanted : Wanted
        What to compare with what.
    folder : OwnedFolder
        Where to write.
    below : str
        Sub-folder of it.

    Raises
    ------
    ConfigError
        For bad input, and if the user's own files would be replaced.
    """
    with folder.staging(below) as staging:
        found = evaluate(wanted, staging)
        made = [path.relative_to(staging) for path in write(found, staging)]
    return found, [folder.path / below / path for path in made]


def write(a: Assessment, folder: Path) -> list[Path]:
    """Write an evaluation; returns the files, the page first."""
    numbers = summary.summary(a)
    made = summary.write(a, numbers, folder)
    netcdf.write(a, folder / "evaluation.nc")
    draw_baselines(a, folder / "errors.png")
    figures = draw_all(a, folder)
    page.write(a, numbers, figures, folder / "report.html")
    return [folder / "report.html", *made, folder / "evaluation.nc", folder / "errors.png", *(f.path for f in figures)]
