"""Declaration of a component's variables."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """How a variable takes part in coupling."""

    INPUT = "input"
    """Must be supplied before the first update."""
    FORCING = "forcing"
    """An input that the component reads by itself unless it is set; a set value holds for one step."""
    OUTPUT = "output"
    """Made by the component in every step."""
    STATE = "state"
    """An output that `set_value` also accepts, to start or correct the component."""
    STATIC = "static"
    """An output that does not change after initialisation."""

    @property
    def is_input(self) -> bool:
        """Whether BMI lists the variable among the inputs."""
        return self in (Role.INPUT, Role.FORCING)

    @property
    def is_settable(self) -> bool:
        """Whether `set_value` accepts the variable."""
        return self in (Role.INPUT, Role.FORCING, Role.STATE)


@dataclass(frozen=True)
class Variable:
    """One exchanged variable.

    Attributes
    ----------
    name : str
        CSDMS Standard Name.
    units : str
        udunits string.
    grid : int
        Identifier of its grid (see `bmi_common.grids`).
    role : Role
        How it takes part in coupling.
    long_name : str
        What it is, with its sign, for people and for output files.
    valid_range : tuple of float, optional
        Values outside are taken for an error by the coupler's guard.
    dtype : str
        numpy name of its type.
    part_of : str
        Name of the variable whose uppermost layers it is: it has no values of its own, but shows those of that one.
    """

    name: str
    units: str
    grid: int
    role: Role
    long_name: str = ""
    valid_range: tuple[float, float] | None = None
    dtype: str = "float64"
    part_of: str = ""
