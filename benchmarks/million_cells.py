"""Build a basin of a million cells from maps, and tell how long it takes and how much memory.

    python benchmarks/million_cells.py FOLDER [--side 1000]

The maps are invented: a fractal terrain of 30 m, soil of 250 m by six depths, bedrock, land cover of 30 m.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path

import click
import numpy as np
import rasterio
import yaml
from numpy.typing import NDArray
from rasterio.transform import from_origin

from rootzone.domain_builder.build import build

UTM = "EPSG:32612"
CELL = 90.0


def noise(random: np.random.Generator, side: int, roughness: float) -> NDArray[np.float64]:
    """Fractal surface of zero mean and unit variance."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = np.inf
    field = np.fft.ifft2(np.fft.fft2(random.standard_normal((side, side))) * frequency**-roughness).real
    return np.asarray((field - field.mean()) / field.std())


def write(path: Path, values: NDArray[np.generic], cell: float, nodata: float) -> None:
    """Write a raster whose lower left corner is that of all."""
    side = values.shape[0]
    with rasterio.open(
        path, "w", driver="GTiff", height=side, width=side, count=1, dtype=values.dtype, crs=UTM, nodata=nodata,
        transform=from_origin(400_000.0, 4_000_000.0 + side * cell, cell, cell),
    ) as file:  # fmt: skip
        file.write(values, 1)


def write_maps(folder: Path, side: int) -> Path:
    """Write maps for `side` squared cells of `CELL`, and basin.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    length = side * CELL
    fine, coarse = int(length / 30.0) + 1, int(length / 250.0) + 2
    tilt = np.linspace(600.0, 0.0, fine)[:, np.newaxis]
    write(
        folder / "elevation.tif", (1000.0 + tilt + 200.0 * noise(random, fine, 1.9)).astype(np.float32), 30.0, -9999.0
    )
    cover = np.select([noise(random, fine, 1.4) > 1.0, noise(random, fine, 1.4) > 0.0], [12, 10], default=4)
    write(folder / "cover.tif", cover.astype(np.uint8), 30.0, 255)
    for name, mean, spread in (("sand", 45.0, 10.0), ("clay", 20.0, 6.0), ("density", 1.4, 0.1)):
        for depth in range(6):
            values = mean + spread * np.clip(noise(random, coarse, 1.5), -2.5, 2.5)
            write(folder / f"{name}_{depth}.tif", values.astype(np.float32), 250.0, -9999.0)
    write(folder / "bedrock.tif", np.exp(noise(random, coarse, 1.5) + 1.0).astype(np.float32), 250.0, -9999.0)
    basin = {
        "grid": {"crs": UTM, "cell": CELL},
        "region": {"bounding_box": [400_000.0, 4_000_000.0, 400_000.0 + length, 4_000_000.0 + length]},
        "elevation": {"file": "elevation.tif", "outlets": {"upstream_area": 20.0}},
        "layers": [50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.3, 0.2, 0.1],
        "soil": {
            "depths": "soilgrids",
            "depth_to_bedrock": "bedrock.tif",
            **{
                k: [f"{f}_{d}.tif" for d in range(6)]
                for k, f in (("sand", "sand"), ("clay", "clay"), ("bulk_density", "density"))
            },
        },
        "permeability": {"log10_permeability": -13.0, "decay": {}},
        "land_cover": "cover.tif",
        "initial": {"recharge": 200.0},
    }
    path = folder / "basin.yaml"
    path.write_text(yaml.safe_dump(basin, sort_keys=False))
    return path


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--side", default=1000, help="Cells along each side.")
def main(folder: Path, side: int) -> None:
    """Build the basin in FOLDER."""
    path = write_maps(folder, side)
    before, cpu = time.perf_counter(), time.process_time()
    built = build(path, folder / "basin", overwrite=True)
    seconds, cpu = time.perf_counter() - before, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    for finding in built.findings:
        click.echo(finding)
    click.echo(f"{side * side} cells: {seconds:.0f} s, {cpu:.0f} s of CPU, {memory:.2f} GB at the most")


if __name__ == "__main__":
    main()
