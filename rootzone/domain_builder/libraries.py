"""The libraries of the extra ``domain``: imported where they are used, and one message where they are missing."""

from __future__ import annotations

import importlib
from typing import Any, Final

from bmi_common.errors import ConfigError

NEEDED: Final = ("rasterio", "pyproj", "pyflwdir", "rosetta", "geopandas")


def library(name: str) -> Any:
    """Import a module of one of these libraries.

    Raises
    ------
    ConfigError
        The library is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"building a domain needs {error.name or name}, which is not installed: pip install 'rootzone[domain]'"
        ) from None


def require_libraries() -> None:
    """Refuse to begin where one of them is missing."""
    for name in NEEDED:
        library(name)
