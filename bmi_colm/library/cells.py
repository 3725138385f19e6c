"""The lines of ``CoLM_readin.dat`` for the active cells of the domain."""

from __future__ import annotations

import warnings
from dataclasses import fields
from pathlib import Path

import numpy as np

from bmi_colm.config import PreparedLand
from bmi_colm.readin import Readin, format_lines, read_lines, read_readin, to_levels
from bmi_colm.soil import SoilTexture
from bmi_common.errors import ConfigError, describe_cell

_TOLERANCE = 1e-6
_DEGREES = 0.1


class ReadinWarning(UserWarning):
    """What the library is told differs a little from what the configuration says."""


def readin_lines(prepared: PreparedLand, users: Path | None) -> list[str]:
    """Return the lines of the active cells, in the order of ``mask.nonzero()``.

    Parameters
    ----------
    prepared : PreparedLand
        What the configuration describes.
    users : Path, optional
        A file of the user's for the whole grid; its numbers are handed on as they stand there.

    Raises
    ------
    ConfigError
        If a land cover or texture is impossible, or the user's file says something else than the configuration.

    Warns
    -----
    ReadinWarning
        If the eight levels of the file cannot hold the texture, or places differ.
    """
    domain = prepared.domain
    assert domain.latitude is not None
    assert domain.longitude is not None
    levels, reduced = to_levels(prepared.texture)
    if reduced.any():
        warnings.warn(
            f"soil_texture: in {int(reduced.sum())} columns, the first at "
            f"{describe_cell(tuple(prepared.cells[np.argmax(reduced)]))}, the top or the bottom layer of the root zone "
            "differs from its neighbour; a CoLM library takes the neighbour's texture for both",
            ReadinWarning,
            stacklevel=2,
        )
    configured = Readin(prepared.land_cover, domain.longitude[domain.mask], domain.latitude[domain.mask], levels)
    lines = format_lines(configured, prepared.cells)
    if users is None:
        return lines
    _compare(read_readin(users, domain.mask), configured, prepared, users)
    rest = (line.split(maxsplit=2)[2] for line in read_lines(users, domain.mask))
    return [f"{i + 1} {j + 1} {numbers}" for (j, i), numbers in zip(prepared.cells.tolist(), rest, strict=True)]


def _compare(given: Readin, configured: Readin, prepared: PreparedLand, path: Path) -> None:
    """Refuse two truths about land cover and texture."""

    def first(differs: np.ndarray) -> str:
        return describe_cell(tuple(prepared.cells[np.argmax(differs)]))

    differs = given.land_cover != configured.land_cover
    if differs.any():
        c = int(np.argmax(differs))
        raise ConfigError(
            f"library.readin: {path} has land cover {given.land_cover[c]} at {first(differs)}, the configuration "
            f"{configured.land_cover[c]}; `land_cover: {{colm: {path.name}}}` takes it from the file"
        )
    for field in fields(SoilTexture):
        theirs, ours = getattr(given.texture, field.name), getattr(configured.texture, field.name)
        differs = ~np.isclose(theirs, ours, rtol=_TOLERANCE, atol=_TOLERANCE).all(axis=1)
        if differs.any():
            raise ConfigError(
                f"library.readin: {path} has another {field.name} than the configuration at {first(differs)}; "
                f"`soil_texture: {{colm: {path.name}}}` takes it from the file"
            )
    eastwards = (given.longitude - configured.longitude + 180.0) % 360.0 - 180.0
    distance = np.maximum(abs(eastwards), abs(given.latitude - configured.latitude))
    if (distance > _DEGREES).any():
        warnings.warn(
            f"library.readin: {path}: latitude or longitude differs by up to {distance.max():.3g} degrees from the "
            f"domain's, most at {first(distance == distance.max())}; the library takes that of the file",
            ReadinWarning,
            stacklevel=3,
        )
