"""What is learned at 1 km from the truth at 100 m, by an ensemble smoother; `coarse_grid.py` has the commands.

All members of an ensemble are copies of the basin in one domain, and run without a land: day by day under the net
source that the land gave the truth, after three years of the steady recharge of the spin-up. So a year of two dozen
members takes a minute. Every kind of learning sees the same truth, and makes as many runs:

- `calibrated`: factors of the lateral and the vertical conductivity and of the slopes, the same in all cells;
- `constants`: the parameters of streams within cells, the same in all cells;
- `terrain`: those parameters from the terrain within each cell, by a network without inner layers, which begins with
  the constants.

How fast streams are, and how late storms reach them, is learned anew from hours, when what was learned of the days has
run coupled to a land.

The smoother is ES-MDA (Emerick and Reynolds 2013, Comput. Geosci. 55, 3-15) of iterative_ensemble_smoother, which the
extra `learning` brings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
import yaml
from numpy.typing import NDArray
from scipy.optimize import minimize

from bmi_common import Domain
from bmi_common.groundwater import DISCHARGE, LAYER_THICKNESS, NET_SOURCE, WATER_TABLE_DEPTH
from bmi_common.subgrid.parameters import FEATURES, MOST, PARAMETERS, SubgridParameters, SubgridWeights, features
from bmi_common.subgrid.streams import Routes, overland_flow
from bmi_common.subgrid.terrain import TerrainStatistics
from bmi_richards import BmiRichards
from rootzone.evaluation.metrics import metrics

Floats = NDArray[np.float64]

SEED = 20201201
SPIN_UP = 3 * 365  # days
SCALED = {"lateral": ["conductivity"], "vertical": ["vertical_conductivity"], "slope": ["slope_x", "slope_y"]}
"""Variables of domain.nc that calibration multiplies."""
SPREAD_OF_FACTORS = {"lateral": 1.5, "vertical": 1.0, "slope": 1.0}
"""Prior standard deviation of the logarithm of a factor."""
SPREAD_OF_PARAMETERS = {
    "drainage": 0.7,
    "mound": 0.4,
    "fall": 0.3,
    "riparian_depth": 0.7,
    "lateral": 0.7,
    "vertical": 0.7,
    "velocity": 1.0,
    "memory": 0.7,
    "delay": 0.7,
}
KNOWN = 0.3
"""Share of it that is left where the parameter has been learned as a constant."""
SPREAD_OF_WEIGHTS = 0.2
"""Of those of a feature, whose own spread is 1."""
OF_HOURS = ("velocity", "delay")
"""Parameters that hours say more of than days."""


@dataclass(frozen=True)
class Learning:
    """What is learned, from a vector of numbers that is 0 where nothing has been.

    Attributes
    ----------
    kind : str
        `calibrated`, `constants` or `terrain`.
    terrain : TerrainStatistics
        Of the cells.
    centre : ndarray, shape (numbers,)
        The numbers that it begins with.
    """

    kind: str
    terrain: TerrainStatistics
    centre: Floats

    @classmethod
    def of(cls, kind: str, terrain: TerrainStatistics, constants: Floats | None = None) -> Learning:
        """Begin with what nothing has been learned of, or with the numbers of `constants`."""
        network = len(PARAMETERS) * (1 + len(FEATURES))
        size = {"calibrated": len(SCALED), "constants": len(PARAMETERS)}.get(kind, network)
        centre = np.zeros(size)
        if constants is not None:
            centre[: constants.size] = constants
        return cls(kind, terrain, centre)

    @property
    def spread(self) -> Floats:
        """Prior standard deviation of the numbers."""
        if self.kind == "calibrated":
            return np.array(list(SPREAD_OF_FACTORS.values()))
        constants = np.array([SPREAD_OF_PARAMETERS[name] for name in PARAMETERS])
        weights = np.full(len(PARAMETERS) * len(FEATURES), SPREAD_OF_WEIGHTS)
        return constants if self.kind == "constants" else np.append(constants * KNOWN, weights)

    def network(self, numbers: Floats) -> tuple[Floats, Floats]:
        """Weights (parameters, features) and biases (parameters,)."""
        count = len(PARAMETERS)
        weights = numbers[count:] if self.kind == "terrain" else np.zeros(count * len(FEATURES))
        return weights.reshape(count, len(FEATURES)), numbers[:count]

    def maps(self, numbers: Floats) -> dict[str, Floats]:
        """Factors, or parameters, of the cells, (columns,) each."""
        if self.kind == "calibrated":
            factors = np.exp(np.clip(numbers, -MOST * 2.0, MOST * 2.0))
            return {name: np.full(self.terrain.mean_height.size, factors[k]) for k, name in enumerate(SCALED)}
        return dict(vars(self.weights(numbers, {}).parameters(self.terrain)))

    def weights(self, numbers: Floats, words: Mapping[str, str]) -> SubgridWeights:
        """Return what has been learned, as a file of weights has it."""
        _, mean, spread = seen_of(self.terrain)
        sizes = self.terrain.cell, self.terrain.fine_cell, self.terrain.stream_area
        return SubgridWeights(mean, spread, [self.network(numbers)], *sizes, words)


def seen_of(terrain: TerrainStatistics) -> tuple[Floats, Floats, Floats]:
    """Features of mean 0 and spread 1, and the mean and spread that they had."""
    raw = features(terrain)
    mean, spread = raw.mean(axis=1), np.maximum(raw.std(axis=1), 1.0e-6)
    return (raw - mean[:, np.newaxis]) / spread[:, np.newaxis], mean, spread


# ---------------------------------------------------------------------- copies


def stacked(data: xr.Dataset, copies: int) -> xr.Dataset:
    """Put copies of a file's maps one north of the other, with a row between them that takes no part."""
    rows, cell = data.sizes["y"], float(data["y"][1] - data["y"][0])
    one = data.pad(y=(0, 1), mode="edge")
    if "mask" in one:
        one["mask"][{"y": rows}] = 0
    flat = [name for name in one.data_vars if "y" not in one[name].dims]
    many = xr.concat([one.drop_vars(flat)] * copies, dim="y").assign({name: data[name] for name in flat})
    many = many.assign_coords(y=float(data["y"][0]) + cell * np.arange((rows + 1) * copies))
    for name in (*data.data_vars, "y"):
        many[name].attrs = data[name].attrs
    return many


