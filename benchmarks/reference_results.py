"""How close the components are to the results of ParFlow, CoLM and the published network: the README's tables.

    python benchmarks/reference_results.py --data FOLDER

Cases and column set-up are those of the tests.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import colm_reference
from richards_domains import parflow_domain

from bmi_colm.columns import ColumnConfig
from bmi_common.fields import read_pfb
from bmi_common.groundwater_config import Mode
from bmi_richards.options import Drainage, SolverConfig
from bmi_richards.solver import RichardsSolver
from bmi_surrogate.checkpoint import load
from bmi_surrogate.predrnn.emulator import PredRNNEmulator
from bmi_surrogate.predrnn.normalisation import moments_of_statics

Floats = NDArray[np.float64]

PASSES = 3
LEAST_MEAN = 10.0  # W m-2; an efficiency means little around a mean near zero


def column_or_plane(folder: Path, case: str) -> Floats:
    """Errors [m] of every hour and cell against ParFlow's double-precision heads."""
    file = folder / "parflow" / f"{case}.npz"
    data = dict(np.load(file))
    solver = RichardsSolver(parflow_domain(file), data["pressure_dt1h"][0], SolverConfig(passes=PASSES))
    errors = []
    for hour, source in enumerate(data["evap_trans"]):
        solver.step(source)
        errors.append(solver.head - data["pressure_dt1h"][hour + 1])
    return np.array(errors)


def pearl_window(folder: Path, run: str, options: SolverConfig) -> Floats:
    """Errors [m] in the hours that the reference stores in double precision."""
    file = folder / "parflow" / "pearl64x48_inputs.npz"
    inputs, data = dict(np.load(file)), dict(np.load(folder / "parflow" / f"pearl64x48_{run}.npz"))
    solver = RichardsSolver(parflow_domain(file), inputs["initial_pressure"], options)
    errors = []
    for hour in range(72):
        source = inputs["et_profile"][hour][:, None, None] * inputs["et_pattern"]
        source[-1] = inputs["et_top"][hour]
        solver.step(source)
        errors += [solver.head - data["pressure_f64_at"][k] for k in np.flatnonzero(data["hours_f64"] == hour + 1)]
    return np.array(errors)


def richards_table(folder: Path) -> Table:
    """Root-mean-square and largest error of each ParFlow case."""
    lagged = SolverConfig(passes=PASSES, mode=Mode.FREE_DRAINAGE, drainage=Drainage.LAGGED)
    cases = {
        "column": column_or_plane(folder, "column_infiltration"),
        "tilted V": column_or_plane(folder, "tilted_v_overland"),
        "Pearl River window, lateral": pearl_window(folder, "lateral", SolverConfig(passes=PASSES)),
        "Pearl River window, free drainage": pearl_window(folder, "freedrain", lagged),
    }
    table = Table("case", "rms [m]", "largest [m]", title=f"Richards against ParFlow, hourly, {PASSES} passes")
    for name, errors in cases.items():
        table.add_row(name, f"{np.sqrt(np.mean(errors**2)):.1e}", f"{np.abs(errors).max():.1e}")
    return table


def land_table(folder: Path) -> Table:
    """Kling-Gupta efficiency of hourly latent heat, case `humid`, by option and window."""
    case = colm_reference.Case.load(folder / "colm", "humid")
    stored = colm_reference.load(folder / "colm" / "humid_hourly.npz")
    hours, reference = stored["hours"][1:], stored["eflx_lh"][1:]  # hour 0 depends on uninitialised memory there
    periods = {"all hours": (1, 8760), **{f"from hour {a}": (a, b) for a, b in stored["windows"]}}
    table = Table(
        "options", "period", "lowest", "median", "largest bias [W m-2]", title="Land against CoLM, humid, KGE"
    )
    for name, options in {"published numerics": colm_reference.OPTIONS, "default": ColumnConfig()}.items():
        result = colm_reference.run(case.model(options), case.forcing, case.head, case.saturation)
        ours = result["eflx_lh"][hours]
        for period, (first, end) in periods.items():
            inside = (hours >= first) & (hours < end)
            a, b = ours[inside], reference[inside]
            judged = [c for c in range(a.shape[1]) if abs(b[:, c].mean()) >= LEAST_MEAN]
            score = [colm_reference.kling_gupta(a[:, c], b[:, c]) for c in judged]
            bias = np.abs((a - b).mean(axis=0)).max()
            table.add_row(name, period, f"{min(score):.4f}", f"{np.median(score):.4f}", f"{bias:.2f}")
    return table


def network_table(folder: Path) -> Table:
    """Normalised errors of the reassembled Pearl River domain under the documented source, float32."""
    published = load(folder / "pearl_river" / "model.ckpt-80000")
    inputs = dict(np.load(folder / "surrogate" / "inputs.npz"))
    stored = np.load(folder / "surrogate" / "reference_full.npz")
    statics = inputs["statics"].astype(np.float64)
    statistics = dataclasses.replace(published.statistics, statics=moments_of_statics(statics))
    emulator = PredRNNEmulator(dataclasses.replace(published, statistics=statistics), statics)
    emulator.start(read_pfb(folder / "pearl_river" / "unname_test.out.press.00000.pfb"))
    table = Table("hour", "99.9 % of cells within", "largest", title="Network against the published one, float32")
    for hour in range(1, 49):
        source = inputs["flux_profile"][hour - 1][:, None, None] * inputs["flux_pattern"]
        source[10] += inputs["rain_rate"][hour - 1] * inputs["rain_pattern"]
        head = emulator.step(source[1:])
        if f"seq_t{hour:02d}" in stored:
            error = np.abs(head - stored[f"seq_t{hour:02d}"]) / inputs["target_std"][:, None, None]
            table.add_row(str(hour), f"{np.quantile(error, 0.999):.1e}", f"{error.max():.1e}")
    return table


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="Reference data folder.")
def main(data: Path) -> None:
    """Print the tables."""
    console = Console()
    console.print(network_table(data))
    console.print(richards_table(data))
    console.print(land_table(data))


if __name__ == "__main__":
    main()
