"""Write the page of the commands, docs/cli.md, from what the commands say of themselves."""

from __future__ import annotations

import importlib
import inspect
import tomllib
from pathlib import Path

import click
import page

PROJECT = Path(__file__).parents[1] / "pyproject.toml"

INTRODUCTION = """# Commands

What `--help` says. Messages go to standard error, an error after the name of its command; results go to standard output
and into the output folder. `-q` leaves the errors.

The Tab key completes options and files after one line in `~/.bashrc`, the same for the other commands:

```bash
eval "$(_BMI_RUN_COMPLETE=bash_source bmi-run)"
```

For zsh it is `zsh_source` in `~/.zshrc`, for fish `_BMI_RUN_COMPLETE=fish_source bmi-run | source` in
`~/.config/fish/config.fish`.
"""


def commands() -> dict[str, click.Command]:
    """Return the click commands that the package installs, by name."""
    scripts = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["scripts"]
    found = {}
    for name, place in scripts.items():
        module, _, function = place.partition(":")
        command = getattr(importlib.import_module(module), function)
        if isinstance(command, click.Command):
            found[name] = command
    return found


def text() -> str:
    """Return the page."""
    return "\n".join([INTRODUCTION, *(_section(name, command) for name, command in commands().items())])


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    rows = []
    for parameter in command.get_params(context):
        if not isinstance(parameter, click.Option):
            continue
        record = parameter.get_help_record(context)
        if record is not None:
            written, meaning = record
            rows.append((f"`{written}`", " ".join(meaning.split())))
    parts = [f"## {name}", f"```text\n{usage}\n```", inspect.cleandoc(command.help or "")]
    shown = [line.strip() for line in (command.epilog or "").splitlines()[2:]]
    examples = "```bash\n" + "\n".join(shown) + "\n```"
    return "\n\n".join([*parts, page.table(("option", "meaning"), rows), examples]) + "\n"


if __name__ == "__main__":
    page.write("cli.md", "cli_options.py", text())
