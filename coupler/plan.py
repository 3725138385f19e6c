"""The exchange plan: everything about a run that can be known, and refused, before it starts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from bmi_common.durations import add_period, describe, divides, nearest_divisors
from bmi_common.errors import ConfigError, Mistakes, errors_under
from bmi_common.groundwater import LAYER_THICKNESS, POROSITY
from bmi_common.suggest import did_you_mean
from bmi_common.units import Conversion, conversion
from bmi_common.variables import Role
from coupler.cells import NEAREST, Fill, active_cells, gaps
from coupler.component import Component
from coupler.compression import filters
from coupler.config import Endpoint, ExchangeConfig, Method, OutputConfig, RunConfig
from coupler.grids import GridMapping, first_cell, map_grids
from coupler.output import require_distinct_names

SHARED_STATICS = (LAYER_THICKNESS, POROSITY)
"""Statics that two components which exchange water must agree on, where both publish them."""


Mask = NDArray[np.bool_] | None


class _CellsLackingError(ConfigError):
    """A source has no values in cells that the target needs."""


@dataclass(frozen=True)
class PlannedExchange:
    """One resolved exchange."""

    source: Endpoint
    target: Endpoint
    conversion: Conversion
    grid: GridMapping
    method: Method
    lagged: bool
    """Whether the target steps before the source and so receives the source's state at the start of the step."""
    active: NDArray[np.bool_] | None = None
    """Cells, in the target's shape, that need a value, where the source has no mask that would tell."""
    filling: Fill | None = None
    """What gives values to cells in which the source has none."""
    words: str = ""
    """The filling, for people."""
    static: bool = False
    """Whether the source's values never change."""

    def __str__(self) -> str:
        when = "of this step"
        if self.static:
            when = "static"
        elif self.lagged:
            combined = self.method in (Method.MEAN, Method.SUM)
            when = "of the step before" if combined else "state at the start of the step"
        method = "" if self.method is Method.HOLD else f", {self.method}"
        return f"{self.source} -> {self.target}  [{self.conversion}]  {self.grid}, {when}{method}{self.words}"


@dataclass
class Plan:
    """Resolved run: components in order, their sub-steps, and the exchanges before each.

    Attributes
    ----------
    order : list of str
        Names of the components that make steps, in stepping order.
    substeps : dict
        Steps that each component makes in a coupling step.
    incoming : dict
        Exchanges to carry out before each component's step.
    mask : ndarray of bool, shape (ny, nx), or None
        Cells that take part in all components that tell their cells; None if none does.
    masks : dict
        Cells (ny, nx) that count for each component: its own, or `mask` where it does not tell.
    notices : list of str
        What a user should know.
    """

    order: list[str]
    substeps: dict[str, int]
    incoming: dict[str, list[PlannedExchange]]
    mask: Mask
    masks: dict[str, Mask]
    notices: list[str] = field(default_factory=list)


def make_plan(
    config: RunConfig, components: Mapping[str, Component], created: Mapping[str, Component] | None = None
) -> Plan:
    """Resolve names, units, grids and steps of initialized components.

    Parameters
    ----------
    config : RunConfig
        The run.
    components : mapping
        Its components; of one that is not there, no more than the names of its variables can be checked.
    created : mapping, optional
        Components whose names of variables are known, initialized or not.

    Raises
    ------
    ConfigError
        For each thing that does not fit, with what would.
    """
    order = [name for name in config.order if not config.components[name].static]
    created = components if created is None else created
    mistakes = Mistakes()
    plan = Plan(order, {}, {n: [] for n in config.components}, None, {})
    with mistakes.noted():
        plan.mask = _common_mask(components)
    plan.masks = {name: plan.mask if c.mask is None else c.mask for name, c in components.items()}
    for name, component in components.items():
        if component.static:
            plan.substeps[name] = 1
            continue
        with mistakes.noted():
            plan.substeps[name] = _substeps(config, name, component)
        for key, what, time in _ends(config):
            with mistakes.noted():
                _reaches(config, name, component, key, what, time)
    for name, component in created.items():
        with mistakes.noted():
            _repeats_days(config, name, component)
    resolved = dict(components)  # components whose exchanges are all sound
    told: set[frozenset[str]] = set()  # pairs of components whose cells differ
    for i, spec in enumerate(config.exchanges):
        try:
            _check_names(f"exchanges.{i}", spec, components, created)
            if {spec.source.component, spec.target.component} <= plan.substeps.keys():
                plan.incoming[spec.target.component].append(_resolve(f"exchanges.{i}", spec, components, plan))
        except ConfigError as error:
            resolved.pop(spec.target.component, None)
            if isinstance(error, _CellsLackingError):
                told.add(frozenset((spec.source.component, spec.target.component)))
            mistakes.note(error)
    with mistakes.noted():
        _check_masks(config, components, told)
    with mistakes.noted():
        _check_supplied(config, resolved, plan)
    with mistakes.noted():
        _check_taken(config, components)
    with mistakes.noted():
        _check_statics(components, plan)
    for i, output in enumerate(config.output):
        for end in output.variables:
            with mistakes.noted():
                _check_output(f"output.{i}.variables", end, components, created)
        with mistakes.noted():
            require_distinct_names(f"output.{i}.variables", output)
        with mistakes.noted():
            filters(f"output.{i}", output)
        _notice_of_rest(output, config, plan)
    for key in config.checks.ranges:
        with mistakes.noted():
            _check_range(key, config, created)
    mistakes.require_none()
    return plan


