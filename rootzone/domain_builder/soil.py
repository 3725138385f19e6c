"""Soil: texture or classes by depth onto the layers, and the hydraulic parameters that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from rootzone.domain_builder.config import MapConfig, ProfileConfig, SoilConfig
from rootzone.domain_builder.depths import DEPTHS, interval_weights, require_count
from rootzone.domain_builder.grid import BasinGrid
from rootzone.domain_builder.hydraulics import Hydraulics
from rootzone.domain_builder.raster import complete, read_field, read_map
from rootzone.domain_builder.tables import table
from rootzone.domain_builder.texture import Estimate, class_averages, rosetta, usda_class

Mask = NDArray[np.bool_]

_SUM = 5.0
"""% by which sand, silt and clay may miss 100 together: maps of each are made by themselves."""
_QUANTITIES = {
    "sand": ("%", (0.0, 100.0)),
    "silt": ("%", (0.0, 100.0)),
    "clay": ("%", (0.0, 100.0)),
    "bulk_density": ("g cm-3", (0.05, 2.7)),
    "organic_carbon": ("%", (0.0, 60.0)),
}
"""Units, and values that these have."""


@dataclass(frozen=True)
class Soil:
    """Soil of the active columns.

    Attributes
    ----------
    hydraulics : Hydraulics
        Of all layers; as it is read, as if all were soil.
    bottom : ndarray, shape (n,)
        Depth of the lower limit of soil [m]; infinite where nothing says it.
    texture : dict of ndarray, shape (nz, n)
        `sand`, `clay`, and `bulk_density` and `organic_carbon` where they are known, in % and g cm-3.
    usda : ndarray of int, shape (n,), optional
        Texture class of the top layer.
    log_conductivity_deviation : ndarray, shape (nz, n), optional
        Rosetta's standard deviation of log10 of K.
    """

    hydraulics: Hydraulics
    bottom: Array
    texture: dict[str, Array] = field(default_factory=dict)
    usda: NDArray[np.int64] | None = None
    log_conductivity_deviation: Array | None = None


def read_soil(
    spec: SoilConfig, grid: BasinGrid, mask: Mask, needed: Mask, dz: NDArray[np.float64], below: bool
) -> Soil:
    """Read the soil of a basin.

    Parameters
    ----------
    spec, grid
        What to read, and where to.
    mask, needed : ndarray of bool, shape (ny, nx)
        Active cells, and those of them that maps must cover.
    dz : ndarray, shape (nz,)
        Thickness of the layers [m], bottom first.
    below : bool
        Whether something else lies below the soil.

    Raises
    ------
    ConfigError
        Maps do not cover the region or are no texture, or a class has no row in its table.
    """
    limits = DEPTHS[spec.depths] if isinstance(spec.depths, str) else spec.depths and tuple(spec.depths)
    bottom = np.full(int(mask.sum()), np.inf)
    if spec.depth_to_bedrock is not None:
        if not below:
            raise ConfigError("without effect, because no permeability is given", key="soil.depth_to_bedrock")
        bottom = read_field(spec.depth_to_bedrock, grid, needed, "soil.depth_to_bedrock", "m")[mask]
    elif below:
        if limits is None:
            raise ConfigError(
                "say how deep the soil is, above the rock that permeability describes: soil.depth_to_bedrock or "
                "soil.depths",
                key="soil",
            )
        bottom = np.full(int(mask.sum()), limits[-1])
    reader = _Reader(grid, mask, needed, dz, limits or (0.0, float(dz.sum())))
    if spec.usda is not None or spec.classes is not None:
        return _of_classes(spec, reader, bottom)
    return _of_texture(spec, reader, bottom)


@dataclass(frozen=True)
class _Reader:
    """Brings profiles of maps onto the layers of the active columns."""

    grid: BasinGrid
    mask: Mask
    needed: Mask
    dz: NDArray[np.float64]
    limits: tuple[float, ...]

    def maps(self, profile: ProfileConfig, key: str, kind: str) -> list[Array]:
        """Values of the active columns by interval, topmost first, or of one map for all."""
        require_count(len(profile.maps), self.limits, key)
        return [
            self._map(spec, key if len(profile.maps) == 1 else f"{key}.{n}", kind)
            for n, spec in enumerate(profile.maps)
        ]

    def _map(self, spec: MapConfig, key: str, kind: str) -> Array:
        units = _QUANTITIES[kind][0] if kind in _QUANTITIES else "1"
        if spec.raster is None:
            return read_field(spec, self.grid, self.needed, key, units)[self.mask]
        how = "continuous" if kind in _QUANTITIES else "nearest"
        found = read_map(spec.raster, self.grid, key, units, how)  # type: ignore[arg-type]
        return complete(found, spec.raster, self.grid, self.needed, key)[self.mask]

    def averaged(self, profile: ProfileConfig, name: str) -> Array:
        """Means over the layers by the thickness that intervals share with them, (nz, n)."""
        key = f"soil.{name}"
        values = self.maps(profile, key, name)
        units, (low, high) = _QUANTITIES[name]
        for n, part in enumerate(values):
            _require_range(part, low, high, units, name, key if len(values) == 1 else f"{key}.{n}")
        if len(values) == 1:
            return np.broadcast_to(values[0], (self.dz.size, values[0].size))
        return np.asarray(interval_weights(self.limits, self.dz) @ np.stack(values))

    def most(self, profile: ProfileConfig, key: str) -> NDArray[np.int64]:
        """Class of the interval that shares the most with each layer, (nz, n)."""
        values = [part.astype(np.int64) for part in self.maps(profile, key, "class")]
        if len(values) == 1:
            return np.broadcast_to(values[0], (self.dz.size, values[0].size))
        found: NDArray[np.int64] = np.stack(values)[np.argmax(interval_weights(self.limits, self.dz), axis=1)]
        return found


def _require_range(values: Array, low: float, high: float, units: str, name: str, key: str) -> None:
    bad = (values < low) | (values > high)
    if not bad.any():
        return
    least, most = float(values.min()), float(values.max())
    hint = ""
    if name in ("sand", "silt", "clay") and most > high:
        hint = "; is it in g/kg? say `units: g/kg`"
    elif name == "bulk_density" and most > high:
        hint = "; SoilGrids has 0.01 g cm-3, others kg m-3: say it with `units:`"
    elif name == "organic_carbon" and most > high:
        hint = "; SoilGrids has 0.1 g/kg: say it with `units:`"
    raise ConfigError(
        f"{name} must lie between {low:g} and {high:g} {units}, the map has {least:g} to {most:g}{hint}", key=key
    )


def _of_texture(spec: SoilConfig, reader: _Reader, bottom: Array) -> Soil:
    parts = {name: getattr(spec, name) for name in ("sand", "silt", "clay")}
    read = {name: reader.averaged(profile, name) for name, profile in parts.items() if profile is not None}
    total = sum(read.values())
    lacking = next((name for name in parts if name not in read), None)
    assert not isinstance(total, int)
    if lacking is not None:
        if (total > 100.0 + _SUM).any():
            raise ConfigError(f"{' and '.join(read)} add up to {total.max():.4g} %", key="soil")
        read[lacking] = np.maximum(100.0 - total, 0.0)
        total = sum(read.values())
        assert not isinstance(total, int)
    else:
        wrong = np.abs(total - 100.0) > _SUM
        if wrong.any():
            worst = float(total.ravel()[int(np.argmax(np.abs(total - 100.0)))])
            share = 100.0 * wrong.mean()
            small = '; are they shares of 1? say `units: "1"`' if total.max() < 2.0 else ""
            raise ConfigError(
                f"sand, silt and clay add up to {worst:.4g} %, not 100, in {share:.3g} % of the cells{small}",
                key="soil",
            )
    read = {name: part * (100.0 / total) for name, part in read.items()}
    extra = {
        name: reader.averaged(profile, name)
        for name in ("bulk_density", "organic_carbon")
        if (profile := getattr(spec, name)) is not None
    }
    shape = read["sand"].shape
    density = extra.get("bulk_density")
    sand, silt, clay = (read[name].ravel() for name in ("sand", "silt", "clay"))
    estimate = rosetta(sand, silt, clay, None if density is None else density.ravel())
    estimate = Estimate(*(part.reshape(shape) for part in estimate))
    texture = {name: np.array(part) for name, part in {"sand": read["sand"], "clay": read["clay"], **extra}.items()}
    return Soil(
        _hydraulics(estimate, spec.anisotropy),
        bottom,
        texture,
        usda_class(read["sand"][-1], read["clay"][-1]),
        estimate.log_conductivity_deviation,
    )


def _of_classes(spec: SoilConfig, reader: _Reader, bottom: Array) -> Soil:
    if spec.usda is not None:
        classes = reader.most(spec.usda, "soil.usda")
        _require_known(classes, table("soil_classes"), "soil.usda", "USDA texture classes are 1 sand to 12 clay")
        return Soil(_hydraulics(class_averages(classes), spec.anisotropy), bottom, usda=classes[-1])
    assert spec.classes is not None
    classes = reader.most(spec.classes, "soil.classes")
    _require_known(classes, spec.table, "soil.classes", "add it to soil.table")
    numbers, back = np.unique(classes, return_inverse=True)
    rows = [spec.table[int(number)] for number in numbers]
    values = {
        name: np.array([getattr(row, name) for row in rows])[back].reshape(classes.shape)
        for name in ("porosity", "alpha", "n", "residual_saturation", "conductivity")
    }
    across = np.array(
        [spec.anisotropy * r.conductivity if r.vertical_conductivity is None else r.vertical_conductivity for r in rows]
    )
    return Soil(Hydraulics(**values, vertical_conductivity=across[back].reshape(classes.shape)), bottom)


def _require_known(classes: NDArray[np.int64], known: Mapping[int, object], key: str, advice: str) -> None:
    foreign = np.setdiff1d(np.unique(classes), list(known))
    if foreign.size:
        raise ConfigError(
            f"class {', '.join(str(int(c)) for c in foreign[:5])} has no row in the table of classes "
            f"({100.0 * np.isin(classes, foreign).mean():.3g} % of the cells); {advice}",
            key=key,
        )


def _hydraulics(estimate: Estimate, anisotropy: float) -> Hydraulics:
    return Hydraulics(
        porosity=estimate.porosity,
        alpha=estimate.alpha,
        n=estimate.n,
        residual_saturation=estimate.residual_water / estimate.porosity,
        conductivity=estimate.conductivity,
        vertical_conductivity=anisotropy * estimate.conductivity,
    )
