"""The figures of the report, each with its caption."""

from coupler.evaluate.drawing.all import ERROR_CONTROL, Drawn, draw_all

__all__ = ["ERROR_CONTROL", "Drawn", "draw_all"]
