"""Make a run ready: everything that can be refused is refused here, before anything is computed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bmi_common.config import Document, folders, validate
from bmi_common.errors import ConfigError, Mistakes, together
from bmi_common.groundwater import LAYER_THICKNESS, NET_SOURCE, RUNOFF, STORAGE_VOLUME
from coupler import checkpoint, randomness
from coupler.checkpoint import Checkpoint
from coupler.component import Component
from coupler.component_spec import ComponentSpec
from coupler.config import LoadedRun, RunConfig, RunParts, require_folders
from coupler.continuing import FilePosition, check_file, require_closed
from coupler.control.prepared import Guard, make_guard, restore
from coupler.ledger import Ledger
from coupler.plan import Plan, make_plan
from coupler.staging import Handed, staged_config

log = logging.getLogger("rootzone")


@dataclass
class Prepared:
    """A run whose components are initialized and whose plan is resolved.

    Attributes
    ----------
    loaded : LoadedRun
        The configuration.
    components : dict of Component
        Initialized components by name.
    plan : Plan
        Resolved exchanges.
    changes : dict
        By component, what its staged configuration adds to the user's file.
    """

    loaded: LoadedRun
    components: dict[str, Component]
    plan: Plan
    changes: dict[str, list[str]]
    configs: dict[str, Path]  # the file that each component has read
    guard: Guard | None = None  # what error control needs

    @property
    def shadows(self) -> list[Component]:
        """Components of error control."""
        return [] if self.guard is None else self.guard.components

    def finalize(self) -> None:
        """Finalize all components; a component that fails to is logged, not raised."""
        for component in (*self.components.values(), *self.shadows):
            try:
                component.finalize()
            except Exception as error:
                log.warning("%s: finalize failed: %s", component.name, error)


def prepare(loaded: LoadedRun, staging: Path) -> Prepared:
    """Import and initialize the components and resolve the plan.

    Raises
    ------
    ConfigError
        For all that would keep the run from working and can be known before anything is computed: first what
        ``coupled.yaml`` says, by line, then what the files of the components say, in the order of the components.
    """
    config = loaded.config
    attempt = _Attempt(loaded.document)
    if config.report is not None:
        from coupler.evaluate.at_end import check_report  # imports slowly

        with attempt.noted():
            check_report(config)
    attempt.create(config.components)
    randomness.seed(config.seed)
    with ExitStack() as undo:
        attempt.initialize(Handed(loaded.named, config.time.start, config.last_time, staging, loaded.document), undo)
        plan, guard, ready = Plan([], {}, {}, None, {}), None, attempt.ready
        with attempt.noted():
            plan = make_plan(config, ready, attempt.known)
        if len(ready) == len(config.components):
            with attempt.noted():
                _check_balance(config, ready)
            with attempt.noted():
                guard = _guard(config, ready, attempt.handed)
                for shadow in [] if guard is None else guard.components:
                    undo.callback(shadow.finalize)
            with attempt.noted():
                if config.checkpoint is not None:
                    shadows = [] if guard is None else guard.components
                    checkpoint.require_state_functions({**ready, **{c.name: c for c in shadows}})
        attempt.require_success()
        undo.pop_all()
    return Prepared(loaded, ready, plan, attempt.changes, attempt.configs, guard)


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
    specs: dict[str, ComponentSpec] = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        found = part(components={name: entry})
        specs |= {} if found is None else found.components
    attempt = _Attempt(document)
    attempt.create(specs)
    handed = Handed(named, time.start if time else None, time.end if time else None, staging, document)
    with ExitStack() as undo:
        attempt.initialize(handed, undo)
    attempt.require_success()


class _Attempt:
    """Making components ready, as far as that goes, and all that stands against it.

    Attributes
    ----------
    created, ready : dict of Component
        What could be created and, of that, initialized, by name.
    configs : dict of Path
        The file that each component has read.
    changes : dict
        By component, what its staged configuration adds to the user's file.
    """

    handed: Handed

    def __init__(self, document: Document) -> None:
        self._document = document
        self._of_run, self._of_files = Mistakes(), dict[str, ConfigError]()
        self._specs: Mapping[str, ComponentSpec] = {}
        self.created: dict[str, Component] = {}
        self.ready: dict[str, Component] = {}
        self.configs: dict[str, Path] = {}
        self.changes: dict[str, list[str]] = {}

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
        with self._of_run.noted(), _keys_in(self._document):
            yield

    def create(self, specs: Mapping[str, ComponentSpec]) -> None:
        """Import classes and create components."""
        self._specs = specs
        for name, spec in specs.items():
            with self.noted():
                self.created[name] = Component.of(name, spec)

    def initialize(self, handed: Handed, undo: ExitStack) -> None:
        """Initialize the components that could be created; `undo` finalizes them."""
        self.handed = handed
        for name, component in self.created.items():
            spec, key = self._specs[name], f"components.{name}"
            try:
                path, self.changes[name] = staged_config(name, spec, key, handed, component.takes_end)
                self.configs[name] = path.resolve()
                component.initialize_from(self.configs[name], spec.config)
            except ConfigError as error:
                if str(error).startswith(key):
                    with self.noted():
                        raise
                self._of_files[name] = together(self._with_period(m) for m in error.mistakes)
                continue
            undo.callback(component.finalize)
            self.ready[name] = component

    def _with_period(self, mistake: ConfigError) -> ConfigError:
        """Say where the period comes from that the data do not cover."""
        if not mistake.of_period or self.handed.start is None or self.handed.end is None:
            return mistake
        start, end = (f"{t:%Y-%m-%dT%H:%M}" for t in (self.handed.start, self.handed.end))
        keys = [("time",), ("time", "start"), ("time", "end"), ("spin_up",), ("spin_up", "repeat")]
        places = dict.fromkeys(self._document.where(key) for key in keys if key in self._document.lines)
        return ConfigError(f"{mistake}; the run lasts from {start} to {end} ({', '.join(places)})")

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
    names: dict[str, list[str]] = {}
    for name, error in errors.items():
        for mistake in error.mistakes:
            names.setdefault(str(mistake).removeprefix(f"{name}: "), []).append(name)
    return [ConfigError(f"{', '.join(of)}: {text}") for text, of in names.items()]


def prepare_restart(prepared: Prepared, folder: Path) -> Checkpoint:
    """Put a prepared run where a checkpoint was written; nothing in the run's folder is changed yet.

    Raises
    ------
    ConfigError
        If the checkpoint is damaged or belongs to another run, or an output file cannot be continued.
    """
    config = prepared.loaded.config
    found = checkpoint.read(folder)
    with checkpoint.understood(found.folder):
        with _keys_in(prepared.loaded.document):
            changed = checkpoint.require_same_settings(found, config, prepared.configs, prepared.components)
        for name, position in found.run["files"].items():
            require_closed(found.run_folder / name)
            check_file(found.run_folder / name, FilePosition(**position))
        if prepared.guard is not None:
            restore(prepared.guard, found, prepared.components)
        checkpoint.load_states(found, prepared.components)
        randomness.restore(found.run["random"])
    prepared.plan.notices += changed
    return found


def _guard(config: RunConfig, components: dict[str, Component], handed: Handed) -> Guard | None:
    if config.error_control is None:
        return None
    watched = next((c for c in components.values() if Ledger.is_kept_by(c)), None)
    if watched is None:
        raise ConfigError(
            "error_control: no component takes up the net source of the root zone; there is nothing to watch"
        )
    others = [name for name in components if name != watched.name]
    own = config.components[watched.name]
    return make_guard(config.error_control, config.time, watched, own, others, handed)


def _check_balance(config: RunConfig, components: Mapping[str, Component]) -> None:
    if any(Ledger.is_kept_by(c) for c in components.values()):
        return
    until = None if config.spin_up is None else config.spin_up.until
    for key, wanted in (("checks.water_balance", config.checks.water_balance), ("spin_up", until)):
        if wanted is not None:
            raise ConfigError(
                f"{key}: no component takes {NET_SOURCE} and publishes {STORAGE_VOLUME}, {RUNOFF} and "
                f"{LAYER_THICKNESS}, which the water balance needs"
            )


@contextmanager
def _keys_in(document: Document) -> Iterator[None]:
    """Put file and line before messages that begin with a key of ``coupled.yaml``."""
    try:
        yield
    except ConfigError as error:
        raise together(document.located(str(m)) for m in error.mistakes) from None
