"""The files that a run of ParFlow has dumped hour by hour, ``<run>.out.<kind>.NNNNN.pfb``."""

from __future__ import annotations

import re
from pathlib import Path

from bmi_common.errors import ConfigError
from bmi_common.pfidb import leading_number, read_pfidb

_DUMP = re.compile(r"^(?P<run>.+)\.out\.(?P<kind>[A-Za-z_]+)\.(?P<number>[0-9]{5,9})\.pfb$")


def is_parflow_run(folder: Path) -> bool:
    """Whether a folder holds pressures of ParFlow."""
    return folder.is_dir() and any(folder.glob("*.out.press.*.pfb"))


def find_dumps(folder: Path, *kinds: str) -> dict[str, dict[int, Path]]:
    """Find the dumps of some kinds, such as ``press``, by kind and number.

    Raises
    ------
    ConfigError
        If the folder holds those of several runs.
    """
    found: dict[str, dict[int, Path]] = {kind: {} for kind in kinds}
    runs: set[str] = set()
    for file in sorted(folder.glob("*.pfb")):
        match = _DUMP.match(file.name)
        if match and match["kind"] in found:
            runs.add(match["run"])
            found[match["kind"]][int(match["number"])] = file
    if len(runs) > 1:
        raise ConfigError(f"{folder}: holds several runs of ParFlow ({', '.join(sorted(runs))}); give each a folder")
    return found


def require_hourly(folder: Path, purpose: str) -> None:
    """Check the interval of the dumps, where the run definition lies beside them.

    Raises
    ------
    ConfigError
        If they are not an hour apart; the message says that `purpose` needs it.
    """
    definitions = sorted(folder.glob("*.pfidb"))
    if len(definitions) != 1:
        return
    try:
        values = read_pfidb(definitions[0])
    except ConfigError:
        return  # the definition is not needed
    between, unit = (leading_number(values.get(f"TimingInfo.{key}", "1")) for key in ("DumpInterval", "BaseUnit"))
    if between is None or unit is None:
        return
    interval = float(between) * float(unit)
    # a negative interval counts time steps, whose length the definition need not fix
    if interval > 0.0 and interval != 1.0:
        raise ConfigError(
            f"{definitions[0]}: TimingInfo.DumpInterval is {interval:g} h; {purpose} needs a dump every hour"
        )
