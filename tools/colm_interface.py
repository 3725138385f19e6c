"""Make the Fortran side of the land kernel's interface from the table in `bmi_colm/arrays.py`.

    python tools/colm_interface.py bmi_colm/arrays.py colm_types.f90 colm_api.f90

The build runs it (`bmi_colm/fortran/meson.build`). The scalars become the derived type
`step_options`, each set of arrays a derived type of one column; their fields have the names of the table.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import Field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

HEADER = "! Made by tools/colm_interface.py from bmi_colm/arrays.py: change that."
SCALARS = {
    "float": ("real(c_double)", "real(wp)"),
    "int": ("integer(c_int)", "integer"),
    "bool": ("logical", "logical"),
}
SIZES = ("N_SNOW", "N_BAND", "N_BEAM")
# sets of arrays: the variable that holds a column's, and the intent of the arrays
SETS = {
    "ColumnInputs": ("inputs", "in"),
    "ColumnParameters": ("parameters", "in"),
    "ColumnState": ("state", "inout"),
    "ColumnFluxes": ("fluxes", "inout"),
}
Item = Field[Any]


def load(path: Path) -> ModuleType:
    """Import the table alone: the package around it is not built yet."""
    spec = importlib.util.spec_from_file_location("colm_table", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def declaration(item: Item, in_type: bool) -> str:
    """Fortran's type of an item, as a field of a derived type or as an argument that f2py reads."""
    dtype = item.metadata.get("dtype")
    python = str(item.type) if dtype is None else "float" if np.issubdtype(dtype, np.floating) else "int"
    return SCALARS[python][in_type]


def subscript(parts: Iterable[object]) -> str:
    """Return `(a, b)`, or nothing for a scalar."""
    text = ", ".join(map(str, parts))
    return f"({text})" if text else ""


def has_run_time_extent(item: Item) -> bool:
    """Whether an extent of an array is known at run time only."""
    return any(isinstance(extent, str) for extent in item.metadata["shape"])


def is_pointer(item: Item, intent: str) -> bool:
    """Whether a column's field points into the array: what is only read, and too long to be copied for nothing."""
    return has_run_time_extent(item) and intent == "in"


def field_of_type(item: Item, intent: str) -> str:
    """Declare an item as a field of a derived type; a pointer or allocatable where its extent is known at run time."""
    shape = item.metadata["shape"]
    kind, extents = declaration(item, True), shape
    if has_run_time_extent(item):
        kind = f"{kind}, {'pointer, contiguous' if is_pointer(item, intent) else 'allocatable'}"
        extents = [":"] * len(shape)
    return f"{kind} :: {item.name}{subscript(extents)}"


def element(item: Item) -> str:
    """Column `i` of an array, or its profile."""
    number = "profile(i)" if item.metadata.get("shared") else "i"
    return item.name + subscript([*(":" for _ in item.metadata["shape"]), number])


def extent(item: Item) -> str:
    """How many columns an array holds, or profiles."""
    return "n_profiles" if item.metadata.get("shared") else "n"


def lane(variable: str) -> str:
    """One column of the group."""
    return f"{variable}(l)"


def whole(variable: str, item: Item) -> str:
    """One column's field of a derived type, as what is assigned to: a section is not allocated anew."""
    return f"{variable}%{item.name}" + subscript(":" for _ in item.metadata["shape"])


def derived_type(cls: type, intent: str = "in") -> list[str]:
    """One column of a set of arrays, or the set of scalars."""
    assert cls.__doc__ is not None
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
    lines = [f"  !> {cls.__doc__.splitlines()[0]}", f"  type, public :: {name}"]
    lines += [
        f"    {field_of_type(item, intent):<50}  !< {item.metadata['meaning']} [{item.metadata['units']}]"
        for item in fields(cls)
    ]
    return [*lines, f"  end type {name}", ""]


def types_module(table: ModuleType) -> str:
    """Write the module of derived types and sizes."""
    return "\n".join(
        [
            HEADER,
            "!> What one column consists of, and the sizes of its arrays.",
            "module colm_types",
            "  use colm_constants, only: wp",
            "  implicit none",
            "  private",
            "",
            *(f"  integer, parameter, public :: {size.lower()} = {getattr(table, size)}" for size in SIZES),
            "",
            *derived_type(table.StepOptions),
            *(line for name, (_, intent) in SETS.items() for line in derived_type(getattr(table, name), intent)),
            "end module colm_types",
            "",
        ]
    )


