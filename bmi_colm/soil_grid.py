"""The land's layers of soil: those of the root zone, or parts of them where the root zone's are too few for heat.

Water goes between the two without loss. Head and saturation of a layer of the root zone hold in all its parts; what the
groundwater lets the layer give is shared out by thickness; sources of the parts add up to that of the layer. Layers
below the root zone take up heat only: their soil and saturation are those of the lowest layer of the root zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError

FINE_ENOUGH = 10
"""A root zone of as many layers is the land's grid, too, as in the published coupling."""

STANDARD_THICKNESS = np.array([0.0175, 0.0276, 0.0455, 0.0749, 0.1236, 0.2038, 0.336, 0.5539, 0.9133, 1.137])
"""Layers of the Common Land Model [m], top first."""

_SCALE = 0.025  # m, of the Common Land Model's node depths, 0.025 (exp(0.5 (k - 0.5)) - 1)
_SPREAD = np.cosh(0.25)  # a layer's bottom lies half-way between its node and the next
_SLACK = 0.05  # of a layer: boundaries that are all but those of the Common Land Model make no thin parts
_TOLERANCE = 1.0e-6  # of a thickness


@dataclass(frozen=True)
class SoilGrid:
    """Layers of soil, top first.

    Attributes
    ----------
    root_zone : ndarray, shape (root-zone layers,)
        Thickness [m] of the root zone's layers, top first.
    parts : tuple of int
        Number of soil layers in each of them.
    thickness : ndarray, shape (soil layers,)
        Thickness [m] of the soil layers, top first; those below the root zone follow last.
    """

    root_zone: Array
    parts: tuple[int, ...]
    thickness: Array

    @classmethod
    def of(
        cls, root_zone: Array, soil_layers: Sequence[float] | None = None, thermal_depth: float | None = None
    ) -> SoilGrid:
        """Divide a root zone.

        Parameters
        ----------
        root_zone : ndarray
            Thickness [m] of its layers, top first.
        soil_layers : sequence of float, optional
            Thickness [m] of the soil layers that they are divided into, bottom first as all layers of a configuration.
            By default none of `FINE_ENOUGH` layers is divided, and fewer are so that no part is notably thicker than
            the Common Land Model's layer at its depth.
        thermal_depth : float, optional
            Depth [m] of the lowest soil layer's bottom; by default that of the root zone.

        Raises
        ------
        ConfigError
            If soil layers do not divide the root zone, or the thermal depth is above its bottom.
        """
        depth = float(root_zone.sum())
        if soil_layers is not None:
            parts, thickness = _given_parts(root_zone, np.array(soil_layers[::-1]))
        elif len(root_zone) >= FINE_ENOUGH:
            parts, thickness = (1,) * len(root_zone), root_zone
        else:
            parts, thickness = _standard_parts(root_zone)
        if thermal_depth is not None and thermal_depth < depth * (1.0 - _TOLERANCE):
            raise ConfigError(
                f"{thermal_depth:g} m is above the bottom of the root zone, {depth:g} m; heat reaches at least as deep",
                key="thermal_depth",
            )
        if thermal_depth is not None and thermal_depth > depth * (1.0 + _TOLERANCE):
            thickness = np.concatenate([thickness, _standard_layers(depth, thermal_depth, 1)])
        return cls(root_zone, parts, thickness)

    @property
    def layers(self) -> int:
        """Number of soil layers."""
        return len(self.thickness)

    @property
    def rooted(self) -> int:
        """Number of soil layers in the root zone."""
        return sum(self.parts)

    @property
    def is_root_zone(self) -> bool:
        """Whether the soil layers are those of the root zone."""
        return self.layers == len(self.root_zone)

    def spread(self, values: Array) -> Array:
        """Values of the root zone's layers (..., layers) for each soil layer; below, those of the lowest layer."""
        return values if self.is_root_zone else np.asarray(values[..., self.owner])

    def add_up(self, amounts: Array) -> Array:
        """Amounts in the soil layers (..., soil layers), added up for each layer of the root zone."""
        return (
            amounts
            if self.is_root_zone
            else np.asarray(np.add.reduceat(amounts[..., : self.rooted], self._first, axis=-1))
        )

    def mean(self, values: Array) -> Array:
        """Mean of values of the soil layers (..., soil layers) in each layer of the root zone, by thickness."""
        return values if self.is_root_zone else self.add_up(values * self.thickness) / self.root_zone

    @property
    def owner(self) -> NDArray[np.intp]:
        """Layer of the root zone, from the top, that each soil layer belongs to."""
        within = np.repeat(np.arange(len(self.parts)), self.parts)
        return np.concatenate([within, np.full(self.layers - self.rooted, len(self.parts) - 1)])

    @property
    def share(self) -> Array:
        """Part of its root-zone layer's amounts that each soil layer has, by thickness; nothing is below."""
        if self.is_root_zone:
            return np.ones(self.layers)
        share = self.thickness / self.root_zone[self.owner]
        share[self.rooted :] = 0.0
        return share

    @property
    def _first(self) -> NDArray[np.intp]:
        return np.append(0, np.cumsum(self.parts)[:-1])


def _given_parts(root_zone: Array, thickness: Array) -> tuple[tuple[int, ...], Array]:
    bottoms, wanted = np.cumsum(thickness), np.cumsum(root_zone)
    if len(thickness) < 2:
        raise ConfigError("one layer cannot conduct heat; give two at least", key="soil_layers")
    if abs(bottoms[-1] - wanted[-1]) > _TOLERANCE * wanted[-1]:
        raise ConfigError(
            f"they are {bottoms[-1]:g} m in sum, the root zone {wanted[-1]:g} m; they divide it", key="soil_layers"
        )
    nearest = np.abs(bottoms - wanted[:, np.newaxis]).argmin(axis=1)
    apart = np.abs(bottoms[nearest] - wanted) > _TOLERANCE * wanted
    if apart.any():
        raise ConfigError(
            f"none ends at a depth of {wanted[apart][0]:g} m, where a layer of the root zone does; each of those is "
            "divided by itself",
            key="soil_layers",
        )
    parts = np.diff(nearest, prepend=-1)
    first = np.append(0, np.cumsum(parts)[:-1])
    scale = root_zone / np.add.reduceat(thickness, first)  # what rounding of the thicknesses leaves is no water
    return tuple(parts.tolist()), thickness * np.repeat(scale, parts)


def _standard_parts(root_zone: Array) -> tuple[tuple[int, ...], Array]:
    bottoms = np.append(0.0, np.cumsum(root_zone))
    fewest = 2 if len(root_zone) == 1 else 1  # heat is conducted between two layers at least
    divided = [_standard_layers(a, b, fewest) for a, b in pairwise(bottoms.tolist())]
    return tuple(len(d) for d in divided), np.concatenate(divided)


def _standard_layers(top: float, bottom: float, fewest: int) -> Array:
    """Thickness [m] of layers between two depths [m] that grow as the Common Land Model's do and are not thicker."""
    start, end = _position(top), _position(bottom)
    number = max(fewest, ceil(end - start - _SLACK))
    bounds = _SCALE * (_SPREAD * np.exp(0.5 * np.linspace(start, end, number + 1)) - 1.0)
    bounds[0], bounds[-1] = top, bottom
    return np.diff(bounds)


def _position(depth: float) -> float:
    """Count the Common Land Model's layers above a depth [m], as a real number."""
    return max(0.0, 2.0 * float(np.log((depth / _SCALE + 1.0) / _SPREAD)))
