"""Make a run ready: everything that can be refused is refused here, before anything is computed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bmi_common.config import Document, folders, validate
from bmi_common.errors import ConfigError, Mistakes, together
from bmi_common.groundwater import LAYER_THICKNESS, NET_SOURCE, RUNOFF, STORAGE_VOLUME
from bmi_common.world import current
from coupler import checkpoint, random_state
from coupler.append import FilePosition, check_file, require_closed
from coupler.checkpoint import Checkpoint
from coupler.component import Component
from coupler.component_config import ComponentConfig, ComponentFile, RunSettings, component_file
from coupler.config import LoadedRun, RunConfig, RunParts, require_folders
from coupler.error_control.setup import ErrorControlSetup, restore, set_up
from coupler.plan import Plan, make_plan
from coupler.water_balance import WaterBalance
from coupler.whole import require_shareable

log = logging.getLogger("rootzone")


@dataclass
class PreparedRun:
    """A run whose components are initialized and whose plan is resolved.

    Attributes
    ----------
    loaded : LoadedRun
        The configuration.
    components : dict of Component
        Initialized components by name.
    plan : Plan
        Resolved exchanges.
    files : dict of ComponentFile
        The file that each component has read.
    error_control : ErrorControlSetup, optional
        What error control needs.
    """

    loaded: LoadedRun
    components: dict[str, Component]
    plan: Plan
    files: dict[str, ComponentFile]
    error_control: ErrorControlSetup | None = None

    @property
    def configs(self) -> dict[str, Path]:
        """Where the file lies that each component has read."""
        return {name: file.path for name, file in self.files.items()}

    @property
    def shadows(self) -> list[Component]:
        """Components of error control."""
        return [] if self.error_control is None else self.error_control.components

    def finalize(self) -> None:
        """Finalize all components; a component that fails to is logged, not raised."""
        for component in (*self.components.values(), *self.shadows):
            try:
                component.finalize()
            except Exception as error:
                log.warning("%s: finalize failed: %s", component.name, error)


def prepare(loaded: LoadedRun, staging: Path, check: Callable[[RunConfig], None] | None = None) -> PreparedRun:
    """Import and initialize the components and resolve the plan.

    Parameters
    ----------
    loaded : LoadedRun
        The run.
    staging : Path
        Folder for the files of components that the run completes.
    check : callable, optional
        Refuses, with `ConfigError`, what else the file asks for, such as a report.

    Raises
    ------
    ConfigError
        For all that would keep the run from working and can be known before anything is computed: first what
        ``coupled.yaml`` says, by line, then what the files of the components say, in the order of the components.
    """
    config = loaded.config
    attempt = _Attempt(loaded.document)
    if check is not None:
        with attempt.noted():
            check(config)
    attempt.create(config.components)
    if current().size > 1:
        with attempt.noted():
            _require_parts(config, attempt.created)
        attempt.require_success()
    random_state.seed(config.seed)
    with ExitStack() as undo:
        settings = RunSettings(loaded.named, config.time.start, config.last_time, staging, loaded.document)
        attempt.initialize(settings, undo)
        plan, error_control, ready = Plan([], {}, {}, None, {}), None, attempt.ready
        with attempt.noted():
            plan = make_plan(config, ready, attempt.known)
        if len(ready) == len(config.components):
            with attempt.noted():
                _check_balance(config, ready)
            with attempt.noted():
                error_control = _set_up_error_control(config, ready, settings)
                for shadow in [] if error_control is None else error_control.components:
                    undo.callback(shadow.finalize)
            with attempt.noted():
                if config.checkpoint is not None:
                    shadows = [] if error_control is None else error_control.components
                    checkpoint.require_state_functions({**ready, **{c.name: c for c in shadows}})
        attempt.require_success()
        undo.pop_all()
    return PreparedRun(loaded, ready, plan, attempt.files, error_control)


def check_components(document: Document, staging: Path) -> None:
    """Initialize and finalize what can be of the components of a ``coupled.yaml`` that is itself unsound.

    Raises
    ------
    ConfigError
        For each mistake in the files of its components.
    """
    data = document.data
    common = {key: data[key] for key in ("paths", "relative_to") if key in data}

    def part(**sections: Any) -> RunParts | None:
        try:
            return validate(replace(document, data={**common, **sections}), RunParts, {})
        except ConfigError:  # which is known already
            return None

    try:
        _, named = folders(document, {})
        require_folders(document, named)
    except ConfigError:
        return
    timed = part(time=data.get("time"))
    time = None if timed is None else timed.time
    entries = data.get("components")
    specs: dict[str, ComponentConfig] = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        found = part(components={name: entry})
        specs |= {} if found is None else found.components
    attempt = _Attempt(document)
    attempt.create(specs)
    settings = RunSettings(named, time.start if time else None, time.end if time else None, staging, document)
    with ExitStack() as undo:
        attempt.initialize(settings, undo)
    attempt.require_success()


class _Attempt:
    """Making components ready, as far as that goes, and all that stands against it.

    Attributes
    ----------
    created, ready : dict of Component
        What could be created and, of that, initialized, by name.
    files : dict of ComponentFile
        The file that each component has read.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._of_run, self._of_files = Mistakes(), dict[str, ConfigError]()
        self._specs: Mapping[str, ComponentConfig] = {}
        self.created: dict[str, Component] = {}
        self.ready: dict[str, Component] = {}
        self.files: dict[str, ComponentFile] = {}

    @property
    def known(self) -> dict[str, Component]:
        """Components whose variables are known: another process may not answer any more."""
        there = {name for name, spec in self._specs.items() if spec.grpc is None and not spec.isolate}
        return {
            name: component
            for name, component in self.created.items()
            if name in self.ready or (name in there and component.tells_names())
        }

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep mistakes in ``coupled.yaml``."""
        with self._of_run.noted(), _located_in(self._document):
            yield

    def create(self, specs: Mapping[str, ComponentConfig]) -> None:
        """Import classes and create components."""
        self._specs = specs
        for name, spec in specs.items():
            with self.noted():
                self.created[name] = Component.of(name, spec)

    def initialize(self, settings: RunSettings, undo: ExitStack) -> None:
        """Initialize the components that could be created; `undo` finalizes them."""
        for name, component in self.created.items():
            key = f"components.{name}"
            try:
                file = component_file(name, self._specs[name], key, settings, component.takes_end)
                self.files[name] = file
                component.initialize(file)
            except ConfigError as error:
                if error.key == f"{key}.options":
                    self._of_run.note(self._document.located(error))
                else:
                    self._of_files[name] = together(self._with_period(m, settings) for m in error.mistakes)
                if current().size > 1:  # the other processes may not have met it, and wait for this one
                    return
                continue
            undo.callback(component.finalize)
            self.ready[name] = component

    def _with_period(self, mistake: ConfigError, settings: RunSettings) -> ConfigError:
        """Say where the period comes from that the data do not cover."""
        if not mistake.of_period or settings.start is None or settings.end is None:
            return mistake
        start, end = (f"{t:%Y-%m-%dT%H:%M}" for t in (settings.start, settings.end))
        keys = [("time",), ("time", "start"), ("time", "end"), ("spin_up",), ("spin_up", "repeat")]
        places = dict.fromkeys(self._document.where(key) for key in keys if key in self._document.lines)
        return mistake.changed(message=f"{mistake.message}; the run lasts from {start} to {end} ({', '.join(places)})")

    def require_success(self) -> None:
        """Raise all that has been found: of ``coupled.yaml`` by line, then of the files of components, in their order.

        Raises
        ------
        ConfigError
            If anything has.
        """
        found = [*self._of_run.found, *_named_once(self._of_files)]
        if found:
            raise together(found)


def _named_once(errors: Mapping[str, ConfigError]) -> list[ConfigError]:
    """Return the mistakes in files of components; one that several components meet in a file of both comes once."""
    names: dict[str, tuple[ConfigError, list[str]]] = {}
    for name, error in errors.items():
        for mistake in error.mistakes:
            inner = mistake.changed(component="")
            names.setdefault(str(inner), (inner, []))[1].append(name)
    return [mistake.changed(component=", ".join(of)) for mistake, of in names.values()]


def prepare_restart(prepared: PreparedRun, folder: Path) -> Checkpoint:
    """Put a prepared run where a checkpoint was written; nothing in the run's folder is changed yet.

    Raises
    ------
    ConfigError
        If the checkpoint is damaged or belongs to another run, or an output file cannot be continued.
    """
    config = prepared.loaded.config
    world = current()
    read = checkpoint.read(folder) if world.leads else None
    found: Checkpoint = world.shared(None if read is None else replace(read, buffers={}))
    found = found if read is None else read  # the arrays are dealt out where they are taken
    with checkpoint.understood(found.folder):
        with _located_in(prepared.loaded.document):
            changed = checkpoint.require_same_settings(found, config, prepared.configs, prepared.components)
        for name, position in found.run["files"].items() if world.leads else ():
            require_closed(found.run_folder / name)
            check_file(found.run_folder / name, FilePosition(**position))
        if prepared.error_control is not None:
            restore(prepared.error_control, found, prepared.components)
        checkpoint.load_states(found, prepared.components)
        random_state.restore(found.run["random"])
    prepared.plan.notices += changed
    return found


def _require_parts(config: RunConfig, components: Mapping[str, Component]) -> None:
    """Refuse what processes that share the domain cannot do yet."""
    mistakes = Mistakes()
    for name, component in components.items():
        with mistakes.noted():
            require_shareable(component, config.components[name], f"components.{name}")
    mistakes.require_none()


def _set_up_error_control(
    config: RunConfig, components: dict[str, Component], settings: RunSettings
) -> ErrorControlSetup | None:
    if config.error_control is None:
        return None
    watched = next((c for c in components.values() if WaterBalance.is_kept_by(c)), None)
    if watched is None:
        raise ConfigError(
            "no component takes up the net source of the root zone; there is nothing to watch",
            key="error_control",
        )
    others = [name for name in components if name != watched.name]
    own = config.components[watched.name]
    return set_up(config.error_control, config.time, watched, own, others, settings)


def _check_balance(config: RunConfig, components: Mapping[str, Component]) -> None:
    if any(WaterBalance.is_kept_by(c) for c in components.values()):
        return
    until = None if config.spin_up is None else config.spin_up.until
    for key, wanted in (("checks.water_balance", config.checks.water_balance), ("spin_up", until)):
        if wanted is not None:
            raise ConfigError(
                f"no component takes {NET_SOURCE} and publishes {STORAGE_VOLUME}, {RUNOFF} and "
                f"{LAYER_THICKNESS}, which the water balance needs",
                key=key,
            )


@contextmanager
def _located_in(document: Document) -> Iterator[None]:
    """Give every key of a mistake its line of ``coupled.yaml``."""
    try:
        yield
    except ConfigError as error:
        raise document.located(error) from None
