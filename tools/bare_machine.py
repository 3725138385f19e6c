"""Try the set-up as on a bare machine: a throw-away clone, an empty home, no cache, every Python found.

``python tools/bare_machine.py`` builds the wheel, installs it into a fresh environment without PyTorch and runs a case
from `bmi-init`; with ``--way make`` it runs ``make demo``. It prints a table and exits with 1 if a try has failed. What
is committed is tried. Compilers are needed, or root and apt.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# how the machine reaches its package index; nothing else of the caller's environment is for a stranger
_KEPT = ("PIP_", "SSL_", "REQUESTS_", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Command:
    """A command of a try, and the folder that it runs in."""

    arguments: tuple[str | Path, ...]
    folder: Path


def environment(home: Path, python: Path) -> dict[str, str]:
    """Return the environment of a stranger: an empty home and no cache; the package index is the machine's."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    home.mkdir(parents=True, exist_ok=True)
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PIP_NO_CACHE_DIR": "1", "LANG": "C.UTF-8"}
    return {**kept, **own, "PATH": f"{python.parent}:{SYSTEM_PATH}"}


def wheel_commands(
    python: Path, checkout: Path, folder: Path, settings: tuple[str, ...] = (), build: tuple[str, ...] = ()
) -> Iterator[Command]:
    """Give what makes a wheel, installs it into ``folder/env`` and runs its demo into ``folder/demo/physics``.

    Parameters
    ----------
    python : Path
        Interpreter for the environment.
    checkout : Path
        The source.
    folder : Path
        Where everything goes, outside the checkout.
    settings : tuple of str
        More arguments of `bmi-run`.
    build : tuple of str
        More arguments of `pip wheel`.
    """
    programs = folder / "env" / "bin"
    yield Command((python, "-m", "venv", folder / "env"), folder)
    yield Command((programs / "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, *build, checkout), folder)
    [wheel] = folder.glob("*.whl")
    yield Command((programs / "pip", "install", "--quiet", wheel), folder)
    yield Command((programs / "bmi-init", "demo"), folder)
    run = programs / "bmi-run"
    yield Command((run, "cfg/coupled-richards.yaml", "--output", "physics", *settings), folder / "demo")


def _make_commands(python: Path, checkout: Path, folder: Path) -> Iterator[Command]:
    del folder
    yield Command(("make", "demo", f"PYTHON={python}"), checkout)


def interpreters() -> list[Path]:
    """Find one Python of each of `VERSIONS`: on the path, or among those of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for version in VERSIONS:
        on_path = shutil.which(f"python{version}")
        candidates = [*([Path(on_path)] if on_path else []), *sorted(pyenv.glob(f"{version}.*/bin/python{version}"))]
        found += [path for path in candidates if _works(path)][:1]
    return found


def _works(python: Path) -> bool:
    with tempfile.TemporaryDirectory() as home:  # a shim may lead nowhere, or elsewhere once the home is another
        given = environment(Path(home), python)
        return (
            subprocess.run([python, "-c", "import venv"], env=given, capture_output=True, check=False).returncode == 0
        )


def attempt(commands: Iterator[Command], given: Mapping[str, str]) -> str:
    """Run commands until one fails; return what has become of them."""
    for command in commands:
        done = subprocess.run(
            command.arguments, cwd=command.folder, env=given, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            print(done.stdout[-2000:], done.stderr[-4000:], sep="\n", file=sys.stderr)
            return f"{' '.join(map(str, command.arguments[:3]))}: exit code {done.returncode}"
    return "passed"


def main() -> None:
    """Try each interpreter and print the table."""
    parser = argparse.ArgumentParser(description="Try the set-up as on a bare machine.")
    parser.add_argument("pythons", nargs="*", type=Path, metavar="PYTHON", help="instead of all that are found")
    parser.add_argument("--way", choices=["wheel", "make"], default="wheel", help="what to try (default: wheel)")
    arguments = parser.parse_args()
    outcomes = []
    for python in arguments.pythons or interpreters():
        with tempfile.TemporaryDirectory(prefix="rootzone-bare-") as name:
            folder = Path(name)
            checkout = folder / "rootzone"
            subprocess.run(["git", "clone", "--quiet", CHECKOUT, checkout], check=True)
            steps = wheel_commands if arguments.way == "wheel" else _make_commands
            began = time.monotonic()
            outcome = attempt(steps(python, checkout, folder), environment(folder / "home", python))
            outcomes.append(outcome)
            print(f"{python!s:55s} {arguments.way:6s} {time.monotonic() - began:6.0f} s  {outcome}", flush=True)
    sys.exit(0 if outcomes and set(outcomes) == {"passed"} else 1)


if __name__ == "__main__":
    main()
