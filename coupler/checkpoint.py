"""Checkpoints: all that a run needs to go on as if it had not been stopped.

A checkpoint is a folder ``checkpoints/<model time>`` with the state file of every component, ``coupler.nc`` (values in
transit, records under way) and ``checkpoint.json`` (clock, water balance, positions in the output files,
configuration). The last one is written when the others are whole, and removed before them: a folder without it is not a
checkpoint. Older checkpoints are removed only after that.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bmi_common.config import read_yaml
from bmi_common.errors import ConfigError, Mistakes, RootzoneError
from bmi_common.hashing import sha256
from bmi_common.owned_folder import OwnedFolder, draft_name
from bmi_common.state_file import StateArray, StateHeader, commit, flush, read_state, write_state
from bmi_common.world import current
from coupler.component import Component
from coupler.config import CHECKPOINTS, RunConfig

log = logging.getLogger("rootzone")

RECORD = "checkpoint.json"
BUFFERS = "coupler.nc"
VERSION = 2
_MAY_CHANGE = frozenset({"time.end", "paths", "title", "figures", "animation", "report", "checks", "checkpoint", "mpi"})
_MAY_CHANGE_IN_COMPONENT = frozenset({"paths", "relative_to", "staged_from", "origins", "end"})
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


def state_functions_lacking(components: Mapping[str, Component]) -> str | None:
    """Say which component first cannot save its state, and why; None if all can. Static ones have none."""
    for name, component in components.items():
        if component.static:
            continue
        kind = f"{type(component.bmi).__module__}:{type(component.bmi).__name__}"
        lacking = [f"no {f}(path)" for f in _STATE_FUNCTIONS if not component.has(f)]
        if lacking:
            return f"{name} ({kind}) has {' and '.join(lacking)}, which a checkpoint needs"
        if not component.saves_state:
            return f"{name} ({kind}) says that it cannot save its state"
    return None


def require_state_functions(components: Mapping[str, Component]) -> None:
    """Refuse checkpoints of components that cannot save their state.

    Raises
    ------
    ConfigError
        Naming the first such component and what it lacks.
    """
    why = state_functions_lacking(components)
    if why is not None:
        raise ConfigError(f"{why}; remove `checkpoint`, or give the component what it lacks", key="checkpoint")


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
        for key in ("options", "replace", "isolate", "grpc", "timeout"):
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


def require_same_settings(
    checkpoint: Checkpoint, config: RunConfig, configs: Mapping[str, Path], components: Mapping[str, Component]
) -> list[str]:
    """Refuse to go on with other components, grids, exchanges or steps, or without time left.

    Returns
    -------
    list of str
        Keys of components that have other values from now on, which the components allow.

    Raises
    ------
    ConfigError
        Naming every difference with both values.
    """
    if config.time.start + config.time.step * checkpoint.steps >= config.time.end:
        raise ConfigError(
            f"the checkpoint is of {checkpoint.time:%Y-%m-%dT%H:%M} and the run ends at "
            f"{config.time.end:%Y-%m-%dT%H:%M}, nothing is left to do; give a later end, "
            "such as --set time.end=...",
            key="time.end",
        )
    # as JSON would give them back
    here = json.loads(json.dumps(settings(config, configs)))
    changed, mistakes = [], Mistakes()
    for key, there, now in _differences(checkpoint.settings, here, ""):
        if key in _MAY_CHANGE or key.endswith(".threads"):
            continue
        if _is_allowed(key, components):
            changed.append(f"{key}: {_show(now)} from here on, {_show(there)} until now")
            continue
        mistakes.note(
            ConfigError(
                f"{_show(now)}, but {_show(there)} in the checkpoint {checkpoint.folder}; a restart goes on "
                "with the same run, only a later end and what changes no result may differ",
                key=key,
            )
        )
    mistakes.require_none()
    return changed


def _is_allowed(key: str, components: Mapping[str, Component]) -> bool:
    kind, _, rest = key.partition(".")
    name, _, inner = rest.partition(".")
    if kind != "components" or name not in components or not inner.startswith("config."):
        return False
    own = inner.removeprefix("config.").split(".")
    return any(_is_below(own, allowed.split(".")) for allowed in components[name].may_change)


def _is_below(key: list[str], allowed: list[str]) -> bool:
    """Whether a key is one that may change, or lies below it; ``*`` is any entry of a list."""
    return len(key) >= len(allowed) and all(a in (k, "*") for k, a in zip(key, allowed, strict=False))


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
    folder: OwnedFolder,
    keep: int,
    components: Iterable[Component],
    contents: Mapping[str, Any],
    buffers: Mapping[str, StateArray],
) -> Path:
    """Write a checkpoint, and then remove all but the newest `keep`.

    Parameters
    ----------
    folder : OwnedFolder
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
    states = {f"{component.name}.nc": component for component in components if not component.static}
    if not current().leads:  # process 0 writes what they all give
        for name, component in states.items():
            component.save_state(folder.path / name)
        return folder.path
    remove_remains(folder)
    name = _name(contents["time"])
    folder.remove(_files(folder).get(name, []))
    below = f"{CHECKPOINTS}/{name}"
    target = folder.path / below
    folder.own(*(f"{below}/{name}" for name in (*states, BUFFERS, RECORD)))
    target.mkdir(parents=True, exist_ok=True)
    already = {p.name for p in target.iterdir()}  # a user's notes
    for name, component in states.items():
        component.save_state(target / name)
    write_state(target / BUFFERS, StateHeader("coupler", float(contents["steps"])), buffers)
    made = sorted({p.name for p in target.iterdir() if p.is_file()} - already)
    folder.adopt(f"{below}/{name}" for name in made)  # a component of somebody else may write more than its file
    record = {
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **contents,
        "time": contents["time"].isoformat(),
        "files": {name: sha256(target / name) for name in made},
    }
    text = json.dumps(record)
    draft = target / draft_name(RECORD)
    draft.write_text(json.dumps({"sha256": _digest(text), "record": text}) + "\n", encoding="utf-8")
    for name in made:
        flush(target / name)
    flush(target)
    commit(draft, target / RECORD)
    flush(target.parent)
    for older in _own(folder)[:-keep]:
        _remove(folder, older)
    return target


