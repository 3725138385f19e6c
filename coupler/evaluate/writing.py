"""Everything that an evaluation writes into its folder."""

from __future__ import annotations

from pathlib import Path

from bmi_common import ConfigError
from coupler.evaluate import netcdf, page
from coupler.evaluate.drawing import draw_all
from coupler.evaluate.evaluation import Evaluation, Wanted, evaluate
from coupler.evaluate.figure import draw
from coupler.evaluate.gates import LIMITS
from coupler.evaluate.summary import summary


def evaluate_into(wanted: Wanted, folder: Path) -> tuple[Evaluation, list[Path]]:
    """Evaluate, and write report, fields and figures; returns the files, the page first.

    Nothing is written before the input has been found sound; meanwhile the series of cells lie in a hidden folder
    beside or in `folder`, which is removed.

    Raises
    ------
    ConfigError
        For bad input.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; the report needs a folder")
    found = evaluate(wanted, next(p for p in (folder, *folder.absolute().parents) if p.is_dir()))
    return found, write(found, wanted, folder)


def write(found: Evaluation, wanted: Wanted, folder: Path) -> list[Path]:
    """Write an evaluation; returns the files, the page first."""
    report, assessment, control = found.report, found.assessment, found.control
    decisions = {} if control is None else {"error_control": control.decisions}
    made = report.write(folder, summary(assessment) | decisions)
    limits = LIMITS[wanted.limits]
    lines = {"limit": limits.median} | ({} if limits.high is None else {"limit ": limits.high})
    draw(report.comparison, wanted.name, lines, found.domain, folder / "errors.png")
    netcdf.write(assessment, folder / "evaluation.nc")
    figures = draw_all(assessment, control, folder)
    page.write(report, assessment, control, figures, folder / "report.html")
    return [folder / "report.html", *made, folder / "evaluation.nc", folder / "errors.png", *(f.path for f in figures)]