def _substeps(config: RunConfig, name: str, component: Component) -> int:
    step = config.time.step
    own = timedelta(seconds=component.time_step)
    if own > step:
        raise ConfigError(
            f"{name} makes steps of {describe(own)}, longer than the coupling step of "
            f"{describe(step)}; set time.step to {describe(own)} or a multiple of it",
            key="time.step",
        )
    if not divides(own, step):
        near = " or ".join(describe(d) for d in nearest_divisors(own, step))
        multiple = describe(own * (step // own + 1))
        raise ConfigError(
            f"the step of {name}, {describe(own)}, does not divide the coupling step, "
            f"{describe(step)}; use a step of {near} in {name}, or a coupling step of {multiple}",
            key="time.step",
        )
    return step // own


def _ends(config: RunConfig) -> Iterator[tuple[str, str, datetime]]:
    yield "time.end", "the run", config.time.end
    if config.spin_up is not None:
        yield "spin_up.repeat", "a spin-up", add_period(config.time.start, config.spin_up.repeat)


def _reaches(config: RunConfig, name: str, component: Component, key: str, what: str, end: datetime) -> None:
    if component.end_time < (end - config.time.start).total_seconds() * (1.0 - 1e-12):
        last = config.time.start + timedelta(seconds=component.end_time)
        series = f" ({component.ends_with} of {config.components[name].config})" if component.ends_with else ""
        raise ConfigError(
            f"{name} can go on until {last:%Y-%m-%dT%H:%M}{series}, {what} ends at {end:%Y-%m-%dT%H:%M}", key=key
        )


def _repeats_days(config: RunConfig, name: str, component: Component) -> None:
    if config.spin_up is None or component.static or not component.starts_at_time_of_day:
        return
    length = add_period(config.time.start, config.spin_up.repeat) - config.time.start
    if length % timedelta(days=1):
        raise ConfigError(
            f"{config.spin_up.repeat} is no whole number of days; a state of {name} holds the sun of "
            "its time of day and can start only there",
            key="spin_up.repeat",
        )


def _check_range(key: str, config: RunConfig, components: Mapping[str, Component]) -> None:
    name, _, variable = key.partition(".")
    if name in config.components and name not in components:
        return
    if name not in components or variable not in (*components[name].outputs, *components[name].inputs):
        all_known = [f"{n}.{v}" for n, c in components.items() for v in (*c.outputs, *c.inputs)]
        raise ConfigError(f"no variable {key!r}{did_you_mean(key, all_known)}", key="checks.ranges")


def _check_output(
    key: str, end: Endpoint, components: Mapping[str, Component], created: Mapping[str, Component]
) -> None:
    if end.component not in created:
        return
    component = created[end.component]
    known = (*component.outputs, *component.inputs)
    if end.variable not in known:
        raise ConfigError(
            f"{end.component} has no variable {end.variable!r}{did_you_mean(end.variable, known)}", key=key
        )
    if end.component not in components:
        return
    grid = component.grid(end.variable)
    if len(grid.shape) > 3:
        raise ConfigError(f"{end} is on {grid}; files hold up to three dimensions", key=key)
    if grid.is_points and grid.shape == (0,):
        raise ConfigError(
            f"{end} has no points; name some in the configuration of {end.component}, "
            "such as `gauges: {outlet: {x: 12, y: 0}}`, or wells",
            key=key,
        )


def _notice_of_rest(output: OutputConfig, config: RunConfig, plan: Plan) -> None:
    rest = (config.time.end - config.time.start) % output.every
    if rest:
        plan.notices.append(
            f"{output.file}: the last {describe(rest)} of the run do not fill an interval of "
            f"{describe(output.every)} and are not written"
        )


def _common_mask(components: Mapping[str, Component]) -> Mask:
    common: Mask = None
    owner = ""
    for name, component in components.items():
        mask = component.mask
        if mask is None:
            continue
        if common is None:
            common, owner = mask, name
        elif mask.shape != common.shape:
            raise ConfigError(f"masks: {owner} has {common.shape} cells (ny, nx), {name} has {mask.shape}")
        elif (mask != common).any():
            common = common & mask
    return common


def _check_masks(config: RunConfig, components: Mapping[str, Component], told: Collection[frozenset[str]]) -> None:
    """Refuse components that exchange values and have other cells, unless the user has said what stands in for them."""
    mistakes, pairs = Mistakes(), dict[frozenset[str], bool]()
    for x in config.exchanges:
        pair = frozenset((x.source.component, x.target.component))
        pairs[pair] = pairs.get(pair, False) or x.fill is not None
    for pair, filled in pairs.items():
        masks = {name: c.mask for name, c in components.items() if name in pair and c.mask is not None}
        if filled or pair in told or len(masks) < 2:
            continue
        (one, here), (other, there) = masks.items()
        if here.shape == there.shape and (differ := here != there).any():
            mistakes.note(
                ConfigError(
                    f"masks: {int(differ.sum())} cells are active in only one of {one} and {other}, the first is "
                    f"{first_cell(differ)}; give both the same domain"
                )
            )
    mistakes.require_none()


def _check_names(
    key: str, spec: ExchangeConfig, components: Mapping[str, Component], created: Mapping[str, Component]
) -> None:
    mistakes = Mistakes()
    if spec.source.component in created:
        source = created[spec.source.component]
        with mistakes.noted():
            # inputs as sources: what a component was given may be handed on
            _known(f"{key}.from", spec.source, source, (*source.outputs, *source.inputs), "output")
    if spec.target.component in created:
        target = created[spec.target.component]
        ready = spec.target.component in components
        settable = (*target.inputs, *(v for v in target.outputs if not ready or _role(target, v) is Role.STATE))
        with mistakes.noted():
            if target.static:
                raise ConfigError(
                    f"{target.name} is `static: true`: it makes no steps, and nothing is handed to it",
                    key=f"{key}.to",
                )
            _known(f"{key}.to", spec.target, target, settable, "input")
    mistakes.require_none()


def _resolve(key: str, spec: ExchangeConfig, components: Mapping[str, Component], plan: Plan) -> PlannedExchange:
    source, target = components[spec.source.component], components[spec.target.component]
    if source.static and spec.method not in (None, Method.HOLD):
        raise ConfigError(
            f"{source.name} is `static: true` and has one value only; leave `method` out", key=f"{key}.method"
        )
    try:
        change = conversion(source.units(spec.source.variable), target.units(spec.target.variable))
    except ConfigError as error:
        raise ConfigError(f"{spec.source} -> {spec.target}: {error}", key=key) from None
    grids = source.grid(spec.source.variable), target.grid(spec.target.variable)
    with errors_under(key):
        grid = map_grids(f"{spec.source} -> {spec.target}", *grids, by_index=spec.match == "index")
    lagged = not source.static and plan.order.index(source.name) >= plan.order.index(target.name)
    method = _method(key, spec, plan, lagged)
    active, filling = _cells(key, spec, source, target, grid)
    words = "" if filling is None else f", missing values filled with {spec.fill}"
    if spec.fill == NEAREST:
        words = ", missing values filled from the nearest cell"
    return PlannedExchange(
        spec.source, spec.target, change, grid, method, lagged, active, filling, words, static=source.static
    )


def _cells(
    key: str, spec: ExchangeConfig, source: Component, target: Component, grid: GridMapping
) -> tuple[Mask, Fill | None]:
    """Cells that the target needs values in, if the source has no mask, and what fills those that the source lacks."""
    wanted = active_cells(target, spec.target.variable)
    missing = gaps(source, spec.source.variable)
    missing = None if missing is None else grid(missing)
    active = wanted if source.mask is None or source.static else None
    if spec.fill is not None:
        where = target.grid(spec.target.variable)
        return active, Fill(key, f"{spec.source} -> {spec.target}", spec.fill, where, missing, wanted, target.part)
    if missing is None:
        return active, None
    lacking = missing if wanted is None else missing & wanted
    if lacking.any():
        raise _CellsLackingError(
            f"{spec.source} has no values in {int(lacking.sum())} cells that are active in {target.name}, the "
            f"first is {first_cell(lacking)}; give both the same domain, or say what {target.name} takes there: "
            "`fill: 0.0`, or `fill: nearest`",
            key=key,
        )
    return active, None


def _method(key: str, spec: ExchangeConfig, plan: Plan, lagged: bool) -> Method:
    many = plan.substeps[spec.source.component]
    if spec.method is None:
        # the state that a target starts its step from is the last one; a flux must be told how to combine
        if many > 1 and not (lagged and "flux" not in spec.source.variable):
            raise ConfigError(
                f"{spec.source.component} makes {many} steps in a coupling step; say how they are combined: "
                "method: mean (rates, states), sum (amounts) or hold (the last value)",
                key=key,
            )
        return Method.HOLD
    if spec.method is Method.LINEAR and lagged:
        raise ConfigError(
            f"method linear needs the source's new value, but {spec.source.component} steps after "
            f"{spec.target.component}; use hold, or change `order`",
            key=key,
        )
    return spec.method


def _role(component: Component, variable: str) -> Role | None:
    declared = getattr(component.bmi, "variable", None)
    return getattr(declared(variable), "role", None) if callable(declared) else None


def _known(key: str, end: Endpoint, component: Component, known: tuple[str, ...], kind: str) -> None:
    if end.variable in known:
        return
    if end.variable in (*component.inputs, *component.outputs):
        raise ConfigError(f"{end} is no {kind}; {end.component}'s {kind}s: {', '.join(known)}", key=key)
    raise ConfigError(f"{end.component} has no {kind} {end.variable!r}{did_you_mean(end.variable, known)}", key=key)


def _check_supplied(config: RunConfig, components: Mapping[str, Component], plan: Plan) -> None:
    given = {(x.target.component, x.target.variable) for x in config.exchanges}
    mistakes = Mistakes()
    for name, component in components.items():
        for variable in component.inputs:
            if (name, variable) in given:
                continue
            role = _role(component, variable)
            if role is Role.INPUT:
                mistakes.note(ConfigError(f"nothing supplies {name}.{variable}, which {name} needs", key="exchanges"))
            if role is None:
                plan.notices.append(f"{name}.{variable} is not supplied by the run")
    mistakes.require_none()


def _check_taken(config: RunConfig, components: Mapping[str, Component]) -> None:
    """Refuse a run in which water is lost between components."""
    taken = [(x.source.component, x.source.variable) for x in config.exchanges]
    mistakes = Mistakes()
    for name, component in components.items():
        for variable in component.gives_away:
            count = taken.count((name, variable))
            if count == 0:
                mistakes.note(
                    ConfigError(
                        f"nothing takes {name}.{variable}, which holds water that {name} has given up; hand it to the "
                        f"land: {{from: {name}.{variable}, to: land.{variable}}}",
                        key="exchanges",
                    )
                )
            elif count > 1:
                mistakes.note(
                    ConfigError(f"{name}.{variable} holds water and is handed on {count} times", key="exchanges")
                )
    mistakes.require_none()


def _check_statics(components: Mapping[str, Component], plan: Plan) -> None:
    pairs = {
        (x.source.component, x.target.component)
        for incoming in plan.incoming.values()
        for x in incoming
        if x.source.component != x.target.component
    }
    for a, b in sorted({(min(p), max(p)) for p in pairs}):
        for variable in SHARED_STATICS:
            if variable in components[a].outputs and variable in components[b].outputs:
                _compare_static(variable, components[a], components[b], plan)


def _compare_static(variable: str, a: Component, b: Component, plan: Plan) -> None:
    if a.shape(variable)[:1] < b.shape(variable)[:1]:
        a, b = b, a
    onto = map_grids(f"{variable} of {a.name} and {b.name}", a.grid(variable), b.grid(variable))
    units = a.units(variable)
    left, right = onto(a.get(variable)), b.get_in(units, variable)
    single = np.float32 in (left.dtype, right.dtype)
    differs = ~np.isclose(left, right, rtol=1e-6 if single else 1e-9, atol=0.0)
    if plan.mask is not None and differs.shape[-2:] == plan.mask.shape:
        differs &= plan.mask
    if differs.any():
        cell = tuple(int(i) for i in np.argwhere(differs)[0])
        raise ConfigError(
            f"{variable}: {a.name} has {left[cell]:g} and {b.name} has {right[cell]:g} {units} in "
            f"root-zone cell {cell} and {int(differs.sum())} cells in all; give both components the same domain"
        )