def multiplied(data: xr.Dataset, factors: Mapping[str, Floats | float]) -> xr.Dataset:
    """Multiply the variables of `SCALED` of a domain.nc by factors, numbers or (y, x)."""
    changed = data.copy()
    for factor, names in SCALED.items():
        for name in names:
            changed[name] = data[name] * xr.DataArray(factors[factor], dims=("y", "x")[: 2 * np.ndim(factors[factor])])
            changed[name].attrs = data[name].attrs
    return changed


def write_copies(domain: Path, target: Path, members: list[dict[str, Floats]]) -> None:
    """Write a domain of copies, each with its own factors or parameters, (columns,) each.

    Where the domain's groundwater has streams, they are parameters of those.
    """
    target.mkdir(parents=True, exist_ok=True)
    with xr.open_dataset(domain / "domain.nc", mask_and_scale=False) as file:
        one = file.load()
    mask, rows = one["mask"].values > 0, one.sizes["y"] + 1
    many = stacked(one, len(members))
    values = {name: np.ones((rows * len(members), one.sizes["x"])) for name in members[0]}
    for k, member in enumerate(members):
        for name, cells in member.items():
            values[name][k * rows : (k + 1) * rows - 1][mask] = cells
    grid = yaml.safe_load((domain / "domain.yaml").read_text())
    grid["grid"]["ny"] = rows * len(members)
    groundwater = yaml.safe_load((domain / "groundwater.yaml").read_text())
    groundwater["richards"] = {"time_step": 24.0, "passes": {"tolerance": 1.0e-3, "most": 200}}
    outlet = groundwater["gauges"]["outlet"]
    groundwater["gauges"] = {
        f"outlet{k}" if k else "outlet": {"x": outlet["x"], "y": outlet["y"] + k * rows} for k in range(len(members))
    }
    if "streams" in groundwater:
        with xr.open_dataset(domain / "terrain.nc", mask_and_scale=False) as file:
            stacked(file.load(), len(members)).to_netcdf(target / "terrain.nc")
        maps = xr.Dataset(
            {name: (("y", "x"), field) for name, field in values.items()}, {"y": many["y"], "x": many["x"]}
        )
        maps.to_netcdf(target / "parameters.nc")
        named = {name: {"file": "parameters.nc", "variable": name} for name in values}
        groundwater["streams"] = {"terrain": "terrain.nc", "parameters": named}
    else:
        many = multiplied(many, values)
    many.to_netcdf(target / "domain.nc")
    (target / "domain.yaml").write_text(yaml.safe_dump(grid, sort_keys=False))
    (target / "groundwater.yaml").write_text(yaml.safe_dump(groundwater, sort_keys=False))


