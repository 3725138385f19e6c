"""What error control decided while a run was made, for its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from bmi_common import ConfigError
from coupler.config import DECISIONS_FILE


class Taken(NamedTuple):
    """One decision.

    Attributes
    ----------
    time : str
        UTC.
    by, action, reason : str
        What decided, what was done, and why.
    """

    time: str
    by: str
    action: str
    reason: str


def decisions_of(run: Path) -> list[Taken]:
    """Read the decisions of a run; none if it was made without error control.

    Raises
    ------
    ConfigError
        If their file is not what a run writes.
    """
    file = run / DECISIONS_FILE
    if not file.is_file():
        return []
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))["decisions"]
        return [Taken(*(str(entry[key]) for key in Taken._fields)) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: is no record of error control: {error!r}") from error
