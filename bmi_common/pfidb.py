"""ParFlow's run database (``.pfidb``) and its numbers, read as ParFlow itself reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bmi_common.errors import ConfigError

# C's scanf (%lf, %d) takes the leading part of a text that is a number, and never sees the rest
_NUMBER: Final = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)
_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)


def leading_number(text: str, whole: bool = False) -> str | None:
    """Return the part of a value that ParFlow reads as a number, or as a whole one; None if there is none.

    ``1.0d0`` and ``1.0d3`` are 1.0, ``.5`` is one half; as whole numbers ``10.0`` is 10 and ``1e3`` is 1.
    """
    text = text.strip()
    match = (_INTEGER if whole else _NUMBER).match(text)
    if match is None or text[match.end() :][:1] in ("x", "X"):  # a hexadecimal number is no decimal zero
        return None
    return match[0]


def read_pfidb(path: Path) -> dict[str, str]:
    """Read the values of a run by key, as they are written.

    The file holds the number of keys, and then each key and each value under a line with its length. The lengths count:
    a value may have several lines, blanks at its end, or nothing.

    Raises
    ------
    ConfigError
        If the file cannot be read, is damaged, ends early, or holds a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable pfidb file: {error}") from error
    reader = _Reader(path, text)
    announced = reader.count("the number of keys")
    values: dict[str, str] = {}
    for done in range(announced):
        if reader.at_end:
            raise ConfigError(f"{path}: not a whole pfidb file: it announces {announced} keys and has {done}")
        key = reader.word("a key")
        if key in values:
            raise ConfigError(f"{path}:{reader.line - 1}: {key}: this key is there twice")
        values[key] = reader.word(f"the value of {key}")
    if not reader.at_end:
        raise ConfigError(f"{path}:{reader.line}: not a whole pfidb file: it announces {announced} keys and has more")
    return values


class _Reader:
    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        self._at = 0

    @property
    def line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

    @property
    def at_end(self) -> bool:
        return not self._text[self._at :].strip()

    def count(self, what: str) -> int:
        """Read a line with a number."""
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        found = self._text[self._at : end].strip()
        if not (found.isascii() and found.isdigit()) or len(found) > 9:
            raise self._error(f"expected {what}, got {found[:40]!r}")
        self._at = end + 1
        return int(found)

    def word(self, what: str) -> str:
        """Read the length of a text, and the text."""
        length = self.count(f"the length of {what}")
        end = self._at + length
        if end > len(self._text) or self._text[end : end + 1] not in ("", "\n"):
            raise self._error(f"{what} does not have the {length} characters that the line above announces")
        found = self._text[self._at : end]
        self._at = end + 1
        return found

    def _error(self, message: str) -> ConfigError:
        return ConfigError(f"{self._path}:{self.line}: not a readable pfidb file: {message}")
