"""Everything that an evaluation writes into its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bmi_common.interrupts import interrupts_kept
from bmi_common.owned_folder import OwnedFolder, new_folder
from bmi_common.progress import Progress
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.evaluate import Wanted, check_name, evaluate
from rootzone.evaluation.figures import draw_all, draw_baselines
from rootzone.evaluation.observations import report as observations
from rootzone.evaluation.observations.comparison import Comparison, WantedStations, compare, station_files
from rootzone.evaluation.observations.tables import screen_table
from rootzone.evaluation.report import netcdf, page, summary, tables

HOLDS = "evaluation"
"""What the record of its folder says that it holds."""

_PAGE = "report.html"


@dataclass(frozen=True)
class Findings:
    """What an evaluation has found.

    Attributes
    ----------
    assessment : Assessment or None
        The run beside the reference, if there is one.
    observed : Comparison or None
        Both beside stations, if any are given.
    files : list of Path
        What was written, the page first.
    """

    assessment: Assessment | None
    observed: Comparison | None
    files: list[Path]

    @property
    def tables(self) -> list[tables.ReportTable]:
        """What is shown first: errors and criteria, discharge at gauges, scores at stations."""
        found = []
        if self.assessment is not None:
            of = self.assessment
            found += [tables.errors_table(of), tables.criteria_table(of.criteria), tables.discharge_screen_table(of)]
        if self.observed is not None:
            found.append(screen_table(self.observed))
        return [table for table in found if table.rows]

    @property
    def notes(self) -> list[str]:
        """What a reader must know."""
        return [note for of in (self.assessment, self.observed) if of is not None for note in of.notes]


@interrupts_kept()
def evaluate_to(
    wanted: Wanted | None,
    stations: WantedStations | None,
    output: Path | None,
    overwrite: bool,
    console: Console | None = None,
) -> Findings:
    """Evaluate, and write report, fields and figures into a folder of their own, if one is given.

    Parameters
    ----------
    wanted : Wanted, optional
        What to compare with what.
    stations : WantedStations, optional
        What to compare with measurements; read first, so that mistakes in them are told before long work.
    output : Path, optional
        The folder.
    overwrite : bool
        Whether the evaluation that it holds may be replaced.
    console : Console, optional
        For progress.

    Raises
    ------
    ConfigError
        For bad input, and if the user's own files would be replaced.
    """
    if output is None:
        observed = None if stations is None else _compare(stations)
        progress = None if console is None else Progress(console, "compare")
        return Findings(None if wanted is None else evaluate(wanted, progress=progress), observed, [])
    with new_folder(output, HOLDS, overwrite) as folder:
        inputs = ([] if wanted is None else wanted.inputs) + ([] if stations is None else station_files(stations))
        folder.require_not_removed(inputs)
        return evaluate_into(wanted, stations, folder, console=console)


def evaluate_into(
    wanted: Wanted | None,
    stations: WantedStations | None,
    folder: OwnedFolder,
    below: str = "",
    console: Console | None = None,
) -> Findings:
    """Evaluate, and write report, fields and figures.

    Nothing that lies in the folder is touched before all is made, in a hidden folder in it.

    Parameters
    ----------
    wanted, stations, console
        As of `evaluate_to`.
    folder : OwnedFolder
        Where to write.
    below : str
        Sub-folder of it.

    Raises
    ------
    ConfigError
        For bad input, and if the user's own files would be replaced.
    """
    made: list[Path] = []
    with folder.staging(below) as staging:
        observed = None if stations is None else _compare(stations)
        compared, drawn = (None if console is None else Progress(console, label) for label in ("compare", "draw"))
        found = None if wanted is None else evaluate(wanted, staging, compared)
        if found is not None:
            made += write(found, staging, () if observed is None else (("Stations", observations.PAGE),), drawn)
        if observed is not None:
            made += observations.write(observed, staging, () if found is None else (("Beside the reference", _PAGE),))
        made = [path.relative_to(staging) for path in made]
    return Findings(found, observed, [folder.path / below / path for path in made])


def write(
    a: Assessment, folder: Path, pages: tuple[tuple[str, str], ...] = (), progress: Progress | None = None
) -> list[Path]:
    """Write an evaluation; returns the files, the page first. `pages` are titles and files of further pages."""
    numbers = summary.summary(a)
    made = summary.write(a, numbers, folder)
    netcdf.write(a, folder / "evaluation.nc")
    draw_baselines(a, folder / "errors.png")
    figures = draw_all(a, folder, progress)
    page.write(a, numbers, figures, folder / _PAGE, pages)
    return [folder / _PAGE, *made, folder / "evaluation.nc", folder / "errors.png", *(f.path for f in figures)]


def _compare(stations: WantedStations) -> Comparison:
    check_name(next(iter(stations.runs)), "--name")
    return compare(stations)
