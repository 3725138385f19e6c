"""Make a run ready: everything that can be refused is refused here, before anything is computed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bmi_common.errors import ConfigError
from bmi_common.groundwater import LAYER_THICKNESS, NET_SOURCE, RUNOFF, STORAGE_VOLUME
from coupler import checkpoint, randomness
from coupler.checkpoint import Checkpoint
from coupler.component import Component
from coupler.config import LoadedRun, RunConfig
from coupler.continuing import FilePosition, check_file, require_closed
from coupler.control.prepared import Guard, make_guard, restore
from coupler.ledger import Ledger
from coupler.plan import Plan, make_plan
from coupler.staging import staged_config

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
        For anything that would keep the run from working, before anything is computed.
    """
    config = loaded.config
    with _keys_in(loaded):
        components = {name: Component.of(name, spec) for name, spec in config.components.items()}
    randomness.seed(config.seed)
    changes: dict[str, list[str]] = {}
    configs: dict[str, Path] = {}
    with ExitStack() as undo:
        for name, spec in config.components.items():
            with _keys_in(loaded):
                path, changes[name] = staged_config(name, spec, loaded.named, config.time.start, staging)
            configs[name] = path.resolve()
            try:
                components[name].initialize(configs[name])
            except ConfigError as error:
                # the user knows their own file, not the completed copy
                raise ConfigError(str(error).replace(str(configs[name]), str(spec.config))) from error
            undo.callback(components[name].finalize)
        with _keys_in(loaded):
            plan = make_plan(config, components)
            _check_balance(config, components)
            guard = _guard(loaded, components, staging)
            if config.checkpoint is not None:
                shadows = [] if guard is None else guard.components
                checkpoint.require_state_functions({**components, **{c.name: c for c in shadows}})
        undo.pop_all()
    return Prepared(loaded, components, plan, changes, configs, guard)


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
            checkpoint.require_same_settings(found, config, prepared.configs)
        for name, position in found.run["files"].items():
            require_closed(found.run_folder / name)
            check_file(found.run_folder / name, FilePosition(**position))
        if prepared.guard is not None:
            restore(prepared.guard, found, prepared.components)
        checkpoint.load_states(found, prepared.components)
        randomness.restore(found.run["random"])
    return found


def _guard(loaded: LoadedRun, components: dict[str, Component], staging: Path) -> Guard | None:
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
    return make_guard(config.error_control, config.time, watched, own, others, loaded.named, staging)


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
        key, colon, message = str(error).partition(": ")
        position = tuple(int(p) if p.isdigit() else p for p in key.split("."))
        if colon and position[0] in type(loaded.config).model_fields:
            raise loaded.document.error(position, message) from None
        raise ConfigError(f"{loaded.document.path}: {error}") from None
