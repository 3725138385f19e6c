"""``--set key=value``: values of the command line in the place of those of the run's file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bmi_common.config import Document, Position, dotted, parse_yaml
from bmi_common.errors import ConfigError

_PART = re.compile(r'"([^"]+)"|([^."\s]+)')
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_LONGEST = 100  # characters of a setting in messages


class _Value(Document):
    """The value of a setting, whose messages name the setting in the place of a file and a line."""

    def __init__(self, told: str, key: Position) -> None:
        super().__init__(Path(), None, {})
        self._told, self._key = told, key

    def error(self, position: Position, message: str, line: int | None = None) -> ConfigError:
        return ConfigError(message, key=dotted((*self._key, *position)), file=self._told)


def apply_setting(document: Document, setting: str, sections: Iterable[str]) -> None:
    """Put one ``key=value`` of the command line into the document's data.

    The value is YAML, read as in a file, and becomes all that the key holds: ``report={}`` empties a section, and a
    dotted key, ``report.reference=RUN``, changes one entry of it. A part of the key that has dots itself is written in
    double quotes.

    Parameters
    ----------
    document : Document
        Of ``coupled.yaml``.
    setting : str
        ``key=value``.
    sections : iterable of str
        Keys at the top of such a file, which go before names of components.

    Raises
    ------
    ConfigError
        Naming the setting.
    """
    told = f"--set {setting if len(setting) <= _LONGEST else f'{setting[:_LONGEST]}…'}"
    key, equals, text = setting.partition("=")
    parts = _parts(key.strip())
    if not equals or not parts:
        raise ConfigError("must be written as key=value", file=told)
    paths, components = (v if isinstance(v := document.data.get(k), dict) else {} for k in ("paths", "components"))
    if len(parts) == 1 and parts[0] in paths:
        parts = ["paths", *parts]
    elif parts[0] in components and parts[0] not in sections:
        parts = ["components", *parts]
    value = _Value(told, tuple(parts))
    parse_yaml(text, value)
    names_file = parts[0] == "components" and len(parts) == 3 and parts[2] == "config"
    if (parts[0] == "paths" and len(parts) == 2) or names_file:
        value.data = _path(value, value.data, text.strip())
    elif parts == ["paths"] and isinstance(value.data, dict):
        value.data = {name: _path(value, folder, str(folder)) for name, folder in value.data.items()}
    at = _position(document, parts, told)
    document.put(at, value.data, told)
    _replace_section(document, at, told)


def _parts(key: str) -> list[str]:
    """Return the parts of a dotted key; none if it cannot be divided."""
    found: list[str] = []
    end = 0
    for match in _PART.finditer(key):
        if key[end : match.start()] != ("." if found else ""):
            return []
        found.append(match[1] or match[2])
        end = match.end()
    return found if end == len(key) else []


def _path(value: _Value, given: Any, text: str) -> str:
    # what a user types is relative to where they are
    name = given if isinstance(given, str) else text
    if not name or isinstance(given, list | dict):
        raise value.error((), f"expected the name of a file or folder, got {text or 'nothing'}")
    try:
        return str(Path(name).expanduser().resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise value.error((), f"is no name of a file: {error}") from None


def _position(document: Document, parts: list[str], told: str) -> Position:
    """Return where `parts` lead; missing sections on the way are made."""
    target: Any = document.data
    at: Position = ()
    for i, part in enumerate(parts):
        if isinstance(target, list):
            key: Any = _index(target, part, told)
        elif isinstance(target, dict):
            # class numbers are integers in a file
            key = next((k for k in target if str(k) == part), int(part) if _NUMBER.fullmatch(part) else part)
        else:
            raise ConfigError(f"{'.'.join(parts[:i])} has no keys below it", file=told)
        at = (*at, key)
        if i == len(parts) - 1:
            break
        if isinstance(target, dict) and target.get(key) is None:
            if at == ("components", key):  # elsewhere the validation finds a key that does not exist
                near = difflib.get_close_matches(part, map(str, target), n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(map(str, target))}"
                raise ConfigError(f"no key {f'components.{part}'!r}; {hint}", file=told)
            target[key] = {}
        target = target[key]
    return at


def _index(target: list[Any], part: str, told: str) -> int:
    if not _NUMBER.fullmatch(part) or int(part) >= len(target):
        raise ConfigError(f"{part!r} is no entry of a list of {len(target)} (the first is 0)", file=told)
    return int(part)


def _replace_section(document: Document, at: Position, told: str) -> None:
    """Let a whole section that was set below `options` of a component replace that of the component's file."""
    if "options" not in at[:-1]:
        return
    below = at.index("options")
    entry: Any = document.data
    for key in at[:below]:
        entry = entry[key]
    section: Any = entry["options"]
    for key in at[below + 1 :]:
        section = section[key]
    if not isinstance(section, dict):
        return
    replaced = entry.setdefault("replace", [])
    name = dotted(at[below + 1 :])
    if isinstance(replaced, list) and name not in replaced:
        replaced.append(name)
        document.origins[*at[:below], "replace"] = told
