"""Text in figures: what users call things is no formula."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rootzone.figure_text import show_as_written

pytestmark = pytest.mark.slow


def drawn(text: str, as_written: bool) -> np.ndarray:
    figure = Figure(figsize=(5.0, 4.0), layout="constrained")
    figure.suptitle(text)
    axes = figure.subplots()
    axes.plot([1.0, 2.0], [1.0e-5, 1.0e5], label=text)
    axes.set_yscale("log")
    axes.set_title(text, loc="left")
    axes.set_ylabel(text)
    axes.annotate(text, (1.5, 1.0))
    axes.legend()
    canvas = FigureCanvasAgg(show_as_written(figure) if as_written else figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


@pytest.mark.parametrize("name", ["run $2$", "$x^$", r"cost {$} a_b ^ $\frac$", "plain"])
def test_names_with_dollar_signs_are_shown_as_they_are_beside_ticks_that_are_formulas(name):
    escaped = name.replace("$", r"\$")  # matplotlib's own way to write a dollar sign
    np.testing.assert_array_equal(drawn(name, True), drawn(escaped, False))
