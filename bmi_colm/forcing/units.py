"""Conversion of a file's units to those of the component."""

from collections.abc import Callable

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from bmi_common.units import conversion

Converter = Callable[[Array], Array]


def converter(units: str, target: str, where: str) -> Converter:
    """Return the conversion from `units` to `target`, water volume to mass with 1000 kg m-3.

    Raises
    ------
    ConfigError
        `units` are unknown or of another kind; `where` begins the message.
    """
    try:
        found = conversion(units, target)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    if found.is_identity:
        return lambda values: values
    return lambda values: found.factor * values + found.offset
