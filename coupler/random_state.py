"""The generators that components in this process may draw from: Python's, NumPy's and PyTorch's."""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np


def seed(value: int) -> None:
    """Seed all generators."""
    random.seed(value)
    np.random.seed(value)  # noqa: NPY002  # the global generator is what a component that knows no seed draws from
    torch = sys.modules.get("torch")  # not imported for runs that do not need it
    if torch is not None:
        torch.manual_seed(value)


def state() -> dict[str, Any]:
    """Return where all generators stand, as values that JSON can hold."""
    version, numbers, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    found: dict[str, Any] = {
        "python": [version, list(numbers), gauss],
        "numpy": [name, np.asarray(keys).tolist(), position, has_gauss, cached],
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = bytes(torch.get_rng_state().tolist()).hex()
    return found


def restore(found: dict[str, Any]) -> None:
    """Put all generators where `state` found them."""
    version, numbers, gauss = found["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = found["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None and "torch" in found:
        torch.set_rng_state(torch.tensor(list(bytes.fromhex(found["torch"])), dtype=torch.uint8))