def interface(table: ModuleType) -> str:
    """Write what f2py wraps: flat arrays in, the columns advanced, flat arrays out."""
    scalars = fields(table.StepOptions)
    sets = {variable: (fields(getattr(table, name)), intent) for name, (variable, intent) in SETS.items()}
    items = [*scalars, *(item for arrays, _ in sets.values() for item in arrays)]
    names = textwrap.wrap(
        ", ".join([*(item.name for item in items), "order", "threads", "n", "n_soil", "n_profiles"]), 112
    )
    text = [
        HEADER,
        "",
        "subroutine max_threads(n)",
        "  use omp_lib, only: omp_get_max_threads",
        "  implicit none",
        "  integer, intent(out) :: n",
        "  n = omp_get_max_threads()",
        "end subroutine max_threads",
        "",
        "!> Advance all columns by one step. Columns with status /= 0 keep their state.",
        "!> order: columns, from 1, as they are put side by side; the more alike, the faster.",
        "subroutine advance( &",
        *(f"    {line} &" for line in names[:-1]),
        f"    {names[-1]})",
        "  use, intrinsic :: iso_c_binding, only: c_double, c_int",
        "  use colm_constants, only: lanes, group",
        "  use colm_types, only: step_options, column_inputs, column_parameters, column_state, column_fluxes",
        "  use colm_column, only: advance_group, ok",
        "  implicit none",
        "  integer(c_int), intent(in) :: n, n_soil, n_profiles, threads, order(n)",
        *(f"  {declaration(item, False)}, intent(in) :: {item.name}" for item in scalars),
        *(
            f"  {declaration(item, False)}, intent({intent}), target :: "
            f"{item.name}{subscript([*item.metadata['shape'], extent(item)])}"
            for arrays, intent in sets.values()
            for item in arrays
        ),
        "  !f2py threadsafe",
        "  !f2py integer, intent(hide), depend(latitude) :: n = len(latitude)",
        "  !f2py integer, intent(hide), depend(thickness) :: n_soil = shape(thickness, 0)",
        "  !f2py integer, intent(hide), depend(thickness) :: n_profiles = shape(thickness, 1)",
        "  type(step_options) :: options",
        *(f"  type(column_{variable}), allocatable :: {variable}(:)" for variable in sets),
        "  integer :: first, blocks, taken, i, l",
        "",
        *(f"  options%{item.name} = {item.name}" for item in scalars),
        "  ! few columns are shared out among the threads in smaller groups",
        "  blocks = max(1, min(group, n/(4*lanes*threads)))",
        f"  !$omp parallel num_threads(threads) default(shared) private({', '.join(sets)}, taken, i, l)",
        f"  allocate({', '.join(f'{variable}(lanes*blocks)' for variable in sets)})",
        "  do l = 1, lanes*blocks",
        *(
            f"    allocate({lane(variable)}%{item.name}{subscript(item.metadata['shape'])})"
            for variable, (arrays, intent) in sets.items()
            for item in arrays
            if has_run_time_extent(item) and not is_pointer(item, intent)
        ),
        "  end do",
        "  !$omp do schedule(dynamic, 1)",
        "  do first = 1, n, lanes*blocks",
        "    taken = min(lanes*blocks, lanes*((n - first)/lanes + 1))",
        "    do l = 1, taken",
        "      i = order(min(n, first + l - 1))  ! a block that is not full repeats the last column",
        *(
            f"      {lane(variable)}%{item.name} => {element(item)}"
            if is_pointer(item, intent)
            else f"      {whole(lane(variable), item)} = {element(item)}"
            for variable, (arrays, intent) in sets.items()
            if variable != "fluxes"
            for item in arrays
        ),
        "    end do",
        "    call advance_group(options, taken/lanes, parameters, inputs, state, fluxes)",
        "    do l = 1, min(taken, n - first + 1)",
        "      i = order(first + l - 1)",
        f"      status(i) = {lane('fluxes')}%status",
        f"      if ({lane('fluxes')}%status /= ok) cycle",
        *(
            f"      {element(item)} = {lane(variable)}%{item.name}"
            for variable, (arrays, intent) in sets.items()
            if intent == "inout"
            for item in arrays
        ),
        "    end do",
        "  end do",
        "  !$omp end do",
        "  !$omp end parallel",
        "end subroutine advance",
        "",
    ]
    return "\n".join(text)


def main(table: str, types: str, api: str) -> None:
    """Write both files."""
    module = load(Path(table))
    Path(types).write_text(types_module(module), encoding="utf-8")
    Path(api).write_text(interface(module), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
