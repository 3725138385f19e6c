"""Error control in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bmi_common.durations import describe
from coupler.component_config import ComponentConfig
from coupler.error_control.config import AuditConfig, ErrorControlConfig
from coupler.error_control.deviation import QUANTITIES


def compared(figures: Mapping[str, float], limits: Mapping[str, float]) -> str:
    """Write deviations with their limits and units."""
    return ", ".join(f"{n} {v:.3g} of {limits[n]:.3g} {_units(n)}".rstrip() for n, v in figures.items())


def intentions(spec: ErrorControlConfig) -> Iterator[str]:
    """Say what the section asks for, a line each."""
    if spec.segments is not None:
        s = spec.segments
        what = "all components start" if s.restart == "all" else "the groundwater starts"
        yield f"every {describe(s.length)} {what} from {_source(s.restart_from)}"
    if spec.audit is not None:
        yield from _audit(spec.audit)
    if spec.residual is not None:
        r = spec.residual
        yield f"water balance over {describe(r.over)}: residual above {r.limit:g} of the turnover: {r.action}"
    if spec.ensemble is not None:
        e = spec.ensemble
        yield f"ensemble of {len(e.checkpoints)} more: {_limits(e.limits)}: {e.action}"


def _audit(audit: AuditConfig) -> Iterator[str]:
    yield (
        f"audit by {audit.component.where} for {describe(audit.window)} every {describe(audit.every)}: "
        f"{_limits(audit.thresholds)}: {audit.action}{', and back' if audit.come_back else ''}"
    )
    if audit.free_drainage is not None:
        yield f"and no worse than {audit.free_drainage.where} with free drainage, which goes along"


def _source(source: Path | ComponentConfig) -> str:
    return source.where if isinstance(source, ComponentConfig) else str(source)


def _limits(limits: Mapping[str, float]) -> str:
    return ", ".join(f"{name} above {limit:g} {_units(name)}".rstrip() for name, limit in limits.items())


def _units(name: str) -> str:
    units = QUANTITIES[name].units
    return "" if units == "1" else units
