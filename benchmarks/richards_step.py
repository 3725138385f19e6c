"""Seconds per hourly step of the Richards solver, by domain size, threads and weather.

With ``--reference FOLDER`` the fields are those of the Pearl River reference data in that folder; without it they are
synthetic: a fractal relief drained by its own slopes, layered soil over rock, a shallow water table. Dry hours carry
transpiration and evaporation, wet hours a storm; a row is the median over the hours of one kind, or the mean of all.

    python benchmarks/richards_step.py [--reference FOLDER] [--json FILE] [--threads 1 2] [--passes 2] [--hours 24]

The last column is how much longer ParFlow v3.15 took for the same hours on as many processes (the dry hours of the
whole domain; with ``--hours 24`` the first day of the window, in which a storm begins). Those figures were measured on
a quiet machine with two cores; measure on an idle one.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from richards_domains import parflow_domain

from bmi_common.fields import read_pfb
from bmi_common.slopes import SlopeFormulation
from bmi_richards.options import SolverConfig
from bmi_richards.solver import RichardsSolver

Floats = NDArray[np.float64]
SIZES = ((64, 48), (252, 146))
ALL = slice(None)
PARFLOW = {
    (64, "all", 1): 0.49,
    (64, "all", 2): 0.28,
    (252, "dry", 1): 15.2,
    (252, "dry", 2): 7.8,
}
"""Seconds an hour of ParFlow (hypre PFMG, the paper's solver settings), by nx of the reference, hours and processes."""
THICKNESS = np.array([100.0, 1.137, 0.9133, 0.5539, 0.336, 0.2038, 0.1236, 0.0749, 0.0455, 0.0276, 0.0175])


@dataclass(frozen=True)
class Case:
    """A domain, its state and the net source of each hour (storm from hour ``first_wet`` on)."""

    name: str
    domain: SimpleNamespace
    head: Floats
    sources: list[Floats]
    wet: list[bool]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    case: str
    nx: int
    ny: int
    nz: int
    threads: int
    passes: int
    hours: str
    seconds: float
    iterations: float

    @property
    def ratio(self) -> float | None:
        """Time of ParFlow over this one, where it was measured."""
        parflow = PARFLOW.get((self.nx, self.hours, self.threads)) if self.case != "synthetic" else None
        return None if parflow is None else parflow / self.seconds


def synthetic(nx: int, ny: int, hours: int) -> Case:
    random = np.random.default_rng(7)
    relief = np.zeros((ny, nx))
    y, x = np.mgrid[0:ny, 0:nx]
    for octave in range(1, 7):
        length = nx / 2.0**octave
        phase = random.uniform(0.0, 2.0 * np.pi, size=(4, 2))
        for angle, shift in phase:
            relief += length * np.sin(2.0 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / length + shift)
    relief += 0.5 * (x + y)
    slope_x, slope_y = np.zeros((ny, nx)), np.zeros((ny, nx))
    slope_x[:, :-1] = 1e-3 * np.diff(relief, axis=1)
    slope_y[:-1] = 1e-3 * np.diff(relief, axis=0)
    nz = THICKNESS.size
    shape = (nz, ny, nx)
    rock = np.arange(nz) < 2
    layers = {
        "porosity": np.where(rock, 0.1, 0.43),
        "alpha": np.where(rock, 0.5, 1.5),
        "n": np.where(rock, 2.3, 2.5),
        "residual_saturation": np.full(nz, 1e-4),
        "maximum_saturation": np.ones(nz),
        "conductivity_x": np.where(rock, 0.03, 0.01),
        "conductivity_y": np.where(rock, 0.03, 0.01),
        "conductivity_z": np.where(rock, 0.003, 0.01),
        "specific_storage": np.full(nz, 1e-4),
    }
    fields = {name: np.broadcast_to(values[:, None, None], shape) for name, values in layers.items()}
    fields["conductivity_z"] = fields["conductivity_z"] * random.lognormal(0.0, 0.3, size=shape)
    domain = SimpleNamespace(
        dx=961.72,
        dy=961.72,
        dz=THICKNESS,
        mask=np.ones((ny, nx), dtype=bool),
        slope_formulation=SlopeFormulation.UPWIND,
        top_layer=None,
        relative_permeability_alpha=None,
        relative_permeability_n=None,
        slope_x=slope_x,
        slope_y=slope_y,
        manning=np.full((ny, nx), 0.05),
        **fields,
    )
    depth = np.cumsum(THICKNESS[::-1])[::-1] - 0.5 * THICKNESS
    table = 1.5 + 1.5 * np.sin(2.0 * np.pi * x / nx) * np.sin(2.0 * np.pi * y / ny)
    head = depth[:, None, None] - table
    sources, wet = [], []
    for hour in range(hours):
        raining = hour >= hours // 2
        source = np.zeros(shape)
        source[1:-1] = -2e-5
        source[-1] = 0.008 / THICKNESS[-1] if raining else -1e-4 / THICKNESS[-1]
        sources.append(source)
        wet.append(raining)
    return Case("synthetic", domain, head, sources, wet)


def pearl_window(folder: Path, hours: int) -> Case:
    data = np.load(folder / "parflow" / "pearl64x48_inputs.npz")
    domain = parflow_domain(folder / "parflow" / "pearl64x48_inputs.npz")
    sources = []
    first = 24 - hours  # the storm begins in hour 18
    for hour in range(first, first + hours):
        source = data["et_profile"][hour][:, None, None] * data["et_pattern"]
        source[-1] = data["et_top"][hour]
        sources.append(source)
    return Case(
        "Pearl River", domain, data["initial_pressure"], sources, [h >= 18 for h in range(first, first + hours)]
    )


def pearl_river(folder: Path, hours: int, part: slice = ALL) -> Case:
    """Read the paper's domain, or a `part` of it from west to east."""

    def field(name: str) -> Floats:
        return read_pfb(folder / "pearl_river" / f"{name}.pfb")[..., part]

    with np.load(folder / "surrogate" / "inputs.npz") as archive:
        data = {name: archive[name] for name in ("dz", "flux_profile", "rain_rate")}
        maps = {name: archive[name][..., part] for name in ("statics", "flux_pattern", "rain_pattern")}
    conductivity = maps["statics"][:11].astype(np.float64)
    alpha, porosity = field("unname_test.out.alpha"), field("unname_test.out.porosity")
    vertical = conductivity.copy()
    vertical[0] *= np.where(porosity[0] < 0.02, 1.0, 0.1)  # rock is anisotropic, but for the tightest class
    domain = SimpleNamespace(
        dx=961.72,
        dy=961.72,
        dz=data["dz"],
        mask=np.ones(alpha.shape[1:], dtype=bool),
        porosity=porosity,
        alpha=alpha,
        n=field("unname_test.out.n"),
        residual_saturation=field("unname_test.out.sres"),
        maximum_saturation=field("unname_test.out.ssat"),
        conductivity_x=conductivity,
        conductivity_y=conductivity,
        conductivity_z=vertical,
        specific_storage=np.full_like(alpha, 1e-4),
        slope_formulation=SlopeFormulation.UPWIND,
        top_layer=None,
        relative_permeability_alpha=None,
        relative_permeability_n=None,
        slope_x=field("unname.slopex")[0],
        slope_y=field("unname.slopey")[0],
        manning=field("unname.manning")[0] * 3600.0,
    )
    raining = data["rain_rate"] > 0.0
    first_wet = int(np.argmax(raining))
    first = max(first_wet - hours // 2, 0)
    sources = []
    for hour in range(first, first + hours):
        source = data["flux_profile"][hour][:, None, None] * maps["flux_pattern"]
        source[-1] += data["rain_rate"][hour] * maps["rain_pattern"]
        sources.append(source)
    wet = [bool(raining[h]) for h in range(first, first + hours)]
    return Case("Pearl River", domain, field("unname_test.out.press.00000"), sources, wet)


def cases(reference: Path | None, hours: int) -> Iterator[Case]:
    if reference is None:
        for nx, ny in SIZES:
            yield synthetic(nx, ny, hours)
    else:
        yield pearl_window(reference, hours)
        yield pearl_river(reference, hours)


def measure(case: Case, threads: int, passes: int) -> list[Row]:
    solver = RichardsSolver(case.domain, case.head, SolverConfig(passes=passes, threads=threads))
    seconds: dict[str, list[float]] = {"dry": [], "wet": [], "all": []}
    iterations: dict[str, list[float]] = {"dry": [], "wet": [], "all": []}
    for source, wet in zip(case.sources, case.wet, strict=True):
        begin = time.perf_counter()
        balance = solver.step(source)
        taken = time.perf_counter() - begin
        for hours in ("wet" if wet else "dry", "all"):
            seconds[hours].append(taken)
            iterations[hours].append(balance.newton.mean / balance.passes)
    nz, ny, nx = solver.shape
    return [
        Row(
            case.name,
            nx,
            ny,
            nz,
            threads,
            passes,
            hours,
            statistics.mean(times) if hours == "all" else statistics.median(times),
            statistics.mean(iterations[hours]),
        )
        for hours, times in seconds.items()
        if times
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="folder of reference data; synthetic fields without it")
    parser.add_argument("--json", type=Path, help="write the table to this file")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--hours", type=int, default=12, help="half of them dry, half wet")
    arguments = parser.parse_args()

    rows: list[Row] = []
    print(
        f"{'domain':<14}{'cells':>16}{'threads':>9}{'passes':>8}{'hours':>7}{'s / step':>10}{'Newton':>8}{'ParFlow':>9}"
    )
    for case in cases(arguments.reference, arguments.hours):
        for threads in arguments.threads:
            for row in measure(case, threads, arguments.passes):
                rows.append(row)
                cells = f"{row.nx} x {row.ny} x {row.nz}"
                ratio = "" if row.ratio is None else f"{row.ratio:.0f} x"
                print(
                    f"{row.case:<14}{cells:>16}{row.threads:>9}{row.passes:>8}{row.hours:>7}{row.seconds:>10.4f}"
                    f"{row.iterations:>8.2f}{ratio:>9}"
                )
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
