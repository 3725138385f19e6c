"""The pieces of code in the documentation: what they are, and a folder in which they can be tried.

A fenced block of Python is run, one of YAML is read by the configuration that its keys belong to, a line that calls
one of the package's commands is read by that command. What cannot be tried says so in a comment before the block::

    <!-- not run: it needs what nobody has -->
    <!-- needs: a package that few have -->
    <!-- excerpt: docs/examples/linear_reservoir.py -->
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from bmi_colm.config import LandConfig
from bmi_colm.library.config import LibraryConfig
from bmi_common.config import load_config
from bmi_common.domain import DomainConfig
from bmi_common.groundwater import SECTIONS
from bmi_common.prescribed import PrescribedConfig
from bmi_parflow.config import ParflowConfig
from bmi_richards.config import RichardsConfig
from bmi_surrogate.config import SurrogateConfig
from bmi_surrogate.training.config import TrainConfig
from coupler.config import RunConfig
from rootzone.domain_builder.config import BasinConfig
from rootzone.evaluation.observations.config import ObservationsConfig

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "cfg" / "demo"

_FENCED = re.compile(r"(?:<!-- ([\w ]+): ([^\n]*?) -->\s*\n)?^( *)```(\w+)\n(.*?)^\3```", re.MULTILINE | re.DOTALL)
_TOP_KEY = re.compile(r"^(?=[A-Za-z_])", re.MULTILINE)
_FILE = re.compile(r"[\w./*-]+\.(?:yaml|nc|csv|txt|pfb|so|dat|safetensors|json|tif)")
_COMMAND = re.compile(r"(?:\w+=\S+ )*(?:bmi-(?:run|evaluate|train|domain)|pytest|make)(?= |$)")


@dataclass(frozen=True)
class Snippet:
    """A fenced block: its language, its text, and what the comment before it says."""

    page: str
    line: int
    language: str
    text: str
    marker: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def snippets(page: Path) -> list[Snippet]:
    """All fenced blocks of a page."""
    content = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCED.finditer(content):
        marker, reason, indent, language, text = match.groups()
        line = content.count("\n", 0, match.start(5)) + 1
        text = re.sub(f"^{indent}", "", text, flags=re.MULTILINE)
        found.append(Snippet(page.name, line, language, text, marker or "", reason or ""))
    return found


# ---------------------------------------------------------------------- commands


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Calls of commands in blocks of code, fenced or indented: the command and its arguments."""
    content = page.read_text(encoding="utf-8").replace("\\\n", " ")
    shell = "\n".join(s.text for s in snippets(page) if s.language in ("bash", "sh", "console", "shell"))
    indented = [line for line in content.splitlines() if line.startswith("    ")]
    for line in (*shell.splitlines(), *indented):
        call = line.strip().removeprefix("$ ")
        if _COMMAND.match(call) is None:
            continue
        words = [w for w in shlex.split(call, comments=True) if not re.match(r"\w+=", w)]
        yield words[0], words[1:]


# ---------------------------------------------------------------------- YAML

FILES: Mapping[type[BaseModel], str] = {
    RunConfig: "../coupled.yaml",
    PrescribedConfig: "recharge.yaml",
    LandConfig: "land.yaml",
    LibraryConfig: "land.yaml",
    DomainConfig: "domain.yaml",
    RichardsConfig: "groundwater.yaml",
    ParflowConfig: "groundwater.yaml",
    SurrogateConfig: "groundwater.yaml",
    TrainConfig: "../demo_training/train.yaml",
    BasinConfig: "basin.yaml",
    ObservationsConfig: "observations.yaml",
}
"""The kinds of files, and for each the one of the demo basin that a piece of YAML replaces a part of, or its name."""


def alternatives(text: str) -> list[dict[str, Any]]:
    """Return what a block stands for: one piece, or several where keys stand there again."""
    pieces = [yaml.safe_load(piece) or {} for piece in _TOP_KEY.split(text)]
    keys = [key for piece in pieces for key in piece]
    if len(keys) > len(set(keys)):
        return [piece for piece in pieces if piece]
    return [{key: value for piece in pieces for key, value in piece.items()}]


def configuration_of(piece: Mapping[str, Any]) -> type[BaseModel]:
    """Return the configuration that has all keys of a piece of YAML."""
    for model in FILES:
        if piece.keys() <= model.model_fields.keys():
            return model
    raise AssertionError(f"no kind of file has the keys {', '.join(piece)}")


def validate(piece: Mapping[str, Any], folder: Path) -> None:
    """Read a piece of YAML, put into the file of the demo basin, as its configuration does.

    Files that it names exist: where the demo has none of the name, as empty ones.
    """
    model = configuration_of(piece)
    case = folder / "case"
    if not case.exists():
        case.mkdir()
        for entry in (*DEMO.iterdir(), DEMO, ROOT / "cfg"):
            (case / entry.name).symlink_to(entry)
    base = (DEMO / FILES[model]).resolve()
    data = (
        dict(piece)
        if {"grid", "start", "domain", "stations"} & piece.keys()
        else {**yaml.safe_load(base.read_text()), **piece}
    )
    if model is RunConfig and "order" not in piece:
        data["components"] = yaml.safe_load(base.read_text())["components"] | data["components"]
    for text in _texts(piece):
        if _FILE.fullmatch(text) or text.startswith(("../", "run-of-")):
            _provide(case, text)
    path = case / "piece.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    load_config(path, model, ignore=SECTIONS)


def _provide(case: Path, name: str) -> None:
    path = case / name.replace("*", "1")
    if path.exists():
        return
    if not path.suffix:
        path.mkdir(parents=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for child in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _texts(child)
