"""Checkpoints: all that a run needs to go on as if it had not been stopped.

A checkpoint is a folder ``checkpoints/<model time>`` with the state file of every component, ``coupler.nc`` (values in
transit, records under way) and ``checkpoint.json`` (clock, ledger, positions in the output files, configuration). It
appears under its name only when it is whole, and older ones are removed only after that.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bmi_common.config import read_yaml
from bmi_common.errors import ConfigError, RootzoneError
from bmi_common.hashing import sha256
from bmi_common.state_file import StateArray, StateHeader, commit, read_state, write_state
from coupler.component import Component
from coupler.config import CHECKPOINTS, RunConfig

log = logging.getLogger("rootzone")

RECORD = "checkpoint.json"
BUFFERS = "coupler.nc"
VERSION = 1
SHADOWS = "error_control.*"
"""Files of the components that error control lets go along."""

_PARTIAL, _OLD = ".partial-", ".old-"
_MAY_CHANGE = frozenset({"time.end", "paths", "title", "figures", "report", "checks", "checkpoint"})
_MAY_CHANGE_IN_COMPONENT = frozenset({"paths", "relative_to", "staged_from", "end"})
_STATE_FUNCTIONS = ("save_state", "load_state")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read and found whole.

    Attributes
    ----------
    folder : Path
        Where it lies.
    time : datetime
        Model time (UTC) that it holds.
    steps : int
        Coupling steps done.
    settings : mapping
        What must not change, as `settings` gives it.
    run : mapping
        The coupler's own state, as values that JSON can hold.
    buffers : mapping
        The coupler's own arrays.
    """

    folder: Path
    time: datetime
    steps: int
    settings: Mapping[str, Any]
    run: Mapping[str, Any]
    buffers: Mapping[str, NDArray[Any]]

    @property
    def run_folder(self) -> Path:
        """The folder of the run that the checkpoint belongs to."""
        return self.folder.parent.parent


def require_state_functions(components: Mapping[str, Component]) -> None:
    """Refuse checkpoints of components that cannot save their state; static ones have none.

    Raises
    ------
    ConfigError
        Naming the first such component and what it lacks.
    """
    for name, component in components.items():
        if component.static:
            continue
        kind = f"{type(component.bmi).__module__}:{type(component.bmi).__name__}"
        lacking = [f"no {f}(path)" for f in _STATE_FUNCTIONS if not component.has(f)]
        if lacking:
            raise ConfigError(
                f"checkpoint: {name} ({kind}) has {' and '.join(lacking)}, which a checkpoint needs; remove "
                "`checkpoint`, or give the component these functions"
            )
        if not component.saves_state:
            raise ConfigError(f"checkpoint: {name} ({kind}) says that it cannot save its state; remove `checkpoint`")


# ---------------------------------------------------------------------- what must not change


def settings(config: RunConfig, configs: Mapping[str, Path]) -> dict[str, Any]:
    """Return what a run and its components are told, as values that JSON can hold.

    Parameters
    ----------
    config : RunConfig
        The run's configuration.
    configs : mapping
        The file that each component reads, with the run's options put in.
    """
    run = config.model_dump(mode="json", by_alias=True)
    for name, component in run["components"].items():
        # where the file lies and which values came as options does not matter, what the component reads does
        for key in ("options", "isolate", "grpc", "timeout"):
            component.pop(key, None)
        component["config"] = _content(configs[name])
    return {key: value for key, value in run.items() if key not in _MAY_CHANGE}


def _content(path: Path) -> Any:
    if path.suffix.lower() not in (".yaml", ".yml"):
        return sha256(path) if path.is_file() else None
    try:
        data = json.loads(json.dumps(read_yaml(path).data, default=str))
    except ConfigError:  # the component has read it in its own way
        return sha256(path)
    return {k: v for k, v in data.items() if k not in _MAY_CHANGE_IN_COMPONENT} if isinstance(data, dict) else data


