"""Domain-wide statistics of every hour, collected in the pass over the files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain, grids
from coupler.evaluate.density import Density, LogBins
from coupler.evaluate.judged import JUDGED
from coupler.evaluate.names import LATENT_HEAT, WATER_TABLE
from coupler.evaluate.predictions import Quantities
from coupler.evaluate.scratch import Scratch

Array = NDArray[np.float64]

PROBABILITIES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Quantiles over the columns."""

REFERENCE = "reference"

REGIMES: Mapping[str, tuple[float, float]] = {
    "shallow": (0.0, 1.0),
    "intermediate": (1.0, 10.0),
    "deep": (10.0, np.inf),
}
"""Regimes of the reference's water table depth [m], from the first to below the second: 1 m and 10 m are critical."""

ACTIVE_FLUX = 10.0
"""Latent heat of the reference [W m-2] from which on flux errors count: at night there is no flux to be wrong."""

_DEPTH_BINS, _TABLE_BINS, _FLUX_BINS = LogBins(-2, 3), LogBins(-6, 2), LogBins(-5, 3)


class Survey:
    """Quantiles of errors, domain means, densities, and the series of all cells on disk.

    Parameters
    ----------
    hours : int
        Number of records.
    domain : Domain
        Grid, soil and active cells.
    run : str
        Name of the prediction that is evaluated.
    bound : str, optional
        Name of the bound.
    folder : Path, optional
        Where the series of cells are kept; without it there are none.

    Attributes
    ----------
    bands : dict
        Quantiles `PROBABILITIES` over the columns of the run's absolute error by variable: of `JUDGED`
        (hours, quantiles); ``soil_moisture_layers`` of the root zone and ``head_layers`` of all layers, bottom first,
        (hours, layers, quantiles).
    bound_median : dict
        Median absolute error of the bound by variable of `JUDGED`, (hours,).
    means : dict
        Mean over the columns by variable of `JUDGED` and source (reference, run, bound), (hours,).
    by_depth : Density
        The run's water table error [m] against the reference's water table depth [m].
    by_table_error : dict
        The run's latent heat error [W m-2] against its water table error [m] by regime of `REGIMES`.
    series : dict
        Series of all columns by variable of `JUDGED` and source.
    """

    def __init__(self, hours: int, domain: Domain, run: str, bound: str | None, folder: Path | None) -> None:
        self._domain, self._run, self._bound = domain, run, bound
        self.sources = (REFERENCE, run) if bound is None else (REFERENCE, run, bound)
        columns, quantiles = int(domain.mask.sum()), len(PROBABILITIES)
        self.bands = {key: np.empty((hours, quantiles)) for key in JUDGED}
        self.bands["soil_moisture_layers"] = np.empty((hours, grids.ROOT_ZONE_LAYERS, quantiles))
        self.bands["head_layers"] = np.empty((hours, domain.nz, quantiles))
        self.bound_median = {} if bound is None else {key: np.empty(hours) for key in JUDGED}
        self.means = {key: {source: np.empty(hours) for source in self.sources} for key in JUDGED}
        self.by_depth = Density(_DEPTH_BINS, _TABLE_BINS)
        self.by_table_error = {regime: Density(_TABLE_BINS, _FLUX_BINS) for regime in REGIMES}
        self.series: dict[str, dict[str, Scratch]] = {}
        if folder is not None:
            names = [f"{i}.f32" for i in range(len(self.sources))]
            self.series = {
                key: {s: Scratch(folder / f"{key}_{n}", columns) for s, n in zip(self.sources, names, strict=True)}
                for key in JUDGED
            }
        self._porosity = domain.porosity[-grids.ROOT_ZONE_LAYERS :, domain.mask]

    def observe(self, part: slice, truth: Quantities, simulated: Mapping[str, Quantities]) -> None:
        """Take some hours into account."""
        quantities = {REFERENCE: truth, **{name: simulated[name] for name in self.sources[1:]}}
        errors: dict[str, Array] = {}
        for key, variable in JUDGED.items():
            values = {source: variable.of(q, self._domain) for source, q in quantities.items()}
            for source, v in values.items():
                self.means[key][source][part] = v.mean(axis=1)
                if self.series:
                    self.series[key][source].append(v)
            errors[key] = np.abs(values[self._run] - values[REFERENCE])
            self.bands[key][part] = _quantiles(errors[key])
            if self._bound is not None:
                self.bound_median[key][part] = np.median(np.abs(values[self._bound] - values[REFERENCE]), axis=1)
        self._layers(part, truth, quantities[self._run])
        self._densities(truth, errors)

    def _layers(self, part: slice, truth: Quantities, run: Quantities) -> None:
        moisture = np.abs(run.saturation - truth.saturation) * self._porosity
        self.bands["soil_moisture_layers"][part] = _quantiles(moisture)
        if run.head is not None and truth.head is not None:
            self.bands["head_layers"][part] = _quantiles(np.abs(run.head - truth.head))

    def _densities(self, truth: Quantities, errors: Mapping[str, Array]) -> None:
        depth = truth.water_table
        self.by_depth.add(depth, errors[WATER_TABLE])
        active = truth.latent_heat >= ACTIVE_FLUX
        for regime, (low, high) in REGIMES.items():
            there = active & (depth >= low) & (depth < high)
            self.by_table_error[regime].add(errors[WATER_TABLE][there], errors[LATENT_HEAT][there])


def _quantiles(values: Array) -> Array:
    """Quantiles over the columns, put last."""
    return np.moveaxis(np.quantile(values, PROBABILITIES, axis=-1), 0, -1)