def _name(time: datetime) -> str:
    return time.isoformat().replace(":", "-")


def _is_name(name: str) -> bool:
    day, _, clock = name.partition("T")
    try:
        return _name(datetime.fromisoformat(f"{day}T{clock.replace('-', ':')}")) == name
    except ValueError:
        return False


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _all(run_folder: Path) -> list[Path]:
    """Whole checkpoints of a run, the oldest first; copies under other names, which are the user's, do not count."""
    parent = run_folder / CHECKPOINTS
    found = parent.iterdir() if parent.is_dir() else ()
    return sorted(p for p in found if _is_name(p.name) and (p / RECORD).is_file())


def _files(folder: OwnedFolder) -> dict[str, list[str]]:
    """Names of the files of checkpoints that stand in the folder's record, by checkpoint, each record first."""
    found: dict[str, list[str]] = {}
    for name in folder.files():
        parent, _, rest = name.partition("/")
        if parent == CHECKPOINTS:
            found.setdefault(rest.split("/")[0], []).append(name)
    return {key: sorted(names, key=lambda n: not n.endswith(f"/{RECORD}")) for key, names in found.items()}


def _own(folder: OwnedFolder) -> list[str]:
    """Names of whole checkpoints that the run has written, the oldest first; a user's copies are not among them."""
    own = _files(folder)
    return [path.name for path in _all(folder.path) if path.name in own]


def _remove(folder: OwnedFolder, name: str) -> None:
    folder.remove(_files(folder)[name])


def remove_remains(folder: OwnedFolder) -> None:
    """Remove what a killed run left of checkpoints that it was writing or removing."""
    for name, files in _files(folder).items():
        if not (folder.path / CHECKPOINTS / name / RECORD).is_file():
            folder.remove(files)


def remove_later(folder: OwnedFolder, checkpoint: Checkpoint) -> None:
    """Remove the checkpoints after this one: the run's files are about to be taken back behind them."""
    remove_remains(folder)
    for name in _own(folder):
        if name > _name(checkpoint.time):  # its folder may be a copy that the user has named
            _remove(folder, name)
            log.info("removed the later checkpoint %s", folder.path / CHECKPOINTS / name)


def adopt(folder: OwnedFolder, names: Iterable[str]) -> None:
    """Enter what a run of an earlier version wrote, which kept no record: its checkpoints prove whose folder it is.

    Parameters
    ----------
    folder : OwnedFolder
        Folder of the run.
    names : iterable of str
        Files that it writes beside its checkpoints.
    """
    proved = [f"{CHECKPOINTS}/{p.name}/{name}" for p in _all(folder.path) for name in (RECORD, *_recorded(p)["files"])]
    folder.adopt([*names, *proved])


# ---------------------------------------------------------------------- reading


def run_folder_of(path: Path) -> Path:
    """Return the run's folder of `path`, which is it or the folder of a checkpoint in it."""
    real = path.resolve()
    return real.parent.parent if real.parent.name == CHECKPOINTS else real


def find(path: Path) -> Path:
    """Return the folder of a checkpoint: `path` itself, or the newest one of the run folder `path`.

    Raises
    ------
    ConfigError
        If it is neither, or the run has no checkpoint.
    """
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
    record = _recorded(folder)
    with understood(folder):
        if int(record["version"]) != VERSION:
            raise ConfigError(
                f"{path}: written in version {record['version']} of the format, this software reads {VERSION}; go on "
                "with the version that the run began with (provenance.json in its folder names it), or run anew"
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


def _recorded(folder: Path) -> dict[str, Any]:
    """Read the record of a checkpoint, which must be whole."""
    path = folder / RECORD
    try:
        outer = json.loads(path.read_text(encoding="utf-8"))
        text = str(outer["record"])
        whole = _digest(text) == outer["sha256"]
        record: dict[str, Any] = json.loads(text)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: damaged: {error}{_others(folder)}") from error
    if not whole:
        raise ConfigError(f"{path}: damaged: its content does not have the SHA-256 that it says{_others(folder)}")
    return record


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
        if not component.stands_at(_seconds(checkpoint)):
            raise ConfigError(
                f"{checkpoint.folder / f'{name}.nc'}: {name} stands at {component.time:g} s after loading it, the run "
                f"at {_seconds(checkpoint):g} s"
            )


def _seconds(checkpoint: Checkpoint) -> float:
    start = datetime.fromisoformat(str(checkpoint.settings["time"]["start"]))
    return (checkpoint.time - start).total_seconds()