def require_same_settings(checkpoint: Checkpoint, config: RunConfig, configs: Mapping[str, Path]) -> None:
    """Refuse to go on with other components, grids, exchanges or steps, or without time left.

    Raises
    ------
    ConfigError
        Naming the first difference with both values.
    """
    if config.time.start + config.time.step * checkpoint.steps >= config.time.end:
        raise ConfigError(
            f"time.end: the checkpoint is of {checkpoint.time:%Y-%m-%dT%H:%M} and the run ends at "
            f"{config.time.end:%Y-%m-%dT%H:%M}, nothing is left to do; give a later end, "
            "such as --set time.end=..."
        )
    # as JSON would give them back
    here = json.loads(json.dumps(settings(config, configs)))
    for key, there, now in _differences(checkpoint.settings, here, ""):
        if key not in _MAY_CHANGE and not key.endswith(".threads"):
            raise ConfigError(
                f"{key}: {_show(now)}, but {_show(there)} in the checkpoint {checkpoint.folder}; a restart goes on "
                "with the same run, only a later end and what changes no result may differ"
            )


def _differences(there: Any, here: Any, at: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for key in (*here, *(k for k in there if k not in here)):
            yield from _differences(there.get(key), here.get(key), f"{at}.{key}" if at else str(key))
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for i, (a, b) in enumerate(zip(there, here, strict=True)):
            yield from _differences(a, b, f"{at}.{i}")
    elif there != here:
        yield at, there, here


def _show(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, list | Mapping):
        return f"{len(value)} entries"
    return repr(value)


# ---------------------------------------------------------------------- writing


def write(
    run_folder: Path,
    keep: int,
    components: Iterable[Component],
    contents: Mapping[str, Any],
    buffers: Mapping[str, StateArray],
) -> Path:
    """Write a checkpoint, and then remove all but the newest `keep`.

    Parameters
    ----------
    run_folder : Path
        Folder of the run.
    keep : int
        Checkpoints that stay.
    components : iterable of Component
        Components at the end of a coupling step, those of error control included.
    contents : mapping
        ``time`` (a `datetime`), ``steps``, ``settings`` and ``run`` of a `Checkpoint`.
    buffers : mapping
        Arrays of the coupler.

    Raises
    ------
    ComponentError, ModelError, OSError
        If a state cannot be written; the older checkpoints are then as they were.
    """
    parent = run_folder / CHECKPOINTS
    remove_remains(run_folder)
    name = _name(contents["time"])
    partial = parent / f"{_PARTIAL}{name}"
    partial.mkdir(parents=True)
    for component in components:
        if component.static:
            continue
        component.save_state(partial / f"{component.name}.nc")
    write_state(partial / BUFFERS, StateHeader("coupler", float(contents["steps"])), buffers)
    record = {
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **contents,
        "time": contents["time"].isoformat(),
        "files": {p.name: sha256(p) for p in sorted(partial.iterdir())},
    }
    text = json.dumps(record)
    (partial / RECORD).write_text(json.dumps({"sha256": _digest(text), "record": text}) + "\n", encoding="utf-8")
    target = parent / name
    commit(partial, target)
    for folder in _all(run_folder)[:-keep]:
        _remove(folder)
    return target


def _name(time: datetime) -> str:
    return time.isoformat().replace(":", "-")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _all(run_folder: Path) -> list[Path]:
    """Whole checkpoints of a run, the oldest first."""
    parent = run_folder / CHECKPOINTS
    found = [p for p in parent.iterdir() if not p.name.startswith(".")] if parent.is_dir() else []
    return sorted(p for p in found if (p / RECORD).is_file())


def _remove(folder: Path) -> None:
    # renamed first: a folder that lost a part of its files must not look whole
    old = folder.with_name(_OLD + folder.name)
    folder.replace(old)
    shutil.rmtree(old)


def remove_remains(run_folder: Path) -> None:
    """Remove what a killed run left of checkpoints that it was writing or removing."""
    parent = run_folder / CHECKPOINTS
    for folder in [*parent.glob(f"{_PARTIAL}*"), *parent.glob(f"{_OLD}*")]:
        shutil.rmtree(folder)


def remove_later(checkpoint: Checkpoint) -> None:
    """Remove the checkpoints after this one: the run's files are about to be taken back behind them."""
    remove_remains(checkpoint.run_folder)
    for folder in _all(checkpoint.run_folder):
        if folder.name > checkpoint.folder.name:
            log.info("removed the later checkpoint %s", folder)
            _remove(folder)


# ---------------------------------------------------------------------- reading


def find(path: Path) -> Path:
    """Return the folder of a checkpoint: `path` itself, or the newest one of the run folder `path`.

    Raises
    ------
    ConfigError
        If it is neither, or the run has no checkpoint.
    """
    if path.name.startswith((_PARTIAL, _OLD)):
        raise ConfigError(f"{path}: not a whole checkpoint; restart from the run folder instead")
    if (path / RECORD).is_file():
        return path.resolve()
    if not path.is_dir():
        raise ConfigError(f"{path}: no such folder; --restart needs a run folder or one of its checkpoints")
    whole = _all(path)
    if whole:
        return whole[-1].resolve()
    raise ConfigError(f"{path}: holds no checkpoint (a run writes them with `checkpoint: {{every: 24h}}`)")


def read(folder: Path) -> Checkpoint:
    """Read a checkpoint and check that all its files are what was written.

    Raises
    ------
    ConfigError
        Naming the file that is missing, damaged or of a newer version.
    """
    path = folder / RECORD
    try:
        outer = json.loads(path.read_text(encoding="utf-8"))
        text = str(outer["record"])
        whole = _digest(text) == outer["sha256"]
        record = json.loads(text)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: damaged: {error}{_others(folder)}") from error
    if not whole:
        raise ConfigError(f"{path}: damaged: its content does not have the SHA-256 that it says{_others(folder)}")
    with understood(folder):
        if int(record["version"]) > VERSION:
            raise ConfigError(
                f"{path}: written in version {record['version']} of the format; this software reads {VERSION}"
            )
        for name in (*record["files"], *record["run"]["files"]):
            if Path(name).name != name:  # what is taken up again lies in the run's folder
                raise ConfigError(f"{path}: damaged: {name!r} is no plain name of a file")
        for name, digest in record["files"].items():
            file = folder / name
            if not file.is_file():
                raise ConfigError(f"{file}: missing{_others(folder)}")
            if sha256(file) != digest:
                raise ConfigError(f"{file}: damaged: it does not have the SHA-256 of the checkpoint{_others(folder)}")
        return Checkpoint(
            folder=folder,
            time=datetime.fromisoformat(record["time"]),
            steps=int(record["steps"]),
            settings=record["settings"],
            run=record["run"],
            buffers=read_state(folder / BUFFERS, "coupler").arrays,
        )


@contextmanager
def understood(folder: Path) -> Iterator[None]:
    """Take up what a checkpoint says; contents that this program does not write are one error that names the file."""
    try:
        yield
    except RootzoneError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{folder / RECORD}: damaged: not what this version of the software writes "
            f"({type(error).__name__}: {error}){_others(folder)}"
        ) from error


