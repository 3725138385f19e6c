"""Write the page of the BMI variables, docs/variables.md, from the declarations of the components."""

from __future__ import annotations

from collections.abc import Sequence

import page

from bmi_colm import BmiColm, BmiColmLibrary
from bmi_common import DeclaredBmi, Variable
from bmi_common.grids import POINTS, ROOT_ZONE, SCALAR, SUBSURFACE, SURFACE, WELLS
from bmi_common.prescribed import PrescribedSource
from bmi_parflow import BmiParflow
from bmi_richards import BmiRichards
from bmi_surrogate import BmiSurrogate

LAND: tuple[type[DeclaredBmi], ...] = (BmiColm, BmiColmLibrary)
GROUNDWATER: tuple[type[DeclaredBmi], ...] = (BmiSurrogate, BmiRichards, BmiParflow)

GRIDS = {
    SURFACE: ("`uniform_rectilinear`", "(ny, nx)", "surface: southern row and western column first"),
    SUBSURFACE: ("`rectilinear`", "(nz, ny, nx)", "all layers, the bottom layer first"),
    ROOT_ZONE: (
        "`rectilinear`",
        "(root-zone layers, ny, nx)",
        "the root zone: the top layers of grid 1, at their heights there, the lowest of them first",
    ),
    SCALAR: ("`scalar`", "()", "one value"),
    POINTS: ("`unstructured`", "(number of gauges)", "gauges of the groundwater, nodes without edges and faces"),
    WELLS: ("`unstructured`", "(number of wells)", "wells of the configuration, as the gauges"),
}
"""Type, shape and meaning of each grid of `bmi_common.grids`."""

INTRODUCTION = """# BMI variables

Names follow the CSDMS Standard Names' syntax, units are udunits strings. They are known before `initialize`, so that a
coupling can be planned without data. Values are one-dimensional in BMI calls, in C order of the shapes below.

## Roles

| role | listed among | `set_value` | meaning |
|---|---|---|---|
| input | inputs | yes | must be supplied before the first `update`, and holds until it is set again |
| forcing | inputs | yes | read from the component's own files unless it is set; a set value holds for one step |
| output | outputs | no | made in every step |
| state | outputs | yes | an output that can also be set, to start or correct the component |
| static | outputs | no | does not change after `initialize` |

A value outside the *range* ends a run, with component, variable and cell named, if the variable is exchanged or
written; `checks.ranges` of the run's file goes before it. Outside the mask, values are NaN.

## Grids

"""

COORDINATES = """
x and y are the cell centres [m]. z is the nominal height [m] of layer centres above the bottom of the column; the true
geometry is in `soil_layer__thickness` and `land_surface__elevation`. Time is in seconds from 0; a step is an hour
unless the configuration says otherwise.
"""


def text() -> str:
    """Return the page."""
    return "\n".join(
        [
            INTRODUCTION
            + page.table(
                ("number", "type", "shape", "what it is"),
                [(str(number), *described) for number, described in GRIDS.items()],
            ),
            COORDINATES,
            _side("Land", LAND),
            _side("Groundwater", GROUNDWATER),
            _side("In the place of the land", (PrescribedSource,)),
        ]
    )


def _side(title: str, components: Sequence[type[DeclaredBmi]]) -> str:
    several = len(components) > 1
    owners: dict[Variable, list[type[DeclaredBmi]]] = {}
    for component in components:
        for variable in component.variables:
            owners.setdefault(variable, []).append(component)
    names = [f"`{c.__module__.partition('.')[0]}:{c.__name__}`" for c in components]
    if components == (PrescribedSource,):
        names = ["`bmi_common.prescribed:PrescribedSource`"]
    header = ["name", "units", "grid", "role", "range", "type", "what it is"]
    rows = []
    for variable, having in owners.items():
        low_high = "" if variable.valid_range is None else "{:g} … {:g}".format(*variable.valid_range)
        row = [f"`{variable.name}`", f"`{variable.units}`", str(variable.grid), str(variable.role), low_high]
        row += [variable.dtype, variable.long_name]
        rows.append([*row, _who(having, components)] if several else row)
    if several:
        header.append("who")
    return f"## {title}\n\n{', '.join(names)}.\n\n{page.table(header, rows)}\n"


def _who(having: Sequence[type[DeclaredBmi]], components: Sequence[type[DeclaredBmi]]) -> str:
    return "all" if len(having) == len(components) else ", ".join(f"`{c.__name__}`" for c in having)


if __name__ == "__main__":
    page.write("variables.md", "bmi_tables.py", text())
