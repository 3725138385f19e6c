"""Command line: ``bmi-laws``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from coupler.warning_log import keeping_warnings
from rootzone.command_line import EXIT_BAD_INPUT, EXIT_INTERRUPTED, Command, examples, fail, output_option, quiet_option
from rootzone.path_option import PATH

EXIT_BROKEN = 1


_EXAMPLES = examples(
    "bmi-laws --list", "bmi-laws coupled.yaml coupled-richards.yaml --record 90d --law storm --law closure -o laws"
)


@click.command("bmi-laws", cls=Command, epilog=_EXAMPLES)
@click.argument("files", type=PATH, nargs=-1, required=True, metavar="COUPLED.YAML...")
@click.option("--law", "laws", multiple=True, metavar="NAME", help="Put this law alone; repeatable.")
@click.option(
    "--list",
    "listing",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda *a: _list(*a),
    help="Say which laws there are, and stop.",
)
@click.option(
    "--record",
    default="365d",
    show_default=True,
    metavar="LENGTH",
    help="Weather of the run that experiments repeat and change, from its start on.",
)
@click.option(
    "--repeats",
    default=50,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Repetitions of it in which storage must neither leak nor drift.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace a value of each file; repeatable.")
@output_option("Folder for laws.json and laws.md.")
@click.option("--overwrite", is_flag=True, help="Put all laws anew, also those that the folder holds.")
@quiet_option
@click.version_option(package_name="rootzone")
@keeping_warnings
def main(
    files: tuple[Path, ...],
    laws: tuple[str, ...],
    record: str,
    repeats: int,
    settings: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Put the land and the groundwater of each COUPLED.YAML to laws that nature keeps.

    The run is made with its own weather, then with weather that is changed: without rain, with a storm more, warmer,
    of another year, with snow. No output file of the run is written. A law that a component cannot answer is "not
    applicable", never kept. The same command goes on where an earlier one was stopped.

    Exit codes: 0 no law is broken, 1 one is, or a run failed under its own weather, 2 bad input, 130 interrupted.
    """
    from bmi_common import terminal
    from bmi_common.errors import RootzoneError
    from coupler.errors import RunFailed
    from rootzone.laws.command import put
    from rootzone.laws.kept import JSON
    from rootzone.laws.report import screen_table

    console = terminal.console(stderr=True, quiet=quiet)
    try:
        found, written = put(files, settings, record, repeats, laws, output, overwrite, console)
    except RunFailed as error:
        fail("bmi-laws", str(error), EXIT_BROKEN)
    except RootzoneError as error:
        fail("bmi-laws", str(error), EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        kept = output is not None and (output / JSON).exists()
        stays = f"{output} holds the laws put so far; the same command goes on" if kept else "nothing was written"
        fail("bmi-laws", f"interrupted; {stays}", EXIT_INTERRUPTED)
    terminal.console(quiet=quiet).print(screen_table(found))
    for path in written:
        console.print(f"wrote {path}")
    if any(f.is_broken for of in found.values() for f in of):
        sys.exit(EXIT_BROKEN)


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from rootzone.laws.probing import LAWS

    for name, law in LAWS.items():
        click.echo(f"{name:20s} {(law.__doc__ or '').strip().splitlines()[0]}")
    context.exit()


if __name__ == "__main__":
    main()
