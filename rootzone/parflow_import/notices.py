"""What an import says: what became of what, differences, and keys that it refuses or was told to leave out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bmi_common.errors import ConfigError
from bmi_common.suggest import did_you_mean
from rootzone.parflow_import.definition import Definition

_QUANTITY: Final = re.compile(r"[a-z_]{6,}")
_FILES: Final = {"domain", "groundwater", "coupled", "initial"}


@dataclass
class Notes:
    """Collected while a definition is mapped.

    Attributes
    ----------
    ignore : sequence of str
        Keys that the user has named to be left out.
    mapped : list of (str, str)
        Keys or files of ParFlow, and what they became.
    notices : list of str
        Where the imported run differs from ParFlow's.
    passed_over : list of str
        Numerical and output keys.
    unread : list of str
        Keys that ParFlow does not have.
    """

    ignore: Sequence[str] = ()
    mapped: list[tuple[str, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    _refused: dict[str, str] = field(default_factory=dict)

    def map(self, source: str, target: str) -> None:
        """Record what became of a key or file."""
        self.mapped.append((source, target))

    def origin(self, message: str) -> str | None:
        """Find the keys or file of ParFlow from which comes what a message about the imported run speaks of."""
        spoken = set(_QUANTITY.findall(message)) - _FILES
        for source, target in self.mapped:
            if spoken & set(_QUANTITY.findall(target)):
                return source
        return None

    def notice(self, text: str) -> None:
        """Record a difference, once."""
        if text not in self.notices:
            self.notices.append(text)

    def refuse(self, key: str, reason: str) -> None:
        """Record a key that means something this package does not have."""
        self._refused.setdefault(key, reason)

    @property
    def ignored(self) -> list[tuple[str, str]]:
        """Refused keys that the user has named, and what they would have meant."""
        return [(key, reason) for key, reason in self._refused.items() if key in self.ignore]

    def check(self, definition: Definition) -> None:
        """Raise `ConfigError` with every refused key that is not ignored, or for an ignored key that is not refused."""
        left = {key: reason for key, reason in self._refused.items() if key not in self.ignore}
        if left:
            lines = [str(definition.error(key, reason)) for key, reason in left.items()]
            options = " ".join(f"--ignore {key}" for key in left)
            raise ConfigError("\n".join([*lines, f"to import the run without what these keys mean: {options}"]))
        for key in self.ignore:
            if key not in self._refused:
                has = "is understood or has no effect" if key in definition else "is not in the definition"
                hint = did_you_mean(key, self._refused) if self._refused else "; nothing is refused"
                raise ConfigError(f"--ignore {key}: {definition.path}: the key {has} and cannot be left out{hint}")
