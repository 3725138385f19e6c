"""What the component says of its variables."""

from __future__ import annotations

from bmi_conformance.outcome import Fault, NotApplicable, require
from bmi_conformance.quantities import quantity_of
from bmi_conformance.subject import Instance, Subject
from bmi_conformance.units import is_unit


def counts(subject: Subject) -> None:
    """The counts of inputs and outputs are those of their names, and no name stands twice in a list."""
    with subject.running() as run:
        for kind in ("input", "output"):
            names = getattr(run.bmi, f"get_{kind}_var_names")()
            count = getattr(run.bmi, f"get_{kind}_item_count")()
            require(count == len(names), f"get_{kind}_item_count gives {count}, but there are {len(names)} names")
            require(len(set(names)) == len(names), f"get_{kind}_var_names gives a name twice")
            wrong = [name for name in names if not isinstance(name, str) or not name.strip()]
            require(not wrong, f"get_{kind}_var_names gives {wrong}, no names")


def sizes(subject: Subject) -> None:
    """Type, size of an item, size of the variable and number of places on its grid agree."""
    with subject.running() as run:
        if not run.names:
            raise NotApplicable("the component has no variables")
        for name in run.names:
            run.dtype(name)
            item, total = run.bmi.get_var_itemsize(name), run.bmi.get_var_nbytes(name)
            places = _places(run, name)
            require(
                total == item * places,
                f"{name}: get_var_nbytes gives {total}, but {places} values of {item} bytes are {item * places}",
            )


def _places(run: Instance, name: str) -> int:
    bmi = run.bmi
    grid = bmi.get_var_grid(name)
    location = str(bmi.get_var_location(name))
    require(location in ("node", "edge", "face", "none"), f"{name}: get_var_location gives {location!r}")
    if location == "none":
        return run.count(name)
    unstructured = bmi.get_grid_type(grid) == "unstructured"
    if location == "node" and not unstructured:
        return int(bmi.get_grid_size(grid))
    try:
        return int(getattr(bmi, f"get_grid_{location}_count")(grid))
    except NotImplementedError:
        return int(bmi.get_grid_size(grid))


def known_units(subject: Subject) -> None:
    """Udunits knows all units, and they convert to those of the quantity that the name ends with."""
    with subject.running() as run:
        if not run.names:
            raise NotApplicable("the component has no variables")
        for name in run.names:
            unit = run.bmi.get_var_units(name)
            require(isinstance(unit, str), f"{name}: get_var_units gives {unit!r}, no text")
            require(is_unit(unit), f"{name}: udunits does not know the unit {unit!r}")
            quantity = quantity_of(name)
            if quantity is not None and not quantity.fits(unit):
                raise Fault(
                    f"{name}: {unit!r} does not convert to {' or '.join(map(repr, quantity.units))}, "
                    f"the units of {quantity.what}"
                )
