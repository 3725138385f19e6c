"""Print what the project requires, one requirement a line, with that of the extras named; see ``--help``.

`make setup` installs it before the project. Standard library only: nothing is installed when it runs.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def requirements(extras: Iterable[str] = (), build: bool = False, project: Path = PROJECT) -> list[str]:
    """Return the requirements of a ``pyproject.toml``, each once.

    Parameters
    ----------
    extras : iterable of str
        Extras whose requirements are wanted, too; an extra may name others of the same project.
    build : bool
        Whether those of the build are wanted, too.
    project : Path
        The file.
    """
    content = tomllib.loads(project.read_text(encoding="utf-8"))
    table = content["project"]
    wanted = [*content["build-system"]["requires"]] if build else []
    wanted += table.get("dependencies", [])
    for extra in extras:
        wanted += _of_extra(extra, table)
    return [*dict.fromkeys(wanted)]


def _of_extra(extra: str, table: dict[str, Any]) -> Iterator[str]:
    for requirement in table["optional-dependencies"][extra]:
        own = re.fullmatch(rf"{re.escape(table['name'])}\[(.*)\]", requirement)
        if own is None:
            yield requirement
        else:
            for name in own[1].split(","):
                yield from _of_extra(name.strip(), table)


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description="Print what the project requires, one requirement a line.")
    parser.add_argument("--extra", action="append", default=[], help="with that of this extra; repeatable")
    parser.add_argument("--build", action="store_true", help="with what the build requires")
    arguments = parser.parse_args()
    print("\n".join(requirements(arguments.extra, arguments.build)))


if __name__ == "__main__":
    main()
