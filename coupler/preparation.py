"""Make a run ready: everything that can be refused is refused here, before anything is computed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bmi_common.errors import ConfigError, Mistakes, together
from bmi_common.groundwater import LAYER_THICKNESS, NET_SOURCE, RUNOFF, STORAGE_VOLUME
from coupler import checkpoint, randomness
from coupler.checkpoint import Checkpoint
from coupler.component import Component
from coupler.config import LoadedRun, RunConfig
from coupler.continuing import FilePosition, check_file
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
    of_run, of_files = Mistakes(), dict[str, ConfigError]()
    components: dict[str, Component] = {}
    for name, spec in config.components.items():
        with of_run.noted(), _keys_in(loaded):
            components[name] = Component.of(name, spec)
    randomness.seed(config.seed)
    changes: dict[str, list[str]] = {}
    configs: dict[str, Path] = {}
    handed = Handed(loaded.named, config.time.start, config.last_time, staging, loaded.document.where)
    with ExitStack() as undo:
        ready: dict[str, Component] = {}
        for name, component in components.items():
            spec = config.components[name]
            with of_run.noted(), _keys_in(loaded):
                path, changes[name] = staged_config(name, spec, f"components.{name}", handed, component.takes_end)
                configs[name] = path.resolve()
                try:
                    component.initialize_from(configs[name], spec.config)
                except ConfigError as error:
                    of_files[name] = error
                    continue
                undo.callback(component.finalize)
                ready[name] = component
        plan, guard = Plan([], {}, {}, None), None
        with of_run.noted(), _keys_in(loaded):
            plan = make_plan(config, ready)
        if len(ready) == len(config.components):
            with of_run.noted(), _keys_in(loaded):
                _check_balance(config, ready)
            with of_run.noted(), _keys_in(loaded):
                guard = _guard(loaded, ready, handed)
                for shadow in [] if guard is None else guard.components:
                    undo.callback(shadow.finalize)
            with of_run.noted(), _keys_in(loaded):
                if config.checkpoint is not None:
                    shadows = [] if guard is None else guard.components
                    checkpoint.require_state_functions({**ready, **{c.name: c for c in shadows}})
        found = [*of_run.found, *_named_once(of_files)]
        if found:
            raise together(found)
        undo.pop_all()
    return Prepared(loaded, ready, plan, changes, configs, guard)


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
        with _keys_in(prepared.loaded):
            changed = checkpoint.require_same_settings(found, config, prepared.configs, prepared.components)
        for name, position in found.run["files"].items():
            check_file(found.run_folder / name, FilePosition(**position))
        if prepared.guard is not None:
            restore(prepared.guard, found, prepared.components)
        checkpoint.load_states(found, prepared.components)
        randomness.restore(found.run["random"])
    prepared.plan.notices += changed
    return found


def _guard(loaded: LoadedRun, components: dict[str, Component], handed: Handed) -> Guard | None:
    config = loaded.config
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
def _keys_in(loaded: LoadedRun) -> Iterator[None]:
    # the plan names keys of coupled.yaml; put file and line before them
    try:
        yield
    except ConfigError as error:
        raise together(_located(loaded, str(m)) for m in error.mistakes) from None


def _located(loaded: LoadedRun, message: str) -> ConfigError:
    key, colon, rest = message.partition(": ")
    position = tuple(int(p) if p.isdigit() else p for p in key.split("."))
    if colon and position[0] in type(loaded.config).model_fields:
        return loaded.document.error(position, rest)
    return ConfigError(f"{loaded.document.path}: {message}")
