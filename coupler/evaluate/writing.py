"""Everything that an evaluation writes into its folder."""

from __future__ import annotations

from pathlib import Path

from bmi_common.owned_folder import OwnedFolder
from coupler.evaluate import netcdf, page
from coupler.evaluate.drawing import draw_all
from coupler.evaluate.evaluation import Evaluation, Wanted, evaluate
from coupler.evaluate.figure import draw
from coupler.evaluate.gates import LIMITS
from coupler.evaluate.summary import summary

HOLDS = "evaluation"
"""What the record of its folder says that it holds."""


def evaluate_into(wanted: Wanted, folder: OwnedFolder, below: str = "") -> tuple[Evaluation, list[Path]]:
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
        For bad input, and if files of the user's would be replaced.
    """
    with folder.staging(below) as staging:
        found = evaluate(wanted, staging)
        made = [path.relative_to(staging) for path in write(found, wanted, staging)]
    return found, [folder.path / below / path for path in made]


def write(found: Evaluation, wanted: Wanted, folder: Path) -> list[Path]:
    """Write an evaluation; returns the files, the page first."""
    report, assessment, control = found.report, found.assessment, found.control
    decisions = {} if control is None else {"error_control": control.decisions}
    water = {} if found.water is None else {"water_balance": found.water.attributes()}
    made = report.write(folder, summary(assessment) | decisions | water)
    limits = LIMITS[wanted.limits]
    lines = {"limit": limits.median} | ({} if limits.high is None else {"limit ": limits.high})
    draw(report.comparison, wanted.name, lines, found.domain, folder / "errors.png")
    netcdf.write(assessment, folder / "evaluation.nc")
    figures = draw_all(assessment, control, folder)
    page.write(report, assessment, control, figures, folder / "report.html")
    return [folder / "report.html", *made, folder / "evaluation.nc", folder / "errors.png", *(f.path for f in figures)]
