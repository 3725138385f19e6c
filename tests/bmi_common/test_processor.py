"""The kernel that is taken: the best that was built and that the processor can run, or the one that is asked for."""

import sys
from pathlib import Path
from types import SimpleNamespace

import archspec.cpu
import pytest

import bmi_richards
from bmi_common.processor import VARIABLE, kernel


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make packages with kernels of some levels, on a processor with some levels."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    made = []

    def make(built: str, processor: str) -> str:
        name = f"package_of_kernels_{len(made)}"
        made.append(name)
        (tmp_path / name).mkdir()
        for level in built.split():
            (tmp_path / name / f"_kernel_{level}.py").write_text(f"LEVEL = {level!r}\n")
        ancestors = [SimpleNamespace(name=f"x86_64_{level}") for level in processor.split()]
        monkeypatch.setattr(archspec.cpu, "host", lambda: SimpleNamespace(name="some", ancestors=ancestors))
        return name

    yield make
    for name in [n for n in sys.modules if n.startswith("package_of_kernels_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("built", "processor", "taken"),
    [
        ("v2 v3 v4", "v2 v3 v4", "v4"),
        ("v2 v3 v4", "v2 v3", "v3"),
        ("v2 v3 v4", "v2", "v2"),
        ("v2", "v2 v3 v4", "v2"),
        ("native v2", "v2 v3 v4", "native"),
        ("generic", "", "generic"),
    ],
)
def test_the_best_that_was_built_and_that_the_processor_runs_is_taken(package, built, processor, taken) -> None:
    assert taken == kernel(package(built, processor)).LEVEL


def test_a_level_can_be_asked_for(package, monkeypatch) -> None:
    name = package("v2 v3", "v2 v3")
    monkeypatch.setenv(VARIABLE, "v2")
    assert kernel(name).LEVEL == "v2"
    monkeypatch.setenv(VARIABLE, "v4")
    with pytest.raises(ImportError, match="ROOTZONE_KERNEL=v4: package_of_kernels_0 has been built for v3, v2"):
        kernel(name)


def test_a_processor_that_is_too_old_is_told_so(package) -> None:
    with pytest.raises(ImportError, match="no kernel for this processor, only for v4, v3"):
        kernel(package("v3 v4", "v2"))


def test_the_kernel_here_was_built_here() -> None:
    assert kernel("bmi_richards") is bmi_richards.solver._kernel


def test_this_processor_runs_what_it_is_said_to_run() -> None:
    names = {archspec.cpu.host().name, *(a.name for a in archspec.cpu.host().ancestors)}
    flags = Path("/proc/cpuinfo")
    if not flags.exists() or "x86_64" not in names:
        pytest.skip("the flags of a processor are read from /proc/cpuinfo of x86-64")
    found = set(next(line for line in flags.read_text().splitlines() if line.startswith("flags")).split())
    assert ("x86_64_v3" in names) == ({"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"} <= found)
    assert ("x86_64_v4" in names) == ({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= found)
