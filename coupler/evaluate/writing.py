"""Everything that an evaluation writes into its folder."""

from __future__ import annotations

import tempfile
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

    Everything is made in a hidden folder beside or in `folder` and moved when it is whole: an evaluation that fails
    leaves `folder` as it was.

    Raises
    ------
    ConfigError
        For bad input.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; the report needs a folder")
    near = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    with tempfile.TemporaryDirectory(prefix=".evaluation-", dir=near) as hidden:
        found = evaluate(wanted, Path(hidden))
        draft = Path(hidden) / "report"
        made = [file.relative_to(draft) for file in write(found, wanted, draft)]
        for file in made:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (draft / file).replace(folder / file)
    return found, [folder / file for file in made]


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