def run_days(copies: Path, sources: Floats, recharge: float, last: int) -> tuple[Floats, Floats]:
    """Run copies day by day under the sources of one.

    Parameters
    ----------
    copies : Path
        Folder of `write_copies`.
    sources : ndarray, shape (days, layers, y, x)
        Net source [h-1].
    recharge : float
        Of the years before [mm a-1].
    last : int
        How many days are told, the last ones.

    Returns
    -------
    discharge : ndarray, shape (days, copies)
        At the end of each day [m3 s-1].
    water_table : ndarray, shape (days, copies x y, x)
        Depth at the end of each day [m], without the rows between the copies, NaN where nothing is.
    """
    bmi = BmiRichards()
    bmi.initialize(str(copies / "groundwater.yaml"))
    source, flow = bmi.get_value_ptr(NET_SOURCE), bmi.get_value_ptr(DISCHARGE)
    depth = bmi.get_value_ptr(WATER_TABLE_DEPTH)
    layers, rows, width = sources.shape[1:]
    count = flow.size
    given, thickness = source.reshape(layers, -1, width), bmi.get_value_ptr(LAYER_THICKNESS)
    top = thickness.reshape(bmi.get_grid_shape(bmi.get_var_grid(LAYER_THICKNESS), np.empty(3, dtype=int)))[-1]
    given[...] = 0.0
    given[-1] = recharge / 1000.0 / 8766.0 / np.nanmax(top)
    for _ in range(SPIN_UP):
        bmi.update()
    flows, depths = [], []
    for day in sources:
        for k in range(count):
            given[:, k * (rows + 1) : k * (rows + 1) + rows] = day
        bmi.update()
        flows.append(flow.copy())
        maps = depth.reshape(count, rows + 1, width)[:, :rows]
        depths.append(maps.reshape(count * rows, width).copy())
    bmi.finalize()
    return np.stack(flows[-last:]), np.stack(depths[-last:])


# -------------------------------------------------------------------- learning


