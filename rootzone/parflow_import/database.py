"""Which keys ParFlow has, by the database of its Python tools: what is not in it, ParFlow never reads."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from typing import Any

from bmi_common.errors import ConfigError
from rootzone.parflow_import.definition import Definition


def unknown_keys(definition: Definition, keys: Iterable[str]) -> set[str]:
    """Return those of the keys that ParFlow does not have in this run.

    Keys carry names that others introduce: ``Patch.west.BCPressure.Type`` is one only where a patch is called west.

    Raises
    ------
    ConfigError
        If ParFlow's Python tools are not installed.
    """
    try:
        from parflow.tools.database.generated import BaseRun  # imports slowly
        from parflow.tools.helper import get_key_priority
    except ImportError as error:
        raise ConfigError(
            f"{definition.path}: ParFlow's keys are those of pftools, the optional extra `parflow`: "
            f"pip install 'rootzone[parflow]' ({error})"
        ) from error
    run = BaseRun()
    with contextlib.redirect_stdout(io.StringIO()):  # pftools prints what it makes of every value
        for key in sorted(filter(_is_regular, definition.keys), key=get_key_priority):
            # a text always: of a number the tools would make as many keys, however large it is
            with contextlib.suppress(Exception):  # values that no key of ParFlow takes
                run.pfset(key=key, value=definition.text(key), silence_if_undefined=True)
    return {key for key in keys if not (_is_regular(key) and _has(run, key))}


def _is_regular(key: str) -> bool:
    return all(part and not part.startswith("_") for part in key.split("."))


def _has(run: Any, key: str) -> bool:
    *path, last = key.split(".")
    node = run
    for part in path:
        node = _child(node, part)
        if node is None:
            return False
    return last in getattr(node, "_details_", {}) or "_value_" in getattr(_child(node, last), "_details_", {})


def _child(node: Any, name: str) -> Any:
    for attribute in (name, f"_{name}"):  # an attribute of Python does not begin with a digit
        child = vars(node).get(attribute)
        if hasattr(child, "_parent_"):
            return child
    return None
