"""What docs/style.md asks of Fortran, and the numbers of equations that modules name."""

from __future__ import annotations

import re
from pathlib import Path

import colm_interface
import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(ROOT.glob("bmi_*/fortran/*.f90"))
MODULES = [path for path in SOURCES if not path.stem.endswith("_api")]
NAMED = re.compile(r"[Ee]quations? ((?:\(\d+\)(?:, | and | to )?)+)")


def numbers(text: str) -> set[int]:
    """Numbers of equations that a text names."""
    found: set[int] = set()
    for named in NAMED.findall(text):
        found.update(map(int, re.findall(r"\((\d+)\)", named)))
        for first, last in re.findall(r"\((\d+)\) to \((\d+)\)", named):
            found.update(range(int(first), int(last) + 1))
    return found


def numbered() -> list[int]:
    """Numbers at the right of the equations of docs/theory.md."""
    text = (ROOT / "docs" / "theory.md").read_text("utf-8")
    return [int(n) for n in re.findall(r"  +\((\d+)\)$", text, re.MULTILINE)]


def test_equations_are_numbered_in_their_order():
    assert numbered() == list(range(1, len(numbered()) + 1))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_names_equations_that_exist(path):
    text = path.read_text("utf-8")
    head = text[: text.index("\nmodule ")]
    assert numbers(text) <= set(numbered())
    assert numbers(head) or path.stem.endswith(("_types", "_constants", "_math", "_maps"))


def test_every_equation_of_a_kernel_is_named_by_a_module():
    named = set().union(*(numbers(path.read_text("utf-8")) for path in MODULES))
    assert set(range(2, 16)) | set(range(17, 60)) <= named


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
