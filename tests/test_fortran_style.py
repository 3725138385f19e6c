"""What docs/style.md asks of Fortran, and the numbers of equations that modules name."""

from __future__ import annotations

import re
from pathlib import Path

import colm_interface
import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(ROOT.glob("bmi_*/fortran/*.f90"))
MODULES = [path for path in SOURCES if not path.stem.endswith("_api")]
NAMED = re.compile(r"[Ee]quations? ((?:\(\d+[a-z]?\)(?:, | and | to )?)+)")


def numbers(text: str) -> set[str]:
    """Numbers of equations that a text names."""
    found: set[str] = set()
    for named in NAMED.findall(text):
        found.update(re.findall(r"\((\d+[a-z]?)\)", named))
        for first, last in re.findall(r"\((\d+)\) to \((\d+)\)", named):
            found.update(map(str, range(int(first), int(last) + 1)))
    return found


def numbered() -> list[str]:
    """Numbers at the right of the equations of docs/theory.md; a letter counts those that came between two."""
    text = (ROOT / "docs" / "theory.md").read_text("utf-8")
    return re.findall(r"  +\((\d+[a-z]?)\)$", text, re.MULTILINE)


def before(number: str) -> str:
    """Number before one with a letter: 8a before 8b, 8 before 8a."""
    return number[:-1] if number[-1] == "a" else number[:-1] + chr(ord(number[-1]) - 1)


def test_equations_are_numbered_in_their_order():
    whole = [number for number in numbered() if number.isdigit()]
    assert whole == [str(n) for n in range(1, len(whole) + 1)]
    assert all(n.isdigit() or before(n) in numbered()[:i] for i, n in enumerate(numbered()))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_names_equations_that_exist(path):
    text = path.read_text("utf-8")
    head = text[: text.index("\nmodule ")]
    assert numbers(text) <= set(numbered())
    assert numbers(head) or path.stem.endswith(("_types", "_constants", "_math", "_maps"))


def test_every_equation_of_a_kernel_is_named_by_a_module():
    named = set().union(*(numbers(path.read_text("utf-8")) for path in MODULES))
    assert {str(n) for n in range(2, 60)} - {"16"} <= named


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_file_is_one_module_of_its_name(path):
    text = path.read_text("utf-8")
    assert re.findall(r"^module (\w+)$", text, re.MULTILINE) == [path.stem]
    assert "\n  implicit none\n  private\n" in text
    assert not re.search(r"^\s*(pure )?real\((?!wp\b)|_real64|\d\.\d*d\d", text, re.MULTILINE)


def undocumented(text: str) -> list[str]:
    """Arguments and fields of derived types without `!<`, or reals without units in brackets."""
    wrong, in_type = [], False
    for line in text.splitlines():
        in_type = in_type and not re.match(r"\s*end type", line)
        if "::" in line and ("intent(" in line or in_type):
            _, _, meaning = line.partition("!<")
            if not meaning or (re.match(r"\s*real\(", line) and not re.search(r"\[[^\]]+\]", meaning)):
                wrong.append(line.strip())
        in_type = in_type or re.match(r"\s*type(, public)? :: ", line) is not None
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_arguments_and_fields_are_documented_with_units(path):
    assert undocumented(path.read_text("utf-8")) == []


def test_the_table_of_the_land_kernel_gives_documented_types():
    table = colm_interface.load(ROOT / "bmi_colm" / "arrays.py")
    assert undocumented(colm_interface.types_module(table)) == []
