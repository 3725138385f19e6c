"""What an import says: what became of what, differences, and keys that it refuses or was told to leave out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bmi_common.errors import ConfigError, together
from bmi_common.suggest import did_you_mean
from rootzone.parflow_import.definition import Definition


@dataclass
class Notes:
    """Collected while a definition is mapped.

    Attributes
    ----------
    ignore : sequence of str
        Keys that the user has named to be left out.
    mapped : list of (str, str)
        Keys or files of ParFlow, and what they became.
    origins : dict of str
        What a key of the imported run was made of, by file and key (``domain.yaml: slope.x``).
    notices : list of str
        Where the imported run differs from ParFlow's.
    passed_over : list of str
        Numerical and output keys.
    unread : list of str
        Keys that ParFlow does not have.
    """

    ignore: Sequence[str] = ()
    mapped: list[tuple[str, str]] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    _refused: dict[str, str] = field(default_factory=dict)

    def map(self, source: str, file: str, *keys: str, how: str = "") -> None:
        """Record the keys of one of our files that come from keys or a file of ParFlow, and `how`, for the reader."""
        self.mapped.append((source, f"{file}: {', '.join(keys)}{how}"))
        self.origins |= {f"{file}: {key}": source for key in keys}

    def origin(self, mistake: ConfigError) -> str | None:
        """Find what the key of the imported run that a mistake names, or the nearest key above it, was made of."""
        parts = mistake.key.split(".")
        file = "" if mistake.file is None else Path(mistake.file).name
        tried = (f"{file}: {'.'.join(parts[:n])}" for n in range(len(parts), 0, -1))
        return next((self.origins[place] for place in tried if place in self.origins), None)

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
            options = " ".join(f"--ignore {key}" for key in left)
            how = ConfigError(f"to import the run without what these keys mean: {options}")
            raise together([*(definition.error(key, reason) for key, reason in left.items()), how])
        for key in self.ignore:
            if key not in self._refused:
                has = "is understood or has no effect" if key in definition else "is not in the definition"
                hint = did_you_mean(key, self._refused) if self._refused else "; nothing is refused"
                raise ConfigError(f"--ignore {key}: {definition.path}: the key {has} and cannot be left out{hint}")
