"""Cut the small case of the pymt metadata out of the demo basin: the last ten rows above its outlet.

Writes ``basin.nc``, ``initial.nc``, ``weather.nc`` and the surrogate's weights into the ``pymt`` folders of the
components, each of which pymt copies as a whole. Run it again after a change of the basin, a spin-up or a training.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import xarray as xr

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

WINDOW = {"y": slice(1, 11), "x": slice(21, 33)}
HOURS = 240
LEFT_OUT = (
    "recharge",
    "upstream_area",
    "soil_depth",
    "sand",
    "clay",
    "bulk_density",
    "log_conductivity_deviation",
)

FOLDERS = {name: ROOT / f"bmi_{name}" / "pymt" for name in ("colm", "richards", "surrogate", "parflow")}


def write(data: xr.Dataset, name: str, components: tuple[str, ...]) -> None:
    """Write one file into the folders of some components."""
    for component in components:
        FOLDERS[component].mkdir(exist_ok=True)
        # the classic format has no overhead, which would be half of files as small as these
        data.to_netcdf(FOLDERS[component] / name, format="NETCDF3_64BIT")


def basin() -> xr.Dataset:
    """Terrain, covers and soils of the window; single precision is more than the fields are good for."""
    with xr.open_dataset(HERE / "domain.nc") as data:
        window = data.drop_vars(LEFT_OUT).isel(WINDOW).load()
    return window.assign({name: window[name].astype("f4") for name in window.data_vars})


def initial() -> xr.Dataset:
    """Pressure head of the window at the end of the demo's spin-up, in the precision of the solver."""
    with xr.open_dataset(HERE / "initial.nc") as data:
        head = data["soil_water__pressure_head"].load()
    return head.isel(groundwater_y=WINDOW["y"], groundwater_x=WINDOW["x"]).to_dataset()


def weather() -> xr.Dataset:
    """Return the first ten days of the demo's weather, with the storm on the third."""
    with xr.open_dataset(HERE / "weather.nc", decode_times=False) as data:
        return data.isel(time=slice(0, HOURS)).load()


def main() -> None:
    """Write all files."""
    write(basin(), "basin.nc", tuple(FOLDERS))
    write(initial(), "initial.nc", ("richards", "surrogate", "parflow"))
    write(weather(), "weather.nc", ("colm",))
    for name in ("surrogate.yaml", "surrogate.safetensors"):
        shutil.copyfile(HERE / name, FOLDERS["surrogate"] / name)


if __name__ == "__main__":
    main()
