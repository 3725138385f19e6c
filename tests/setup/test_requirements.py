"""What `make setup` installs: each requirement has a version, and those of a run need no development tools."""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from requirements import requirements

PINS = Path(__file__).parents[2] / "constraints.txt"


def pins() -> dict[str, str]:
    """Versions by name, of the lines that hold for this interpreter and machine."""
    found = [Requirement(line) for line in PINS.read_text().splitlines() if line and not line.startswith("#")]
    return {
        canonicalize_name(r.name): str(r.specifier).removeprefix("==")
        for r in found
        if r.marker is None or r.marker.evaluate()
    }


def installed(wanted: Iterable[str]) -> set[str]:
    """Names of all distributions that these requirements lead to, directly or not, as far as they are installed."""
    waiting, seen = [Requirement(text) for text in wanted], set()
    names = set()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        names.add(name)
        for need in map(Requirement, needs):
            places = [{**default_environment(), "extra": extra} for extra in ("", *extras)]
            if need.marker is None or any(need.marker.evaluate(place) for place in places):
                waiting.append(need)
    return names


def test_everything_that_set_up_installs_has_a_version() -> None:
    reached = installed(requirements(["dev"], build=True))
    assert {"numpy", "torch", "pandas", "bmi-tester", "pluggy"} <= reached  # indirect ones are seen
    assert reached - pins().keys() == set()


def test_what_is_built_without_a_pinned_backend_finds_setuptools_and_wheel() -> None:
    assert {"pip", "setuptools", "wheel"} <= pins().keys()


def test_the_versions_are_allowed_by_the_package() -> None:
    known = pins()
    for requirement in map(Requirement, requirements(["dev"], build=True)):
        version = known[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(Version(version)), requirement


def names(extras: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", line)[0] for line in requirements(extras)}


def test_a_run_needs_no_development_tools_and_physics_needs_no_pytorch() -> None:
    assert not names([]) & {"torch", "safetensors", "pytest", "mypy", "bmi-tester", "mkdocs"}
    assert names(["surrogate"]) - names([]) == {"torch", "safetensors"}


def test_an_extra_holds_those_that_it_names() -> None:
    assert names(["surrogate", "docs", "grpc"]) | {"pytest", "bmi-tester"} <= names(["dev"])
    assert not any("rootzone" in line for line in requirements(["dev"]))
