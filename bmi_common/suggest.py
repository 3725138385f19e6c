"""Suggestions for names that a user mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known word, or a list of what is known if none is near."""
    choices = [str(k) for k in known]
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    if choices and len(choices) <= 40:
        return "; known: " + ", ".join(choices)
    return ""
