"""Small domains, stores and runs for the tests of training data."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain, grids
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.training.store import HEAD, SOURCE, WETTING, Description, Segment, Store, mask_hash

Floats = NDArray[np.float64]

DZ = np.array([10.0, 1.1, 0.9, 0.55, 0.34, 0.2, 0.12, 0.075, 0.045, 0.028, 0.0175])
START = datetime(2019, 10, 1)


def make_domain(ny: int = 6, nx: int = 5, seed: int = 1, inactive: float = 0.0, **changes: Any) -> Domain:
    """Random relief and materials; a share of the cells is inactive, and has no values."""
    random = np.random.default_rng(seed)
    surface = grids.surface(ny, nx, 800.0, 1000.0)
    layered, flat = (len(DZ), ny, nx), (ny, nx)
    mask = random.random(flat) >= inactive
    mask[0, 0] = True
    conductivity = 10.0 ** random.uniform(-4.0, -1.0, layered)
    fields: dict[str, Any] = {
        "mask": mask,
        "elevation": random.uniform(0.0, 50.0, flat),
        "porosity": random.uniform(0.2, 0.5, layered),
        "alpha": random.uniform(0.5, 4.0, layered),
        "n": random.uniform(1.3, 3.0, layered),
        "residual_saturation": random.uniform(0.0, 0.2, layered),
        "maximum_saturation": np.ones(layered),
        "specific_storage": np.full(layered, 1e-4),
        "conductivity_x": conductivity,
        "conductivity_y": conductivity,
        "conductivity_z": conductivity * 0.5,
        "slope_x": random.normal(0.0, 0.02, flat),
        "slope_y": random.normal(0.0, 0.02, flat),
        "manning": random.uniform(0.02, 0.08, flat),
        **changes,
    }
    for name, values in fields.items():
        if name != "mask":
            fields[name] = np.where(fields["mask"], values, np.nan)
    return Domain(
        surface=surface,
        subsurface=grids.layered(surface, DZ),
        root_zone=grids.root_zone(surface, DZ, 10),
        dz=DZ,
        **fields,
    )


def statics_of(domain: Domain) -> Floats:
    return static_channels.from_domain(domain)


def make_series(domain: Domain, hours: int, seed: int = 0) -> tuple[Floats, Floats]:
    """`hours` + 1 heads and `hours` sources, NaN in inactive cells."""
    random = np.random.default_rng(seed)
    increments = random.normal(1e-3, 1e-2, (hours + 1, *domain.subsurface.shape))
    head = 20.0 + increments.cumsum(axis=0)
    source = random.normal(0.0, 1e-3, (hours, *domain.root_zone.shape))
    return tuple(np.where(domain.mask, values, np.nan) for values in (head, source))  # type: ignore[return-value]


def make_store(
    folder: Path, domain: Domain, hours: Sequence[int] = (60,), validation_hours: int = 0, seed: int = 0
) -> Store:
    """A store of random heads and sources with segments of so many hours."""
    series = [make_series(domain, n, seed + i) for i, n in enumerate(hours)]
    head = np.concatenate([np.nan_to_num(h) for h, _ in series])
    source = np.concatenate([np.nan_to_num(s) for _, s in series]).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / HEAD, head)
    np.save(folder / SOURCE, source)
    np.save(folder / WETTING, np.random.default_rng(seed).random(sum(hours)))
    Description(
        segments=tuple(Segment(n, START) for n in hours),
        layer_thickness=tuple(float(v) for v in domain.dz),
        shape=(domain.nz, domain.ny, domain.nx),
        source_layers=domain.root_zone_layers,
        mask=mask_hash(domain.mask),
        limit=None,
        inputs={},
    ).write(folder)
    return Store.open(folder, validation_hours)


def write_netcdf(
    file: Path,
    domain: Domain,
    head: Floats | None = None,
    source: Floats | None = None,
    start: datetime = START,
    every: int = 1,
    precision: str = "f8",
) -> Path:
    """Records at the ends of hours as `bmi-run` writes them."""
    with netCDF4.Dataset(file, "w") as data:
        records = len(head if head is not None else source)  # type: ignore[arg-type]
        axes = {"z": domain.subsurface.coordinates[0], "root_zone_z": domain.root_zone.coordinates[0]}
        axes |= {"y": domain.surface.coordinates[0], "x": domain.surface.coordinates[1]}
        data.createDimension("time", None)
        data.createDimension("bounds", 2)
        time = data.createVariable("time", "f8", ("time",))
        time.setncatts({"units": f"hours since {start:%Y-%m-%d %H:%M:%S}", "bounds": "time_bounds"})
        time[:] = every * (np.arange(records) + 1.0)
        bounds = data.createVariable("time_bounds", "f8", ("time", "bounds"))
        bounds[:] = every * np.stack([np.arange(records), np.arange(records) + 1.0], axis=1)
        for name, values in axes.items():
            data.createDimension(name, len(values))
            data.createVariable(name, "f8", (name,))[:] = values
        data.createVariable("layer_thickness", "f8", ("z",))[:] = domain.dz
        for name, csdms, units, vertical, values in (
            ("soil_water__pressure_head", "soil_water__pressure_head", "m", "z", head),
            (
                "soil_root_zone_water__net_volume_flux",
                "soil_root-zone_water__net_volume_flux",
                "h-1",
                "root_zone_z",
                source,
            ),
        ):
            if values is not None:
                variable = data.createVariable(name, precision, ("time", vertical, "y", "x"), fill_value=9.9e36)
                variable.setncatts({"units": units, "csdms_name": csdms, "cell_methods": "time: mean"})
                variable[:] = np.ma.masked_invalid(values)
    return file


def hours_after(start: datetime, hours: int) -> datetime:
    return start + timedelta(hours=hours)


def write_parflow(folder: Path, head: Floats, source: Floats, first: int = 0, name: str = "basin") -> Path:
    """Dumps of a run of ParFlow: heads from number `first`, sources of all layers from the next one."""
    from parflow.tools.io import write_pfb

    folder.mkdir(parents=True, exist_ok=True)
    for n, values in enumerate(head):
        write_pfb(str(folder / f"{name}.out.press.{first + n:05d}.pfb"), np.nan_to_num(values, nan=-3.4e38), dist=False)
    for n, values in enumerate(source):
        full = np.concatenate([np.zeros((head.shape[1] - len(values), *values.shape[1:])), values])
        file = folder / f"{name}.out.evaptrans.{first + n + 1:05d}.pfb"
        write_pfb(str(file), np.nan_to_num(full, nan=-3.4e38), dist=False)
    return folder
