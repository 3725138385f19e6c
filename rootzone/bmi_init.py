"""Command line: ``bmi-init``."""

from __future__ import annotations

import shlex
from importlib.util import find_spec
from pathlib import Path

import click

from rootzone.cases import CASES, Case, Step, put
from rootzone.command_line import EXIT_BAD_INPUT, Command, examples, fail, quiet_option
from rootzone.path_option import PATH

_NAME = "bmi-init"
EXIT_FAILED = 1


_EXAMPLES = examples("bmi-init", "bmi-init demo", "bmi-init demo my-demo -q")


@click.command(_NAME, cls=Command, epilog=_EXAMPLES)
@click.argument("case", required=False)
@click.argument("folder", type=PATH, required=False)
@quiet_option
@click.version_option(package_name="rootzone")
def main(case: str | None, folder: Path | None, quiet: bool) -> None:
    """Put a ready CASE into FOLDER, and say how to go on; FOLDER is named after the case if it is not given.

    Without arguments: list the cases. Nothing is overwritten or deleted.

    Exit codes: 0 done, 1 the folder cannot be written, 2 bad input, 130 interrupted (nothing was written).
    """
    if case is None:
        click.echo(_listed())
        return
    if case not in CASES:
        fail(_NAME, f"there is no case {case!r}; there are: {', '.join(CASES)}", EXIT_BAD_INPUT)
    target = folder or Path(case)
    try:
        size = put(CASES[case], target)
    except FileExistsError as error:
        fail(_NAME, f"{error}; name a new folder: bmi-init {case} FOLDER", EXIT_BAD_INPUT)
    except OSError as error:
        fail(_NAME, f"cannot write {error.filename or target}: {error.strerror or error}", EXIT_FAILED)
    if not quiet:
        click.echo(f"{target}: {CASES[case].title} ({size / 1e6:.1f} MB)\n\n{_next(CASES[case], target)}")


def _listed() -> str:
    lines = ["Ready cases, for: bmi-init CASE [FOLDER]", ""]
    lines += [f"  {name:12s} {case.title}" for name, case in CASES.items()]
    return "\n".join(lines)


def _next(case: Case, folder: Path) -> str:
    for_all = [step for step in case.steps if not step.surrogate]
    for_surrogates = [step for step in case.steps if step.surrogate]
    lines = ["Next:", f"  cd {shlex.quote(str(folder))}", *_lines(for_all)]
    if for_surrogates:
        how = "" if find_spec("torch") else ", which is not installed: pip install 'rootzone[surrogate]'"
        lines += ["", f"With PyTorch{how}:", *_lines(for_surrogates)]
    return "\n".join(lines)


def _lines(steps: list[Step]) -> list[str]:
    width = max(len(step.command) for step in steps)
    return [f"  {step.command:{width}s}   # {step.what}" for step in steps]
