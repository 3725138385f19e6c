"""Import every ParFlow definition below some folders, step each for an hour, and count the outcomes by reason.

    python tools/parflow_definitions.py FOLDER... [--only TEXT] [--write-scripts] [--list]

Definitions are the ``.pfidb`` and ``.yaml`` files of runs; of two files of one name in a folder the ``.pfidb`` counts.
ParFlow's own tests are scripts, which write a definition where they start ParFlow; with ``--write-scripts`` each script
of pftools (``.py``) is run first with that start replaced. Scripts in Tcl need ``pfwritedb`` in the place of ``pfrun``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import runpy
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from bmi_common.errors import ConfigError, RootzoneError
from coupler.config import load_run
from coupler.preparation import prepare
from coupler.stepper import Stepper
from rootzone.parflow_import import import_run
from rootzone.parflow_import.definition import Definition, read_definition

SECONDS: Final = 600.0
"""Time for the import and the hour of one definition."""


class Outcome(NamedTuple):
    """What became of a definition: a word or two, and the message in full."""

    reason: str
    message: str = ""


def definitions(folder: Path) -> Iterator[Path]:
    """Find the run definitions below a folder, one of those that differ by their ending only."""
    seen = set()
    for suffix in ("pfidb", "yaml", "yml"):
        for path in sorted(folder.rglob(f"*.{suffix}")):
            if path.with_suffix("") not in seen and _is_run(path):
                seen.add(path.with_suffix(""))
                yield path


def _is_run(path: Path) -> bool:
    try:
        definition = read_definition(path)
    except RootzoneError:
        return path.suffix == ".pfidb"
    return "ComputationalGrid.NX" in definition


def out_of_scope(definition: Definition) -> str | None:
    """Say why a definition is no run of Richards' equation with constant or given fields and the kinematic wave."""
    if definition.text("Solver", "Impes") != "Richards":
        return "another solver than Richards"
    values = {key: definition.text(key) for key in definition.keys}
    if any(key.endswith("Perm.Type") and value in ("TurnBands", "ParGauss") for key, value in values.items()):
        return "random permeability (turning bands)"
    if "OverlandDiffusive" in values.values() or values.get("OverlandFlowDiffusive", "0") not in ("0", "False"):
        return "the diffusive wave"
    return None


def outcome(path: Path) -> Outcome:
    """Import a definition and make its first hour, in a process of its own."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_try, args=(path, sender))
    process.start()
    result = receiver.recv() if receiver.poll(SECONDS) else Outcome("takes too long")
    process.kill()
    process.join()
    return result


def _try(path: Path, sender: multiprocessing.connection.Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        sender.send(_import_and_step(path))
    except Exception as error:  # whatever it is belongs into the table
        sender.send(Outcome(f"{type(error).__name__}: a fault of the import", str(error)))


def _import_and_step(path: Path) -> Outcome:
    scope = out_of_scope(read_definition(path))
    if scope is not None:
        return Outcome(f"out of scope: {scope}")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            imported = import_run(path, Path(scratch) / "run")
        except ConfigError as error:
            if "no such file" in str(error):
                return Outcome("out of scope: its files are not there", str(error))
            if "finite" in str(error):
                return Outcome("out of scope: its files hold no numbers", str(error))
            return Outcome(f"not imported: {_key(error)}", str(error))
        try:
            prepared = prepare(load_run(imported.run), Path(scratch))
            stepper = Stepper(prepared)
            steps = min(prepared.loaded.config.time.steps, round(timedelta(hours=1) / prepared.loaded.config.time.step))
            for _ in range(max(1, steps)):
                stepper.step()
        except RootzoneError as error:
            return Outcome("imported, the first hour fails", str(error))
    return Outcome("imported and stepped")


def _key(error: ConfigError) -> str:
    """Return the key that an error names first, without the names of this run in it."""
    key = next((m.key for m in error.mistakes if m.key), "a file beside it")
    return re.sub(r"^(Geom|Patch|GeomInput|Wells|Phase)\.[^.]+\.", r"\1.*.", key)


def write_definitions(folder: Path) -> None:
    """Run the scripts of pftools below a folder; each writes the definition of its first run and ends."""
    for script in sorted(folder.rglob("*.py")):
        if "parflow" in script.read_text(encoding="utf-8", errors="replace"):
            command = [sys.executable, __file__, "--script", str(script)]
            subprocess.run(command, cwd=script.parent, capture_output=True, timeout=SECONDS, check=False)


def _run_script(script: Path) -> None:
    from parflow import Run
    from parflow.tools import settings

    def write(run: Run, working_directory: str | None = None, **_: object) -> None:
        if working_directory:
            settings.set_working_directory(working_directory)
        run.write(str(Path(settings.WORKING_DIRECTORY) / script.stem), file_format="pfidb")
        sys.exit()

    Run.run = write
    sys.argv = [str(script)]
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--only", default="", help="part of a path")
    parser.add_argument("--write-scripts", action="store_true", help="run scripts of pftools for their definitions")
    parser.add_argument("--list", action="store_true", help="one line for each definition, with its message")
    parser.add_argument("--script", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.script is not None:
        _run_script(arguments.script.resolve())
        return
    counts: Counter[str] = Counter()
    for folder in arguments.folders:
        if arguments.write_scripts:
            write_definitions(folder.resolve())
        for path in definitions(folder.resolve()):
            if arguments.only not in str(path):
                continue
            found = outcome(path)
            counts[found.reason] += 1
            if arguments.list:
                print(f"{path.relative_to(folder.resolve())}: {found.reason} | {found.message[:600]}", flush=True)
    total = counts.total()
    wanted = total - sum(n for reason, n in counts.items() if reason.startswith("out of scope"))
    print("| outcome | definitions |\n|---|---|")
    for reason, count in counts.most_common():
        print(f"| {reason} | {count} |")
    print(f"| **of {total}, in scope** | **{counts['imported and stepped']} of {wanted}** |")


if __name__ == "__main__":
    main()
