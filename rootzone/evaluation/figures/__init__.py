"""The figures of the report, each with its caption."""

from rootzone.evaluation.figures.all import DISCHARGE, ERROR_CONTROL, Drawn, draw_all, draw_baselines

__all__ = ["DISCHARGE", "ERROR_CONTROL", "Drawn", "draw_all", "draw_baselines"]
