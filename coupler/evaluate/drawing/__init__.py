"""The figures of the report, each with its caption."""

from coupler.evaluate.drawing.all import Drawn, draw_all

__all__ = ["Drawn", "draw_all"]
