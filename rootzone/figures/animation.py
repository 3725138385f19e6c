"""Water table and rain of a run as a film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.animation import AbstractMovieWriter, FFMpegWriter, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray

from bmi_common.errors import ConfigError
from bmi_common.groundwater import WATER_TABLE_DEPTH
from bmi_common.owned_folder import OwnedFolder
from coupler.animation_config import AnimationConfig
from coupler.config import RunConfig
from coupler.run_folder import FIGURES, animation_file
from rootzone.datasets import open_dataset
from rootzone.figures.geography import Rivers, kilometres, rivers_of_run
from rootzone.figures.map_panel import colour_bar, draw_field, extend
from rootzone.figures.quantities import RAIN, quantity
from rootzone.figures.series import draw_rain
from rootzone.figures.style import BLACK, SIZES, dates, new_figure, spread

_MOST_FRAMES = 240
_BEFORE, _AFTER = np.timedelta64(24, "h"), np.timedelta64(48, "h")
_PIXELS_PER_INCH = 90


def check_animation(config: RunConfig) -> None:
    """Refuse a film that the run could not have in the end.

    Raises
    ------
    ConfigError
        If no file gets the water table, the period lies outside the run, or ffmpeg, which MP4 needs, is not there.
    """
    spec = config.animation
    if spec is None:
        return
    if _file_of(config) is None:
        raise ConfigError(f"shows {WATER_TABLE_DEPTH}, which no file of `output` has", key="animation")
    if spec.format == "mp4" and not FFMpegWriter.isAvailable():
        raise ConfigError("mp4 needs ffmpeg, which is not installed; write gif", key="animation.format")
    for key, time in (("start", spec.start), ("end", spec.end)):
        if time is not None and not config.time.start <= time <= config.time.end:
            raise ConfigError(f"{time:%Y-%m-%dT%H:%M} is not in the time of the run", key=f"animation.{key}")


def write_animation(config: RunConfig, folder: OwnedFolder) -> Path:
    """Film a finished run whose configuration asks for it; returns the file."""
    spec, file = config.animation, _file_of(config)
    assert spec is not None
    assert file is not None
    (folder.path / FIGURES).mkdir(exist_ok=True)
    name = animation_file(spec.format)
    folder.own(name)
    with open_dataset(folder.path / file) as data:
        film(data, folder.path / name, spec, rivers_of_run(folder.path))
    return folder.path / name


def film(data: xr.Dataset, path: Path, spec: AnimationConfig, rivers: Rivers | None = None) -> None:
    """Draw a frame a record: map of the water table, and the rain below it with a mark at the time.

    Parameters
    ----------
    data : Dataset
        With water table depth (time, y, x), and precipitation if there is to be rain.
    path : Path
        The film.
    spec : AnimationConfig
        Period and speed. Of more than 240 records every second, third … is shown.
    rivers : Rivers, optional
        Drawn over the map.
    """
    table = quantity(_find(data, WATER_TABLE_DEPTH), by_day=True)
    rain = next((v for v in data.data_vars.values() if v.attrs.get("csdms_name") == RAIN), None)
    shown = _records(data["time"].values, _wettest(rain), spec)
    values = table.values.isel(time=shown)
    frames = values.values
    x, y = kilometres(values["x"].values), kilometres(values["y"].values)
    with matplotlib.rc_context(SIZES):
        ratio = float(np.clip(np.ptp(y) / max(np.ptp(x), 1.0e-9), 0.4, 1.6))
        figure = new_figure(6.4, 6.0 * ratio + 2.0)
        FigureCanvasAgg(figure)
        rows = 1 if rain is None else 2
        axes, *below = figure.subplots(rows, 1, squeeze=False, height_ratios=[4.0, 1.0][:rows])[:, 0]
        limits = spread(frames)
        cmap, _ = table.colours(frames[np.isfinite(frames)])
        image = draw_field(axes, frames[0], x, y, cmap=cmap, limits=limits, rivers=rivers, bar=False, words=False)
        colour_bar(axes, image, table.units, extend(frames[np.isfinite(frames)], limits))
        axes.set_xlabel("x [km]")
        axes.set_ylabel("y [km]")
        mark = None
        if rain is not None:
            part = slice(int(shown[0]), int(shown[-1]) + 1)
            draw_rain(below[0], rain.isel(time=part), data.isel(time=part))
            dates(below[0])
            mark = below[0].axvline(values["time"].values[0], color=BLACK, linewidth=1.2)
        axes.set_title(_title(table.title, values["time"].values[0]))
        figure.canvas.draw()
        figure.set_layout_engine("none")  # one layout for all frames
        writer = _writer(spec)
        with writer.saving(figure, str(path), _PIXELS_PER_INCH):
            for frame, time in zip(frames, values["time"].values, strict=True):
                image.set_data(frame)
                axes.set_title(_title(table.title, time))
                if mark is not None:
                    mark.set_xdata([time, time])
                writer.grab_frame()


def _writer(spec: AnimationConfig) -> AbstractMovieWriter:
    if spec.format == "mp4":
        # what players want: even numbers of pixels, and colours of four bytes for six values
        even = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]
        return FFMpegWriter(fps=spec.frames_per_second, extra_args=even)
    return PillowWriter(fps=spec.frames_per_second)


def _file_of(config: RunConfig) -> str | None:
    """File with the water table, one with the rain first, and of these the one written most often."""
    found = [o for o in config.output if any(end.variable == WATER_TABLE_DEPTH for end in o.variables)]
    with_rain = [o for o in found if any(end.variable == RAIN for end in o.variables)]
    best = min(with_rain or found, key=lambda o: o.every, default=None)
    return None if best is None else best.file


def _find(data: xr.Dataset, name: str) -> xr.DataArray:
    return next(v for v in data.data_vars.values() if v.attrs.get("csdms_name") == name)


def _wettest(rain: xr.DataArray | None) -> np.datetime64 | None:
    """End of the interval with the most rain; None without any."""
    if rain is None:
        return None
    depth = rain.mean([d for d in rain.dims if d != "time"]).values
    return None if not np.nanmax(depth, initial=0.0) > 0.0 else rain["time"].values[int(np.nanargmax(depth))]


def _records(times: NDArray[Any], wettest: np.datetime64 | None, spec: AnimationConfig) -> NDArray[np.intp]:
    """Positions of the records that are shown."""
    begin, end = times[0], times[-1]
    if wettest is not None:
        begin, end = max(begin, wettest - _BEFORE), min(end, wettest + _AFTER)
    begin = begin if spec.start is None else np.datetime64(spec.start, "ns")
    end = end if spec.end is None else np.datetime64(spec.end, "ns")
    inside = np.flatnonzero((times >= begin) & (times <= end))
    if not inside.size:
        inside = np.array([int(np.argmin(abs(times - begin)))])
    return inside[:: -(-inside.size // _MOST_FRAMES)]


def _title(title: str, time: np.datetime64) -> str:
    return f"{title}, {np.datetime_as_string(time, unit='m').replace('T', ' ')} UTC"
