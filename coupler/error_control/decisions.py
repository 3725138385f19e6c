"""What error control has found and done, in words and figures."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

log = logging.getLogger("rootzone")


@dataclass(frozen=True)
class Decision:
    """One entry.

    Attributes
    ----------
    time : str
        Calendar time (UTC), ISO 8601.
    by : str
        ``segments``, ``audit``, ``residual`` or ``ensemble``.
    action : str
        What was done; ``none`` where all was well.
    reason : str
        In words.
    found, limits : mapping
        Figures and what they were held against.
    """

    time: str
    by: str
    action: str
    reason: str
    found: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)


class Decisions:
    """All decisions of a run; each goes to the log and into ``error_control.json``.

    Parameters
    ----------
    path : Path
        The file.
    writes : bool
        Whether this process writes it; of several that share a run, one does.
    """

    def __init__(self, path: Path, writes: bool = True) -> None:
        self._path, self._writes = path, writes
        self._all: list[Decision] = []

    def add(self, time: datetime, by: str, action: str, reason: str, **figures: Mapping[str, float]) -> None:
        """Take a decision down; `figures` are `found` and `limits`."""
        decision = Decision(time.isoformat(), by, action, reason, **figures)
        self._all.append(decision)
        if not self._writes:
            return
        level = logging.INFO if action in ("none", "restart") else logging.WARNING
        log.log(level, "%s: %s: %s; %s", f"{time:%Y-%m-%dT%H:%M}", by, reason, _DONE[action])
        self.write()

    def write(self) -> None:
        """Write the file anew, so that a reader finds the old one or the new one."""
        if not self._writes:
            return
        partial = self._path.with_name(f".{self._path.name}.partial")
        partial.write_text(json.dumps({"decisions": self.state_dict()}, indent=1) + "\n", encoding="utf-8")
        partial.replace(self._path)

    def state_dict(self) -> list[dict[str, Any]]:
        """Return all decisions as values that JSON can hold."""
        return [asdict(d) for d in self._all]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Go on from what `state_dict` gave."""
        self._all = [Decision(**entry) for entry in state]
        self.write()


_DONE = {
    "none": "nothing to do",
    "warn": "the run goes on as it is",
    "stop": "the run stops",
    "resync": "the groundwater takes the state of physics",
    "switch": "physics takes the place of the groundwater component",
    "stay": "physics stays in its place",
    "return": "the groundwater component takes its place again",
    "restart": "the state of the reference is taken up",
    "audit": "an audit starts",
}
