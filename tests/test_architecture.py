"""Which package may import which: four floors, no way up."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMPONENTS = {"bmi_colm", "bmi_richards", "bmi_parflow", "bmi_surrogate"}
MAY_IMPORT = {
    "bmi_conformance": set(),
    "bmi_common": set(),
    "bmi_colm": {"bmi_common"},
    "bmi_richards": {"bmi_common"},
    "bmi_parflow": {"bmi_common"},
    "bmi_surrogate": {"bmi_common"},
    "coupler": {"bmi_common"},
    "rootzone": {"bmi_common", "coupler", *COMPONENTS},
}


def imported(file: Path) -> Iterator[str]:
    """Top-level names of the packages that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_what_lies_below_it_only(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (ROOT / package).rglob("*.py")
        for name in imported(file)
        if name in MAY_IMPORT and name not in allowed
    }
    assert not wrong
