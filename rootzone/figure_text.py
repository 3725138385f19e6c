"""Text in figures."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.text import Text


def show_as_written(figure: Figure) -> Figure:
    """Show names of the user's as they are, dollar signs too: matplotlib would set what is between two as a formula.

    Only the ticks stay as they are; those of logarithmic axes are formulas.
    """
    ticks: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            ticks.update(id(text) for text in axis.findobj(Text) if text is not axis.label)
    for text in figure.findobj(Text):
        if isinstance(text, Text) and id(text) not in ticks:
            text.set_parse_math(False)
    return figure
