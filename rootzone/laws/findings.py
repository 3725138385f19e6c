"""What a law says of a pair of land and groundwater."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """How a law ended."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Finding:
    """The answer to one law.

    Attributes
    ----------
    law : str
        Its name.
    status : Status
    measured, limit : float
        What was measured, and the most that it may be [-]; NaN where nothing was.
    words : str
        What was measured, or why nothing was.
    """

    law: str
    status: Status
    measured: float
    limit: float
    words: str

    @property
    def is_broken(self) -> bool:
        """Whether the law is broken."""
        return self.status is Status.BROKEN

    @classmethod
    def judged(cls, law: str, measured: float, limit: float, words: str) -> Finding:
        """Return a law that is kept if what was measured is a number not above its limit."""
        return cls(law, Status.KEPT if measured <= limit else Status.BROKEN, measured, limit, words)

    @classmethod
    def not_applicable(cls, law: str, why: str) -> Finding:
        """Return a law that a component cannot answer."""
        return cls(law, Status.NOT_APPLICABLE, math.nan, math.nan, why)

    @classmethod
    def failed(cls, law: str, why: str) -> Finding:
        """Return a law whose experiment came to no end."""
        return cls(law, Status.BROKEN, math.nan, math.nan, why)
