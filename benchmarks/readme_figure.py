"""Draw the figure of README.md from the runs of ``make demo``: the basin, the storm, and three kinds of groundwater.

python benchmarks/readme_figure.py output/demo docs/images/readme.png
"""

from __future__ import annotations

from pathlib import Path

import click
import matplotlib
import numpy as np
import xarray as xr

import rootzone
from bmi_common.groundwater import RUNOFF, WATER_TABLE_DEPTH
from bmi_common.netcdf_file import netcdf_name
from rootzone.figures.geography import draw_outline, draw_rivers, edges, kilometres, rivers_of_run
from rootzone.figures.quantities import RAIN, quantity
from rootzone.figures.style import BLACK, BLUE, ORANGE, SIZES, SKY, dates, new_figure

RUNS = {
    "physics": ("physics (Richards)", BLACK, "-"),
    "hybrid": ("surrogate", BLUE, "--"),
    "free_drainage": ("free drainage", ORANGE, "-"),
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("figure", type=click.Path(path_type=Path))
def main(folder: Path, figure: Path) -> None:
    runs = {name: rootzone.RunResult(folder / name).hourly for name in RUNS}
    with matplotlib.rc_context(SIZES):
        drawn = new_figure(10.0, 4.2)
        grid = drawn.add_gridspec(3, 2, width_ratios=(1.25, 1.0), height_ratios=(0.7, 1.2, 1.2))
        basin = drawn.add_subplot(grid[:, 0])
        rain, discharge, table = (drawn.add_subplot(grid[row, 1]) for row in range(3))

        physics = runs["physics"]
        depth = physics[netcdf_name(WATER_TABLE_DEPTH)]
        last = depth.isel(time=-1).values
        x, y = kilometres(depth["x"].values), kilometres(depth["y"].values)
        extent = (edges(x)[0], edges(x)[-1], edges(y)[0], edges(y)[-1])
        colours, _ = quantity(depth, by_day=True).colours(last[np.isfinite(last)])
        image = basin.imshow(last, origin="lower", extent=extent, cmap=colours, vmin=0.0, vmax=1.0)
        draw_outline(basin, np.isfinite(last), x, y)
        rivers = rivers_of_run(folder / "physics")
        if rivers is not None:
            draw_rivers(basin, rivers, x, y)
        basin.grid(visible=False)
        basin.set_title("water table depth after ten days, and rivers")
        basin.set_xlabel("x [km]")
        basin.set_ylabel("y [km]")
        bar = basin.inset_axes((1.02, 0.0, 0.035, 1.0))
        drawn.colorbar(image, cax=bar, extend="max")
        bar.set_title("m", fontsize=8, loc="left")

        falling = quantity(physics[netcdf_name(RAIN)], by_day=False).values.mean(("y", "x"))
        rain.bar(falling["time"].values, falling, width=1.0 / 24.0, color=SKY)
        rain.set_title("rain [mm h⁻¹]")
        for name, data in runs.items():
            label, colour, line = RUNS[name]
            area = float(np.diff(data["x"].values)[0] * np.diff(data["y"].values)[0])
            outflow = data[netcdf_name(RUNOFF)].sum(("y", "x")) * area
            discharge.plot(data["time"].values, outflow, color=colour, ls=line, lw=1.3, label=label)
            median = _median(data[netcdf_name(WATER_TABLE_DEPTH)])
            table.plot(data["time"].values, median, color=colour, ls=line, lw=1.3)
        discharge.set_title("discharge at the outlet [m³ s⁻¹]")
        discharge.legend(frameon=False, loc="upper left")
        table.set_title("water table depth, median of the basin [m]")
        table.invert_yaxis()
        for axes in (rain, discharge, table):
            dates(axes)
            if axes is not table:
                axes.tick_params(labelbottom=False)
                axes.xaxis.get_offset_text().set_visible(False)
        drawn.savefig(figure, dpi=130)


def _median(depth: xr.DataArray) -> xr.DataArray:
    return depth.median(("y", "x"))


if __name__ == "__main__":
    main()
