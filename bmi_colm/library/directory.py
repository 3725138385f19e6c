"""Working directories: the files that CoLM reads from the current folder when it is called first."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import numpy as np

from bmi_colm.library.config import SNICAR_FILE
from bmi_common.errors import ConfigError
from bmi_common.owned_folder import draft_name, taken

READIN_FILE = "CoLM_readin.dat"
NAMELIST_FILE = "CoLM_nlfile.nml"
LOG_FILE = "colm.log"
RESTART_FILES = ("CoLM.TimeInvariants.rst", "CoLM.TimeVariables.rst")

HOLDS = "CoLM run"
"""What the record of a working directory says that it holds."""

_SNICAR_SHAPE = (11 * 31 * 8, 3)


class WorkingDirectory:
    """Folder with one sub-folder a block; only one run at a time can use it.

    Parameters
    ----------
    path : Path, optional
        Made if it does not exist, and kept; without it, a temporary folder that `close` removes.

    Raises
    ------
    ConfigError
        If the folder cannot be written, or is in use by another run.
    """

    def __init__(self, path: Path | None) -> None:
        self._release = ExitStack()
        try:
            if path is None:
                path = Path(self._release.enter_context(tempfile.TemporaryDirectory(prefix="colm_library_")))
            self._owned = self._release.enter_context(taken(path.resolve(), HOLDS))
        except (OSError, ConfigError) as error:
            self._release.close()
            raise ConfigError(f"library.working_directory: {error}") from error

    def block(self, rank: int, names: Iterable[str]) -> Path:
        """Make the folder of a block, and enter the files that are to be written there.

        Raises
        ------
        ConfigError
            If one of them is not of an earlier run.
        """
        name = f"block_{rank}"
        try:
            self._owned.own(*(f"{name}/{file}" for file in names))
        except ConfigError as error:
            raise ConfigError(f"library.working_directory: {error}") from error
        folder = self._owned.path / name
        folder.mkdir(exist_ok=True)
        return folder

    def close(self) -> None:
        """Release the folder; a temporary one is removed."""
        self._release.close()


def private_copy(library: Path, folder: Path) -> Path:
    """Copy the library into a folder.

    Its state is global, and a loaded file must not be overwritten, so that every block has a file of its own, which
    comes into being in one go.
    """
    target = folder / library.name
    unfinished = folder / draft_name(library.name)
    shutil.copyfile(library, unfinished)
    unfinished.chmod(0o700)
    unfinished.replace(target)
    return target


def write_namelist(folder: Path, start: datetime, restart_frequency: str, hot_start: bool) -> None:
    """Write CoLM's namelist; `start` is UTC."""
    seconds = (start - datetime(start.year, start.month, start.day)).total_seconds()
    if seconds != int(seconds):
        raise ConfigError(f"start: a CoLM library starts at a whole second, got {start.isoformat()}")
    frequency = restart_frequency if restart_frequency == "none" else restart_frequency.upper()
    (folder / NAMELIST_FILE).write_text(
        "&nl_colm\n"
        f"  DEF_simulation_time%start_year = {start.year}\n"
        f"  DEF_simulation_time%start_month = {start.month}\n"
        f"  DEF_simulation_time%start_day = {start.day}\n"
        f"  DEF_simulation_time%start_sec = {int(seconds)}\n"
        f"  DEF_WRST_FREQ = '{frequency}'\n"
        f"  DEF_hotstart = {'.true.' if hot_start else '.false.'}\n"
        "/\n",
        encoding="utf-8",
    )


def place_snicar_table(folder: Path, table: Path | None) -> None:
    """Copy the table of snow optics, or write one of zeros if there is none."""
    target = folder / SNICAR_FILE
    if table is None:
        np.savetxt(target, np.zeros(_SNICAR_SHAPE), fmt="%.1f")
    else:
        shutil.copyfile(table, target)


def check_snicar_table(table: Path) -> None:
    """Raise `ConfigError` if a file has not the shape of the table."""
    try:
        rows = [line.split() for line in table.read_text(encoding="utf-8").rstrip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{table}: cannot be read as text: {error}") from error
    lines, columns = _SNICAR_SHAPE
    if len(rows) != lines or any(len(row) != columns for row in rows):
        raise ConfigError(f"{table}: not the table of snow optics, which has {lines} lines of {columns} numbers")


def copy_restart(source: Path, folder: Path, rank: int) -> None:
    """Copy a block's restart files into its folder.

    Parameters
    ----------
    source : Path
        Folder of restart files, or the working directory of an earlier run with the same blocks.
    folder : Path
        Of the block, with its ``CoLM_readin.dat``.
    rank : int
        Number of the block.

    Raises
    ------
    ConfigError
        If a file is missing, or the earlier run had other cells in this block.
    """
    block = source / folder.name
    place = block if block.is_dir() else source
    earlier = place / READIN_FILE
    if place is block and earlier.is_file() and _cells(earlier) != _cells(folder / READIN_FILE):
        raise ConfigError(f"library.hot_start: {place}: the earlier run had other cells in this block; use its blocks")
    for name in restart_files(rank):
        file = place / name
        if not file.is_file():
            raise ConfigError(f"library.hot_start: no such file: {file}")
        shutil.copyfile(file, folder / file.name)


def _cells(readin: Path) -> list[list[str]]:
    with readin.open(encoding="utf-8") as lines:
        return [line.split(maxsplit=2)[:2] for line in lines]


def restart_files(rank: int) -> list[str]:
    """Names of the restart files of a block."""
    return [f"{name}.{rank}" for name in RESTART_FILES]


def last_lines(log: Path, count: int = 12) -> str:
    """Return the end of a log, indented, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        lines = []
    return "\n".join(f"    {line}" for line in lines) or "    (it printed nothing)"
