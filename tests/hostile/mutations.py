"""Strategies that spoil good input."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

ODD_NUMBERS = (0, -1, 1, 2, 7, 2**31, 2**63, 10**30, 0.5, -0.0, 1e-300, 1e300, float("inf"), float("nan"), 10**400)
ODD_TEXTS = (
    "", " ", "nan", "1e999", "0", "-", ".", "..", "../../../../etc/passwd", "/", "/dev/zero", "/dev/null", "~", "~nobody-",
    "${data}", "${", "a\x00b", "\ud7ff\ufffe", "{}", "[1]", "*", "a" * 5000, "x" * 300 + ".nc", "os:system", "sys:exit",
    "subprocess:run", "2020-02-30", "9999-12-31T23:59", "0001-01-01", "m", "1/0", "s^-999999999999", "lg(re 1 mm)", "@", "%",
)  # fmt: skip
odd_scalars = st.one_of(
    st.none(), st.booleans(), st.sampled_from(ODD_NUMBERS), st.sampled_from(ODD_TEXTS), st.text(max_size=8)
)
odd_values = st.one_of(
    odd_scalars,
    st.lists(odd_scalars, max_size=3),
    st.dictionaries(st.sampled_from(["file", "value", "variable", "units", "x", "y", "0"]), odd_scalars, max_size=2),
)


def _places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _places(value, (*at, key))
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from _places(value, (*at, i))


def _get(tree: Any, at: tuple[Any, ...]) -> Any:
    for key in at:
        tree = tree[key]
    return tree


@st.composite
def spoiled_trees(draw: st.DrawFn, tree: Any, most: int = 2) -> Any:
    """Mappings, lists and scalars with one or two entries replaced, removed, renamed, repeated or exchanged."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, most))):
        places = [p for p in _places(tree) if p]
        if not places:
            break
        at = draw(st.sampled_from(places))
        parent, key = _get(tree, at[:-1]), at[-1]
        how = draw(st.sampled_from(("replace", "replace", "replace", "remove", "rename", "wrap", "exchange")))
        if how == "replace":
            parent[key] = draw(odd_values)
        elif how == "remove":
            del parent[key]
        elif how == "rename" and isinstance(parent, dict):
            parent[draw(odd_scalars)] = parent.pop(key)
        elif how == "wrap":
            parent[key] = [parent[key], parent[key]]
        else:
            parent[key] = copy.deepcopy(_get(tree, draw(st.sampled_from(places))))
    return tree


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes, head: int | None = None) -> bytes:
    """Bytes with a few of the first `head` ones changed, cut out, repeated or inserted, or the end cut off."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        end = min(len(data), head or len(data))
        at = draw(st.integers(0, max(end - 1, 0)))
        how = draw(st.sampled_from(("change", "change", "insert", "cut", "truncate", "repeat", "zero")))
        if how == "change" and data:
            data[at] = draw(st.integers(0, 255))
        elif how == "insert":
            data[at:at] = draw(st.binary(max_size=8))
        elif how == "cut":
            del data[at : at + draw(st.integers(1, 16))]
        elif how == "truncate":
            del data[at:]
        elif how == "repeat":
            data[at:at] = data[at : at + 16]
        else:
            data[at : at + 4] = draw(st.sampled_from((bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0")))
    return bytes(data)
