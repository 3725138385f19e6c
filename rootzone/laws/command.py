"""What ``bmi-laws`` does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from bmi_common.config import require_names
from bmi_common.durations import parse_duration
from bmi_common.errors import ConfigError
from bmi_common.interrupts import interrupts_kept
from bmi_common.owned_folder import OwnedFolder, new_folder
from rootzone.laws import kept
from rootzone.laws.findings import Finding
from rootzone.laws.kept import Kept
from rootzone.laws.laboratory import Laboratory, Lengths
from rootzone.laws.probing import LAWS, probe, require_laws

HOLDS = "laws"
"""What the record of its folder says that it holds."""


@interrupts_kept()
def put(
    files: Sequence[Path],
    settings: Sequence[str],
    record: str,
    repeats: int,
    laws: Sequence[str],
    output: Path | None,
    overwrite: bool,
    console: Console,
) -> tuple[dict[str, list[Finding]], list[Path]]:
    """Put runs to laws; return what was found by the names of their files, and the files written.

    Each law is kept in `output` as soon as it is put. Laws that the folder holds are not put again, unless it is to be
    overwritten.

    Raises
    ------
    ConfigError
        For bad input, and where the folder holds laws of other runs under these names; nothing was written.
    RunFailed
        If a run fails under its own weather; what was found before is kept.
    """
    require_names(*files, output)
    require_laws(laws)
    if overwrite and output is None:
        raise ConfigError("--overwrite goes with --output, the folder of the laws to be replaced")
    names = [file.stem for file in files]
    if len({*names}) < len(names):
        raise ConfigError(f"two of {', '.join(map(str, files))} have one name, by which findings are told apart")
    try:
        lengths = Lengths(parse_duration(record), repeats)
    except ValueError as error:
        raise ConfigError(f"--record: {error}") from None
    laws = laws or list(LAWS)
    with ExitStack() as stack:
        folder: OwnedFolder | None = None
        if output is not None:
            # what it holds is gone on with, so that it may hold laws
            folder = stack.enter_context(new_folder(output, HOLDS, overwrite=True))
            folder.require_not_removed(files)
        level = logging.getLogger("rootzone").level
        logging.getLogger("rootzone").setLevel(logging.ERROR)  # each experiment would tell the same again
        stack.callback(logging.getLogger("rootzone").setLevel, level)
        laboratories = [(file.stem, Laboratory(file, settings, lengths, console)) for file in files]
        for name, laboratory in laboratories:
            for doubt in laboratory.doubts:
                console.print(f"{name}: {doubt}", style="yellow")
        runs: dict[str, Kept] = {}
        if folder is not None and not overwrite:
            runs = kept.read(folder.path)
            for name, laboratory in laboratories:
                if name in runs:
                    kept.require_same(folder.path, name, runs[name], laboratory.identity)
        runs |= {name: Kept(laboratory.identity) for name, laboratory in laboratories if name not in runs}
        if folder is not None and overwrite:
            folder.clear()
        while laboratories:
            name, laboratory = laboratories.pop(0)  # with all that it remembers
            for law in laws:
                if law in runs[name].laws:
                    continue
                found = runs[name].laws[law] = probe(law, laboratory)
                console.print(f"{name}: {', '.join(f'{f.law} {f.status.value}' for f in found)}")
                if folder is not None:
                    with folder.staging() as staging:
                        kept.write(runs, LAWS, staging)
        written = [] if folder is None else [folder.path / kept.JSON, folder.path / kept.MARKDOWN]
        return {name: runs[name].findings(laws) for name in names}, written
