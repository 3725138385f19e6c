"""What components of this package tell beside BMI, carried next to grpc4bmi's calls.

BMI has no words for the cells that take part, for valid ranges or for saving a state. A server of
`coupler.remote.server` answers for them in one more gRPC method, question and answer in JSON; grpc4bmi's own server has
no such method, and its components are plain BMI.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from bmi_common.variables import Role, Variable

SERVICE = "rootzone.Beyond"
METHOD = "Ask"
KNOWN = "known"
"""The question which of the names below the component has."""

FUNCTIONS = ("variable", "grid_labels", "save_state", "load_state", "start_from", "skip_until")
ATTRIBUTES = (
    "mask",
    "layer_mask",
    "provenance",
    "saves_state",
    "takes_end",
    "ends_with",
    "may_change",
    "starts_at_time_of_day",
    "gives_away",
    "description",
)


def question(name: str, *arguments: Any) -> bytes:
    """Encode a call of a function, or the reading of an attribute."""
    return json.dumps([name, *arguments]).encode()


def answer(component: Any, asked: bytes) -> bytes:
    """Carry out what was asked and encode what came of it.

    Raises
    ------
    ValueError
        For a name that is no part of this, whatever the component has.
    """
    name, *arguments = json.loads(asked)
    if name == KNOWN:
        names = [n for n in FUNCTIONS if callable(getattr(component, n, None))]
        return json.dumps(names + [n for n in ATTRIBUTES if hasattr(component, n)]).encode()
    if name in ATTRIBUTES:
        return json.dumps(_plain(getattr(component, name))).encode()
    if name in FUNCTIONS:
        return json.dumps(_plain(getattr(component, name)(*arguments))).encode()
    raise ValueError(f"nothing is known of {name!r}")


def _plain(value: Any) -> Any:
    if isinstance(value, Variable):
        return asdict(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    return value


def decoded(name: str, reply: bytes) -> Any:
    """Return what `answer` encoded, in the types that a component in this process would give."""
    value = json.loads(reply)
    return _DECODERS[name](value) if name in _DECODERS and value is not None else value


def _variable(value: dict[str, Any]) -> Variable:
    limits = value.pop("valid_range")
    return Variable(**{**value, "role": Role(value["role"])}, valid_range=None if limits is None else tuple(limits))


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "variable": _variable,
    "grid_labels": tuple,
    "mask": lambda value: np.asarray(value, dtype=bool),
    "layer_mask": lambda value: np.asarray(value, dtype=bool),
}