def learn(
    learning: Learning,
    observed: Floats,
    deviation: Floats,
    predict: Callable[[list[dict[str, Floats]]], Floats],
    journal: Path,
    members: int,
    rounds: int,
    say: Callable[[str], None],
) -> Floats:
    """Numbers that fit what was observed best: the member of the last ensembles whose run came closest.

    Parameters
    ----------
    learning : Learning
        What is learned.
    observed, deviation : ndarray, shape (observations,)
        What is known of the truth, and the standard deviation that a good model may have from it.
    predict : callable
        From the maps of members to what their runs say in its place, (observations, members).
    journal : Path
        Folder for each round's ensemble and predictions, from which an interrupted learning goes on.
    members, rounds : int
        Size of the ensemble, and how often the truth is used.
    say : callable
        Tells how it goes.
    """
    from iterative_ensemble_smoother import ESMDA  # of the extra `learning`, and of nobody else's use here

    journal.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(SEED)
    numbers = learning.spread[:, np.newaxis] * random.standard_normal((learning.spread.size, members))
    numbers[:, 0] = 0.0  # what it begins with takes part
    numbers += learning.centre[:, np.newaxis]
    smoother = ESMDA(deviation**2, observed, alpha=rounds, seed=SEED)
    tried: list[tuple[float, Floats]] = []
    for number in range(rounds + 1):
        file = journal / f"round{number}.npz"
        if file.exists():
            with np.load(file) as kept:
                numbers, predicted = kept["numbers"], kept["predicted"]
        else:
            predicted = predict([learning.maps(column) for column in numbers.T])
            np.savez(file, numbers=numbers, predicted=predicted)
        misfit = np.sqrt((((predicted - observed[:, np.newaxis]) / deviation[:, np.newaxis]) ** 2).mean(axis=0))
        tried += [(float(error), column) for error, column in zip(misfit, numbers.T, strict=True)]
        best, middle = misfit.min(), np.median(misfit)
        say(f"{learning.kind}, round {number} of {rounds}: misfit {best:.3f} at best, median {middle:.3f}")
        if number < rounds:
            smoother.prepare_assimilation(Y=predicted)
            numbers = smoother.assimilate_batch(X=numbers)
    error, found = min(tried, key=lambda pair: pair[0])
    (journal / "best.json").write_text(json.dumps({"misfit": error, "numbers": found.tolist()}))
    return found


@dataclass(frozen=True)
class Paced:
    """Weights whose storms arrive when hours say that they do.

    Attributes
    ----------
    weights : SubgridWeights
        What was learned of the days, but for the parameters of `OF_HOURS`.
    kge : float
        Kling-Gupta efficiency of hourly runoff with it [-].
    before : float
        That with what was learned of the days [-].
    """

    weights: SubgridWeights
    kge: float
    before: float


def with_pace_of(
    truth: Floats,
    entering: tuple[Floats, Floats],
    weights: SubgridWeights,
    terrain: TerrainStatistics,
    domain: Domain,
    trials: int = 30,
) -> Paced:
    """Let water flow down again with other parameters `OF_HOURS`, to the best efficiency of hourly runoff.

    Parameters
    ----------
    truth : ndarray, shape (hours,)
        Runoff of the domain in the last hours of a run [mm h-1].
    entering : (ndarray, ndarray), shape (hours of the run, columns)
        Groundwater that streams get in an hour, and what runs off saturated ground [mm].
    weights : SubgridWeights
        What was learned of days.
    terrain, domain
        Of the cells.
    trials : int
        How often water flows down.
    """
    matrix, bias = weights.layers[-1]
    places = [PARAMETERS.index(name) for name in OF_HOURS]

    def changed(changes: Floats) -> SubgridWeights:
        other = bias.copy()
        other[places] += changes
        return replace(weights, layers=[*weights.layers[:-1], (matrix, other)])

    def efficiency(changes: Floats) -> float:
        runoff = runoff_of(domain, changed(changes).parameters(terrain), *entering)
        return float(metrics(runoff[-len(truth) :], truth).kge)

    simplex = np.array([[0.0, 0.0], [0.7, 0.0], [0.0, 0.7]])
    options = {"initial_simplex": simplex, "maxfev": trials, "xatol": 0.02, "fatol": 1.0e-4}
    found = minimize(lambda changes: -efficiency(changes), simplex[0], method="Nelder-Mead", options=options)
    return Paced(changed(found.x), -float(found.fun), efficiency(simplex[0]))


def runoff_of(domain: Domain, parameters: SubgridParameters, groundwater: Floats, direct: Floats) -> Floats:
    """Runoff [mm h-1] of a domain, dry at first, that gets groundwater and storms each hour [mm], (hours, columns)."""
    routes = Routes(domain, parameters.velocity)
    stored = overland = np.zeros(groundwater.shape[1])
    runoff = np.empty(len(groundwater))
    for hour, (steady, storm) in enumerate(zip(groundwater / 1000.0, direct / 1000.0, strict=True)):
        arrived, overland = overland_flow(overland, storm, parameters.delay, 1.0)
        _, outflow, stored = routes.route(stored, steady + arrived, 1.0)
        runoff[hour] = 1000.0 * outflow.mean()
    return runoff
