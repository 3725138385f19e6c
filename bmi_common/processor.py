"""Which of a package's kernels suits the processor."""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType
from typing import Final

VARIABLE: Final = "ROOTZONE_KERNEL"
"""Names the level to take in the place of the best one: to compare results of machines, or to look for a fault."""

_LEVELS: Final = ("native", "v4", "v3", "v2", "generic")
"""Best first. `native` was compiled where it runs; v2, v3 and v4 are the levels of x86-64."""


def kernel(package: str) -> ModuleType:
    """Import the best of a package's kernels, ``_kernel_<level>``, that was built and that the processor can run.

    Raises
    ------
    ImportError
        If there is none, or the environment asks for one that there is not.
    """
    built = [level for level in _LEVELS if importlib.util.find_spec(f"{package}._kernel_{level}") is not None]
    wanted = os.environ.get(VARIABLE)
    if wanted is not None:
        if wanted not in built:
            raise ImportError(f"{VARIABLE}={wanted}: {package} has been built for {', '.join(built) or 'no processor'}")
        return importlib.import_module(f"{package}._kernel_{wanted}")
    for level in built:
        if _runs(level):
            return importlib.import_module(f"{package}._kernel_{level}")
    raise ImportError(
        f"{package} has no kernel for this processor, only for {', '.join(built) or 'none'}; build it here: "
        "pip install --no-binary rootzone"
    )


def _runs(level: str) -> bool:
    if level in ("native", "generic"):
        return True
    import archspec.cpu  # reads tables of processors: only where there is a choice

    names = {archspec.cpu.host().name, *(ancestor.name for ancestor in archspec.cpu.host().ancestors)}
    return f"x86_64_{level}" in names
