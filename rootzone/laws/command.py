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
from bmi_common.owned_folder import OwnedFolder, new_folder
from rootzone.laws.findings import Finding
from rootzone.laws.laboratory import Lengths
from rootzone.laws.probing import probe, require_laws
from rootzone.laws.report import write

HOLDS = "laws"
"""What the record of its folder says that it holds."""


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

    Raises
    ------
    ConfigError
        For bad input; nothing was written.
    RunFailed
        If a run fails under its own weather.
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
    with ExitStack() as stack:
        folder: OwnedFolder | None = None
        if output is not None:
            folder = stack.enter_context(new_folder(output, HOLDS, overwrite))
            folder.require_not_removed(files)
        level = logging.getLogger("rootzone").level
        logging.getLogger("rootzone").setLevel(logging.ERROR)  # each experiment would tell the same again
        stack.callback(logging.getLogger("rootzone").setLevel, level)
        found = {file.stem: probe(file, settings, lengths, laws, console) for file in files}
        if folder is None:
            return found, []
        with folder.staging() as staging:
            made = [path.name for path in write(found, staging)]
        return found, [folder.path / name for name in made]