def _others(folder: Path) -> str:
    others = [p for p in _all(folder.parent.parent) if p != folder]
    return f"; the run has also {', '.join(map(str, others))}" if others else ""


def load_states(checkpoint: Checkpoint, components: Mapping[str, Component]) -> None:
    """Give every component its state.

    Raises
    ------
    ConfigError
        If a component refuses it, as that of another grid.
    """
    for name, component in components.items():
        if component.static:
            continue
        component.load_state(checkpoint.folder / f"{name}.nc")
        reached = component.time
        if abs(reached - _seconds(checkpoint)) > 1e-6 * max(1.0, reached):
            raise ConfigError(
                f"{checkpoint.folder / f'{name}.nc'}: {name} stands at {reached:g} s after loading it, the run at "
                f"{_seconds(checkpoint):g} s"
            )


def _seconds(checkpoint: Checkpoint) -> float:
    start = datetime.fromisoformat(str(checkpoint.settings["time"]["start"]))
    return (checkpoint.time - start).total_seconds()


def files_of(folder: Path, components: list[str]) -> list[Path]:
    """Files in a run folder that its checkpoints are made of, whole or not."""
    names = [RECORD, BUFFERS, *(f"{n}.nc" for n in components)]
    names += [p.name for p in (folder / CHECKPOINTS).glob(f"*/{SHADOWS}")]
    names += [f".{n}.partial" for n in names]
    return [p / n for p in (folder / CHECKPOINTS).glob("*") for n in names if (p / n).is_file()]
