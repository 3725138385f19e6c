"""Components and references that error control needs, made ready before a run starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bmi_common.errors import ConfigError, Mistakes, errors_under
from bmi_common.groundwater import PRESSURE_HEAD
from coupler.checkpoint import Checkpoint
from coupler.component import Component
from coupler.component_config import ComponentConfig, RunSettings
from coupler.config import TimeConfig
from coupler.error_control.config import Action, ErrorControlConfig, SegmentsConfig
from coupler.error_control.reference import ReferenceRun
from coupler.error_control.shadow import Shadow


@dataclass
class ErrorControlSetup:
    """What stands ready.

    Attributes
    ----------
    spec : ErrorControlConfig
        The section of the configuration.
    physics : Shadow or None
        For audits; the groundwater component while physics has its place.
    free_drainage, companion : Shadow or None
        The bound of audits, and the component that segments start from.
    members : list of Shadow
        The ensemble.
    reference : ReferenceRun or None
        The run that segments start from; of several processes that share the domain, process 0 reads it.
    switched : bool
        Whether physics has the place of the groundwater component.
    """

    spec: ErrorControlConfig
    physics: Shadow | None = None
    free_drainage: Shadow | None = None
    companion: Shadow | None = None
    members: list[Shadow] = field(default_factory=list)
    reference: ReferenceRun | None = None
    switched: bool = False

    @property
    def going_along(self) -> Iterator[Shadow]:
        """Shadows that make every step of the run."""
        yield from (s for s in (self.free_drainage, self.companion, *self.members) if s is not None)

    @property
    def components(self) -> list[Component]:
        """Components of all shadows."""
        first = [] if self.physics is None else [self.physics]
        return [s.component for s in (*first, *self.going_along)]

    def switch(self, groundwater: Component) -> None:
        """Swap physics and the surrogate: the groundwater component runs on the other one."""
        assert self.physics is not None
        groundwater.swap_model(self.physics.component)
        self.switched = not self.switched


def set_up(
    spec: ErrorControlConfig,
    time: TimeConfig,
    groundwater: Component,
    own: ComponentConfig,
    others: list[str],
    settings: RunSettings,
) -> ErrorControlSetup:
    """Initialize the components of error control and look for the states that it needs.

    Parameters
    ----------
    spec : ErrorControlConfig
        The section.
    time : TimeConfig
        Period and step of the run.
    groundwater : Component
        The component that is watched, initialized.
    own : ComponentConfig
        Its entry in the run.
    others : list of str
        Names of the other components of the run.
    settings : RunSettings
        What the run adds to the files of its components.

    Raises
    ------
    ConfigError
        For each part that cannot be made ready, naming the key.
    """
    setup, mistakes = ErrorControlSetup(spec), Mistakes()
    with ExitStack() as undo:

        def load(key: str, entry: ComponentConfig) -> Shadow:
            shadow = Shadow.load(key, entry, groundwater, settings)
            undo.callback(shadow.component.finalize)
            _require_reach(shadow, time)
            return shadow

        if spec.audit is not None:
            with mistakes.noted():
                setup.physics = load("audit.component", spec.audit.component)
                if spec.audit.action is Action.SWITCH:
                    setup.physics.require_replacement(groundwater)
            if spec.audit.free_drainage is not None:
                with mistakes.noted():
                    setup.free_drainage = load("audit.free_drainage", spec.audit.free_drainage)
        for i, path in enumerate(spec.ensemble.checkpoints if spec.ensemble is not None else ()):
            with mistakes.noted():
                setup.members.append(load(f"ensemble.checkpoints.{i}", _member(own, path)))
        if spec.segments is not None:
            with mistakes.noted():
                if isinstance(spec.segments.restart_from, ComponentConfig):
                    setup.companion = load("segments.restart_from", spec.segments.restart_from)
                elif groundwater.part is None or groundwater.part.world.leads:
                    setup.reference = _reference(spec.segments, time, groundwater, others)
        mistakes.require_none()
        undo.pop_all()
    return setup


def _require_reach(shadow: Shadow, time: TimeConfig) -> None:
    """Refuse a component whose series end before the run, which its clock goes along with."""
    component = shadow.component
    if component.has("skip_until") and component.end_time < (time.end - time.start).total_seconds() * (1.0 - 1e-12):
        last = time.start + timedelta(seconds=component.end_time)
        series = f" ({component.ends_with})" if component.ends_with else ""
        raise component.mistake(
            f"it can go on until {last:%Y-%m-%dT%H:%M}{series}, the run ends at {time.end:%Y-%m-%dT%H:%M}"
        )


def restore(setup: ErrorControlSetup, found: Checkpoint, components: Mapping[str, Component]) -> None:
    """Give the shadows their states, and physics the place of the groundwater component where it had it.

    Raises
    ------
    ConfigError
        If a component refuses its state.
    """
    state = found.run["error_control"]
    watched = components[state["watched"]]
    if state["switched"]:
        setup.switch(watched)
    for component in setup.components:
        component.load_state(found.folder / f"{component.name}.nc")
    watched.behind = float(state["behind"])


def _member(own: ComponentConfig, checkpoint: Path) -> ComponentConfig:
    section = own.options.get("surrogate", {})
    options = {**own.options, "surrogate": {**section, "checkpoint": str(checkpoint.absolute())}}
    return own.model_copy(update={"options": options})


def _reference(segments: SegmentsConfig, time: TimeConfig, groundwater: Component, others: list[str]) -> ReferenceRun:
    assert isinstance(segments.restart_from, Path)
    times, part = _starts(time, segments), groundwater.part
    shape = groundwater.shape(PRESSURE_HEAD)
    whole = segments.restart == "all"
    with errors_under("error_control.segments"):
        of_domain = shape if part is None else (*shape[:-2], *part.shape)
        run = ReferenceRun(segments.restart_from, of_domain, times, whole)
        for at in times if whole else ():
            _require_same_clock(run, at, time.start, others)
    return run


def _starts(time: TimeConfig, segments: SegmentsConfig) -> list[datetime]:
    count = (time.end - time.start - time.step) // segments.length
    return [time.start + segments.length * i for i in range(1, count + 1)]


def _require_same_clock(run: ReferenceRun, at: datetime, start: datetime, others: list[str]) -> None:
    found = run.checkpoint(at)
    began = datetime.fromisoformat(str(found.settings["time"]["start"]))
    if began != start:
        raise ConfigError(
            f"all needs a run that starts at the same time: {run.folder} starts at {began:%Y-%m-%dT%H:%M}, "
            f"this one at {start:%Y-%m-%dT%H:%M}",
            key="restart",
        )
    for name in others:
        if name not in found.settings["components"]:
            raise ConfigError(
                f"{run.folder} has no component {name!r}; restart: all needs the same names", key="restart_from"
            )
