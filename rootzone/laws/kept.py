"""What has been found of each run, kept law by law, so that a command that was stopped goes on where it was."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bmi_common.errors import ConfigError
from rootzone.laws.findings import Finding, Status
from rootzone.laws.report import markdown

JSON, MARKDOWN = "laws.json", "laws.md"
VERSION = 1
_ANEW = "choose another folder, or begin anew with --overwrite"


@dataclass
class Kept:
    """What has been found of one run.

    Attributes
    ----------
    identity : mapping of str to str
        `rootzone.laws.laboratory.Laboratory.identity` of the run.
    laws : dict
        Findings by the name of the law that was put.
    """

    identity: Mapping[str, str]
    laws: dict[str, list[Finding]] = field(default_factory=dict)

    def findings(self, laws: Iterable[str]) -> list[Finding]:
        """Return those of some laws, in this order, as far as they have been put."""
        return [finding for law in laws for finding in self.laws.get(law, ())]


def read(folder: Path) -> dict[str, Kept]:
    """Read what a folder holds, by the names of the runs; nothing where there is no file.

    Raises
    ------
    ConfigError
        If the file is damaged, or of another version of this package.
    """
    path = folder / JSON
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            raise ConfigError(f"{path}: is of another version of this program; {_ANEW}")
        return {str(name): _of_run(run) for name, run in content["runs"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: cannot be read ({type(error).__name__}: {error}); {_ANEW}") from error


def require_same(folder: Path, name: str, kept: Kept, identity: Mapping[str, str]) -> None:
    """Refuse, with `ConfigError`, to go on with the laws of a run that has another identity now."""
    other = [what for what, value in identity.items() if kept.identity.get(what) != value]
    if other:
        told = [f"{w} ({kept.identity.get(w)}, now {identity[w]})" if len(identity[w]) < 40 else w for w in other]
        raise ConfigError(
            f"{folder / JSON}: the laws of {name} were put with another {', another '.join(told)}; {_ANEW}"
        )


def write(runs: Mapping[str, Kept], laws: Iterable[str], folder: Path) -> None:
    """Write what has been found as JSON, and as a table in Markdown with the laws in this order."""
    content = {
        "version": VERSION,
        "runs": {
            name: {
                "identity": dict(kept.identity),
                "laws": {law: [_as_json(f) for f in found] for law, found in kept.laws.items()},
            }
            for name, kept in runs.items()
        },
    }
    (folder / JSON).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    laws = list(laws)
    table = markdown({name: kept.findings(laws) for name, kept in runs.items()})
    (folder / MARKDOWN).write_text(table, encoding="utf-8")


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "law": finding.law,
        "status": finding.status.value,
        "measured": None if math.isnan(finding.measured) else finding.measured,
        "limit": None if math.isnan(finding.limit) else finding.limit,
        "words": finding.words,
    }


def _of_run(content: Any) -> Kept:
    identity = {str(what): str(value) for what, value in content["identity"].items()}
    return Kept(identity, {str(law): [_finding(f) for f in found] for law, found in content["laws"].items()})


def _finding(content: Any) -> Finding:
    measured, limit = (math.nan if content[of] is None else float(content[of]) for of in ("measured", "limit"))
    return Finding(str(content["law"]), Status(content["status"]), measured, limit, str(content["words"]))
