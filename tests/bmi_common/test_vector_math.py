"""Errors of the elementary functions in vectors, against quadruple precision."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "bmi_common" / "fortran" / "vector_math.f90", ROOT / "tests" / "support" / "vector_math_errors.f90"]
AS_BUILT = ["-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math", "-ffree-line-length-132"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gfortran") is None, reason="needs gfortran, which has quadruple precision"),
]


@pytest.fixture(scope="module", params=["generic", "native"])
def printed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the program prints, by the first word of a line."""
    folder = tmp_path_factory.mktemp(request.param)
    processor = ["-march=native"] if request.param == "native" else []
    command = ["gfortran", *AS_BUILT, *processor, f"-J{folder}", *map(str, SOURCES), "-o", str(folder / "errors")]
    subprocess.run(command, check=True, capture_output=True)
    lines = subprocess.run([folder / "errors"], check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines}


@pytest.mark.parametrize(
    ("function", "units"),
    [
        ("exponential", 2.0),
        ("exponential_m1", 2.0),
        ("logarithm", 2.0),
        ("logarithm_1p", 2.0),
        ("power", 45.0),  # 5/3 ln(1e8) times the rounding of a product, and more
        ("cube_root", 5.0),
        ("inverse_cube_root", 2.0),
        ("arctangent", 3.0),
        ("hyperbolic_tangent", 3.0),
        ("arsinh", 3.0),
    ],
)
def test_errors_are_few_units_in_the_last_place_and_single_elements_and_blocks_are_the_same(
    printed: dict[str, list[str]], function: str, units: float
) -> None:
    error, same = printed[function]
    assert float(error) < units
    assert same == "T"


def test_special_values_are_those_of_the_functions(printed: dict[str, list[str]]) -> None:
    found = [float(word) for word in printed["special"]]
    tiny = 4.9406564584124654e-324  # exp(-745)
    expected = [0.0, tiny, math.inf, -1.0, -math.inf, math.nan, math.log(1.7976931348623157e308), math.inf, 0.0, 1.0]
    expected += [0.0, 2.0]
    assert found == pytest.approx(expected, rel=1e-4, nan_ok=True)
    assert set(printed["nan"]) == {"T"}
    assert printed["lanes"] == ["T" if lane == 2 else "F" for lane in range(16)]
