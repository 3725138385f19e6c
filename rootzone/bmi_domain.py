"""Command line: ``bmi-domain``. Imports nothing that takes long, so that ``--help`` is quick."""

from __future__ import annotations

from pathlib import Path

import click

from rootzone.command_line import EXIT_BAD_INPUT, Command, examples, fail, output_option, quiet_option
from rootzone.path_option import PATH

EXIT_FAILED = 1


_EXAMPLES = examples("bmi-domain basin.yaml --check", "bmi-domain basin.yaml -o basin")


@click.command("bmi-domain", cls=Command, epilog=_EXAMPLES)
@click.argument("file", type=PATH, metavar="BASIN.YAML")
@output_option("Folder of the basin [default: named after the file].")
@click.option("--overwrite", is_flag=True, help="Replace the basin that the folder holds.")
@click.option("--check", is_flag=True, help="Read all maps and tell about the basin; write nothing.")
@quiet_option
@click.version_option(package_name="rootzone")
def main(file: Path, output: Path | None, overwrite: bool, check: bool, quiet: bool) -> None:
    """Build the basin of BASIN.YAML from maps: domain, land, groundwater, the runs and a report with maps.

    Needs the extra `domain`: pip install 'rootzone[domain]'.

    Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted (nothing was written).
    """
    from bmi_common.errors import ConfigError
    from rootzone.domain_builder.build import build

    try:
        if check and (output is not None or overwrite):
            raise ConfigError("--check writes nothing; leave out --output and --overwrite")
        target = None if check else output or Path(file.stem)
        built = build(file, target, overwrite)
    except ConfigError as error:
        fail("bmi-domain", str(error), EXIT_BAD_INPUT)
    except (OSError, MemoryError) as error:
        fail("bmi-domain", f"cannot read or write: {error}", EXIT_FAILED)
    if quiet:
        return
    for finding in built.findings:
        click.echo(click.style(f"  {finding}", fg="yellow" if finding.doubtful else None))
    if target is not None:
        click.echo(f"\n{target}: ready; {target / 'report.html'} has the maps.")
        if built.commands:
            click.echo("Next:\n" + "\n".join(f"  {command}" for command in built.commands))
