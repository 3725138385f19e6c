"""The two recipes of a container do the same, and name files, extras and packages that there are."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from requirements import requirements

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "containers"
DOCKERFILE, DEFINITION, STEPS = (
    (FOLDER / name).read_text(encoding="utf-8") for name in ("Dockerfile", "rootzone.def", "install.sh")
)
ARCHIVE = "rootzone.tar"


def commands(lines: str) -> list[str]:
    """Steps of a recipe, without those by which files come into the image."""
    return [line.strip() for line in lines.splitlines() if line.strip() and not line.strip().startswith("tar ")]


def of_dockerfile() -> list[list[str]]:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    return [re.findall(r"^RUN (.*)$", stage, re.MULTILINE) for stage in stages]


def of_definition() -> list[list[str]]:
    return [commands(text) for text in re.findall(r"^%post\n(.*?)(?=^\S)", DEFINITION + "\n", re.MULTILINE | re.DOTALL)]


def test_both_recipes_take_the_same_steps_on_the_same_system() -> None:
    build, run = of_dockerfile()
    assert of_definition() == [
        build,
        [step for step in run if "useradd" not in step],
    ]  # Apptainer keeps the caller's user
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases == re.findall(r"^From: (\S+)", DEFINITION, re.MULTILINE)
    path = r"PATH=(\S+)"
    assert re.findall(path, DOCKERFILE) == re.findall(path, DEFINITION)
    label = r'org\.opencontainers\.image\.(\w+)[= ]"?([^"\n\\]*)'
    assert dict(re.findall(label, DOCKERFILE)) == dict(re.findall(label, DEFINITION))


def test_the_image_runs_as_somebody_without_rights() -> None:
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    (user,) = re.findall(r"^USER (\w+)$", last, re.MULTILINE)
    assert f"useradd --create-home {user}" in last


@pytest.mark.parametrize("recipe", [DOCKERFILE, DEFINITION], ids=["Dockerfile", "rootzone.def"])
def test_what_a_recipe_takes_lies_in_its_folder_or_in_the_archive(recipe: str) -> None:
    sections = re.findall(r"^%files\n((?: {4}.*\n)+)", recipe, re.MULTILINE)
    files = {line.split()[0] for section in sections for line in section.splitlines()}
    files |= set(re.findall(r"^(?:ADD|COPY) (\w\S*)", recipe, re.MULTILINE))
    assert ARCHIVE in files
    assert all((FOLDER / name).is_file() for name in files - {ARCHIVE})
    assert f"--prefix=rootzone/ --output=containers/{ARCHIVE} HEAD" in recipe
    inside = set(re.findall(r"/tmp/rootzone/([\w./]+)", recipe))
    assert inside == {"containers/install.sh"}
    assert all((ROOT / name).is_file() for name in inside)


def test_the_steps_install_extras_and_pinned_packages_that_there_are() -> None:
    (arguments, more) = re.search(r"requirements\.py (.*); echo (\w+);", STEPS).groups()
    extras = re.findall(r"--extra (\w+)", arguments)
    assert {"surrogate", "mpi", "zarr"} == set(extras)
    assert requirements(extras)
    pinned = [line.split("==")[0] for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()]
    assert {more, "torch", "mpi4py"} <= set(pinned)
    assert STEPS.count("--constraint constraints.txt") == STEPS.count("-m pip install")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize("arguments", [[], ["build"], ["build", "/no/such/folder"], ["run", "more"]])
def test_wrong_arguments_end_the_steps_before_anything_is_installed(arguments: list[str], tmp_path: Path) -> None:
    only_here = {"PATH": str(tmp_path)}  # without apt-get, whose absence would be exit code 127
    steps = subprocess.run(["/bin/sh", str(FOLDER / "install.sh"), *arguments], env=only_here, check=False)
    assert steps.returncode == 2
