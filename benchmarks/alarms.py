"""Whether the alarms of error control go off when the surrogate's error is large, and only then.

    python benchmarks/alarms.py FOLDER [--days 40] [--window 6h] [--every 24h]
    python benchmarks/alarms.py FOLDER --run coupled.yaml --days 2 --window 2h --every 4h

Land runs over the structured surrogate, good and spoiled, of the demo basin or of another `--run` that starts from
heads: without network and with fewer solves, and, where there are weights for its layers, with them and with noise
on them.
Beside each goes an audit by physics and an ensemble of one other set of weights, disturbed as much. A run of land and
Richards from the same start tells the error that the alarms should tell. FOLDER gets the runs, which are not made
again, the table, `alarms.json` and `alarms.png`.

An alarm is judged where a window of the audit ends. The error there is the median over the columns of the absolute
difference of water table depth from that of physics; the alarm's number is the audit's, or the ensemble's, largest
in the window, of the same quantity. With the limit set on both: how many of the large errors were announced (hit
rate), and how many alarms there were where the error was not large (false-alarm rate). Without a limit on the number:
the share of pairs, one of a large and one of a small error, of which the number ranks the large one higher (area
under the receiver operating characteristic; 0.5 is chance).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata

from bmi_common.groundwater import WATER_TABLE_DEPTH
from bmi_common.netcdf_file import netcdf_name
from bmi_richards.config import prepare
from bmi_surrogate import StructuredArchitecture, StructuredCheckpoint, StructuredModel, load, save

Floats = NDArray[np.float64]

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "cfg" / "coupled.yaml"
SHIPPED = ROOT / "cfg" / "demo" / "surrogate.yaml"
NOISE = (0.1, 0.3, 1.0, 3.0)
"""Standard deviation of what is added to the weights, in units of their own."""
LIMITS = (1.0e-5, 1.0e-4, 1.0e-3)
"""[m]"""
ALARMS = ("audit", "ensemble")


@dataclass(frozen=True)
class Case:
    """A surrogate, and the other of its ensemble."""

    name: str
    weights: Path
    other: Path


@dataclass(frozen=True)
class Judged:
    """An error [m] and the number that each alarm gave then [m], where windows end."""

    error: Floats
    alarm: dict[str, Floats]

    @classmethod
    def together(cls, parts: list[Judged]) -> Judged:
        """Put several runs together."""
        alarms = {name: np.concatenate([p.alarm[name] for p in parts]) for name in ALARMS}
        return cls(np.concatenate([p.error for p in parts]), alarms)


def structured(weights: Path) -> StructuredCheckpoint:
    """Read weights of a structured surrogate."""
    found = load(weights)
    if not isinstance(found, StructuredCheckpoint):
        raise click.ClickException(f"{weights}: not a structured surrogate")
    return found


def disturbed(found: StructuredCheckpoint, size: float, seed: int) -> StructuredCheckpoint:
    """Return weights with noise."""
    model = StructuredModel(found.model.architecture).eval()
    state = found.model.state_dict()
    random = torch.Generator().manual_seed(seed)
    for name, value in state.items():
        if name != "scale":
            state[name] = value + size * value.std() * torch.randn(value.shape, generator=random)
    model.load_state_dict(state)
    return replace(found, model=model)


def cases(weights: Path | None, layers: Floats, folder: Path) -> Iterator[Case]:
    """Write the weights of all surrogates."""
    folder.mkdir(parents=True, exist_ok=True)

    def written(name: str, checkpoint: StructuredCheckpoint) -> Path:
        save(checkpoint, folder / name)
        return folder / f"{name}.yaml"

    bare = {}
    for refinements in (0, 1, 2):
        model = StructuredModel(StructuredArchitecture(layers.size, (), refinements)).eval()
        checkpoint = StructuredCheckpoint(model, tuple(layers.tolist()))
        bare[refinements] = written(f"solves_{1 + refinements}", checkpoint)
    yield Case("no network, 3 solves", bare[2], bare[1])
    yield Case("no network, 2 solves", bare[1], bare[2])
    yield Case("no network, 1 solve", bare[0], bare[1])
    if weights is None:
        return
    yield Case("weights as they are", weights, bare[2])
    given = structured(weights)
    for size in NOISE:
        one, other = (written(f"noise_{100 * size:.0f}_{seed}", disturbed(given, size, seed)) for seed in (1, 2))
        yield Case(f"weights with noise of {size:g}", one, other)


def run(plan: Path, output: Path, days: int, *settings: str) -> None:
    """Make a run with hourly water tables, if it has not been made."""
    if (output / "timing.json").is_file():
        return
    start = str(yaml.safe_load(plan.read_text())["time"]["start"]).removesuffix("Z")
    end = np.datetime64(start) + np.timedelta64(24 * days, "h")
    settings = (
        f"time.end={end}",
        "figures=false",
        "land.options.threads=1",
        "checks.water_balance={tolerance: 1.0, action: warn}",
        f"output=[{{file: hourly.nc, every: 1h, precision: double, variables: [groundwater.{WATER_TABLE_DEPTH}]}}]",
        *settings,
    )
    arguments = [str(plan), "--output", str(output), "--overwrite", *(a for s in settings for a in ("--set", s))]
    subprocess.run([str(Path(sys.executable).with_name("bmi-run")), *arguments], check=True)


def water_table(output: Path) -> Floats:
    """Depth [m] of every hour in the active columns, (hours, columns)."""
    with xr.open_dataset(output / "hourly.nc") as data:
        depth = data[netcdf_name(WATER_TABLE_DEPTH)].to_numpy().astype(np.float64)
    flat = depth.reshape(len(depth), -1)
    return flat[:, np.isfinite(flat[0])]


def judge(output: Path, truth: Floats) -> Judged:
    """Take the errors and alarms of a run at the end of each window of its audit."""
    error = np.median(np.abs(water_table(output) - truth), axis=1)
    with xr.open_dataset(output / "error_control.nc") as data:
        found = {name: data[f"{name}_water_table"].to_numpy() for name in ALARMS}
    inside = np.isfinite(found["audit"])
    ends = np.flatnonzero(inside & ~np.append(inside[1:], False)) + 1
    begins = np.flatnonzero(inside & ~np.append(False, inside[:-1]))
    alarms = {
        name: np.array([series[a:b].max() for a, b in zip(begins, ends, strict=True)]) for name, series in found.items()
    }
    return Judged(error[ends - 1], alarms)


def area(number: Floats, large: NDArray[np.bool_]) -> float:
    """Area under the receiver operating characteristic; NaN where all or none are large."""
    count = int(large.sum())
    if count in (0, large.size):
        return float("nan")
    ranks = rankdata(number)
    return float((ranks[large].sum() - count * (count + 1) / 2) / (count * (large.size - count)))


def rates(number: Floats, large: NDArray[np.bool_], limit: float) -> tuple[float, float]:
    """Hit rate and false-alarm rate with a limit [m] on the number."""
    rings = number > limit
    return float(rings[large].mean()), float(rings[~large].mean())


def curve(number: Floats, large: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """False-alarm and hit rates for all limits on the number."""
    order = np.argsort(-number)
    hits, false = np.cumsum(large[order]), np.cumsum(~large[order])
    return np.append(0.0, false / false[-1]), np.append(0.0, hits / hits[-1])


def draw(all_: Judged, path: Path) -> None:
    """Draw the receiver operating characteristics."""
    figure, axes = plt.subplots(1, len(LIMITS), figsize=(3.2 * len(LIMITS), 3.4), layout="constrained")
    for axis, limit in zip(axes, LIMITS, strict=True):
        large = all_.error > limit
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle=":")
        if large.any() and not large.all():
            for name, colour in zip(ALARMS, ("#0b6e99", "#d9730d"), strict=True):
                line = axis.step(*curve(all_.alarm[name], large), where="post", color=colour, label=name)[0]
                hit, false = rates(all_.alarm[name], large, limit)
                axis.plot(false, hit, "o", color=line.get_color())
        axis.set(
            title=f"error above {1e3 * limit:g} mm ({large.sum()} of {large.size})",
            xlabel="false-alarm rate",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
        )
    axes[0].set_ylabel("hit rate")
    axes[0].legend(loc="lower right", frameon=False, title="dot: the limit is the error's")
    figure.savefig(path, dpi=150)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--run", "plan", default=DEMO, type=click.Path(path_type=Path, exists=True), help="Coupled run.")
@click.option("--weights", type=click.Path(path_type=Path, exists=True), help="For its layers; the demo has some.")
@click.option("--days", default=40, show_default=True, help="Length of the runs.")
@click.option("--every", default="24h", show_default=True, help="From audit to audit.")
@click.option("--window", default="6h", show_default=True, help="Length of an audit.")
def main(folder: Path, plan: Path, weights: Path | None, days: int, every: str, window: str) -> None:
    """Run land over good and spoiled surrogates, and judge their alarms."""
    if weights is None and plan == DEMO:
        weights = SHIPPED
    component = yaml.safe_load(plan.read_text())["components"]["groundwater"]
    physics = {
        "class": "bmi_richards:BmiRichards",
        "config": str((plan.parent / component["config"]).resolve()),
    }
    run(
        plan,
        folder / "physics",
        days,
        f"components.groundwater.class={physics['class']}",
        "groundwater.options.richards.threads=1",
    )
    truth = water_table(folder / "physics")
    judged: dict[str, Judged] = {}
    layers = prepare(Path(physics["config"])).domain.dz
    for number, case in enumerate(cases(weights, layers, folder / "weights")):
        output = folder / f"case_{number}"
        audit = {"component": physics, "every": every, "window": window, "thresholds": {"water_table": "1 km"}}
        ensemble = {"checkpoints": [str(case.other.absolute())], "limits": {"water_table": "1 km"}}
        run(
            plan,
            output,
            days,
            "components.groundwater.class=bmi_surrogate:BmiSurrogate",
            f"groundwater.options.surrogate={{checkpoint: '{case.weights.absolute()}', threads: 1}}",
            f"error_control={json.dumps({'audit': audit, 'ensemble': ensemble})}",
        )
        judged[case.name] = judge(output, truth)
    report(judged, folder)


def report(judged: dict[str, Judged], folder: Path) -> None:
    """Print the tables and write them."""
    console = Console(width=120)
    table = Table("surrogate", "error mm, median", "largest", *(f"{name} mm, largest" for name in ALARMS))
    for name, found in judged.items():
        numbers = [np.median(found.error), found.error.max(), *(found.alarm[a].max() for a in ALARMS)]
        table.add_row(name, *(f"{1e3 * n:.2g}" for n in numbers))
    console.print(table)
    all_ = Judged.together(list(judged.values()))
    rows = []
    table = Table("error above", "windows", "large", "alarm", "hits", "false alarms", "area under the curve")
    for limit in LIMITS:
        large = all_.error > limit
        for name in ALARMS:
            hit, false = rates(all_.alarm[name], large, limit)
            row = {"limit": limit, "windows": large.size, "large": int(large.sum()), "alarm": name}
            rows.append({**row, "hits": hit, "false_alarms": false, "area": area(all_.alarm[name], large)})
            numbers = zip(("{:.0%}", "{:.0%}", "{:.2f}"), (hit, false, rows[-1]["area"]), strict=True)
            shown = ["-" if np.isnan(number) else form.format(number) for form, number in numbers]
            table.add_row(f"{1e3 * limit:g} mm", str(large.size), str(row["large"]), name, *shown)
    console.print(table)
    (folder / "alarms.json").write_text(json.dumps(rows, indent=1))
    draw(all_, folder / "alarms.png")


if __name__ == "__main__":
    main()
