"""Fake components: one well-behaved pair, and relatives that each have one fault.

All read a YAML file with `nx`, `ny`, `layers` (number; the bottom one is `bottom` = 10 m thick, the others 0.5 m)
and, where they need it, `step` [s], `end` [s], `at` (hour of the fault), `mask` (number of inactive cells).
"""

import hashlib
import json
import os
import signal
import threading
import time
import warnings
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import yaml

from bmi_common import ConfigError, DeclaredBmi, Role, Setup, Variable, grids
from bmi_common.bmi_base import FOREVER
from bmi_common.config import Config, ConfigPath, load_config
from bmi_common.groundwater import (
    DRAINAGE_VOLUME,
    GROUNDWATER_VARIABLES,
    LAYER_THICKNESS,
    NET_SOURCE,
    OUTFLOW_VOLUME,
    POROSITY,
    PRESSURE_HEAD,
    RUNOFF,
    SATURATION,
    STORAGE_VOLUME,
    WATER_TABLE_DEPTH,
)
from bmi_common.state_file import StateArray

RAIN = "atmosphere_water_precipitation__mass_flux"


class _Fake(DeclaredBmi):
    def _initialize(self, config_file: Path) -> Setup:
        self.config = yaml.safe_load(config_file.read_text())
        c = self.config
        self.dz = np.array([c.get("bottom", 10.0)] + [0.5] * (c["layers"] - 1))
        surface = grids.surface(c["ny"], c["nx"], 1000.0, c.get("dx", 1000.0))
        mask = np.ones(surface.shape, dtype=bool)
        mask.flat[: c.get("mask", 0)] = False
        return Setup(
            {
                grids.SURFACE: surface,
                grids.SUBSURFACE: grids.layered(surface, self.dz),
                grids.ROOT_ZONE: grids.root_zone(surface, self.dz, 10),
                grids.SCALAR: grids.scalar(),
                grids.POINTS: grids.points((), (), ()),
            },
            time_step=float(c.get("step", 3600.0)),
            end_time=float(c.get("end", FOREVER)),
            mask=mask,
        )

    def _fill(self, name, value):
        self.values[name][...] = value
        if self.values[name].ndim > 1:
            self.values[name][..., ~self.mask] = np.nan

    @property
    def hour(self):
        return self.time / 3600.0


class Land(_Fake):
    """Gives the top layer `rain` [h-1] and takes water from all layers in proportion to their saturation."""

    component_name = "Fake land"
    variables = (
        Variable(PRESSURE_HEAD, "m", grids.ROOT_ZONE, Role.INPUT),
        Variable(SATURATION, "1", grids.ROOT_ZONE, Role.INPUT),
        Variable(RAIN, "kg m-2 s-1", grids.SURFACE, Role.FORCING),
        Variable(NET_SOURCE, "h-1", grids.ROOT_ZONE, Role.OUTPUT, "net source", (-10.0, 10.0)),
        Variable(LAYER_THICKNESS, "m", grids.ROOT_ZONE, Role.STATIC),
        Variable(POROSITY, "1", grids.ROOT_ZONE, Role.STATIC),
    )

    def _start(self):
        self._fill(NET_SOURCE, 0.0)
        self._fill(LAYER_THICKNESS, self.config.get("thickness", self.dz[-10:, None, None]))
        self._fill(POROSITY, self.config.get("porosity", 0.4))

    def _update(self):
        rain = self.values[RAIN] * 3.6 / 0.5 if RAIN in self.supplied else self.config.get("rain", 0.002)
        source = -0.0005 * self.values[SATURATION]
        source[-1] += rain
        self._fill(NET_SOURCE, source)


class Bucket(_Fake):
    """Groundwater that stores the whole source as a rise of head in the layer that got it."""

    component_name = "Fake groundwater"
    variables = (
        *GROUNDWATER_VARIABLES,
        Variable(OUTFLOW_VOLUME, "m3", grids.SCALAR, Role.OUTPUT),
        Variable(DRAINAGE_VOLUME, "m3", grids.SCALAR, Role.OUTPUT),
    )
    leak = 0.0

    def _start(self):
        for v in self.variables:
            if v.role is not Role.INPUT:
                self._fill(v.name, 0.0)
        self._fill(PRESSURE_HEAD, np.reshape(self.config.get("head", -1.0), (-1, 1, 1)))
        self._fill(SATURATION, 0.5)
        self._fill(LAYER_THICKNESS, self.dz[:, None, None])
        self._fill(POROSITY, 0.4)
        self._publish()

    def set_value(self, name, src):
        super().set_value(name, src)
        if name == PRESSURE_HEAD:
            self._publish()

    def _publish(self):
        self._fill(STORAGE_VOLUME, 1.0e6 * np.nansum(self.dz[:, None, None] * (self.values[PRESSURE_HEAD] + 1.0)))

    def _update(self):
        hours = self._setup.time_step / 3600.0
        self.values[PRESSURE_HEAD][-10:] += self.values[NET_SOURCE] * hours * (1.0 - self.leak)
        self._fill(RUNOFF, 0.0)
        self._fill(OUTFLOW_VOLUME, 0.0)
        self._fill(DRAINAGE_VOLUME, 0.0)
        self._publish()


class LeakyBucket(Bucket):
    """Loses a tenth of the source without saying so."""

    leak = 0.1


class BreathingBucket(Bucket):
    """Takes a tenth of the source too much in one step and too little in the next."""

    @property
    def leak(self):
        return -0.1 if self.hour % 2 < 1 else 0.1


class CentimetreLayersBucket(Bucket):
    """Publishes layer thickness in cm."""

    variables = tuple(
        Variable(v.name, "cm" if v.name == LAYER_THICKNESS else v.units, v.grid, v.role) for v in Bucket.variables
    )

    def _start(self):
        super()._start()
        self._fill(LAYER_THICKNESS, 100.0 * self.dz[:, None, None])


class WarningBucket(Bucket):
    """Warns when it is set up, and in its third step."""

    def _start(self):
        warnings.warn("the bucket was never cleaned", UserWarning, stacklevel=1)
        super()._start()

    def _update(self):
        super()._update()
        if self.time == 7200.0:
            warnings.warn("the bucket is nearly full", UserWarning, stacklevel=1)


class DrainingBucket(Bucket):
    """Loses 10 mm an hour through the bottom, and says so."""

    def _update(self):
        super()._update()
        head = 1.0e-3 * self._setup.time_step / 3600.0
        self.values[PRESSURE_HEAD][0] -= head
        self._fill(DRAINAGE_VOLUME, 1.0e6 * head * self.dz[0] * self.mask.sum())
        self._publish()


class SettlingBucket(Bucket):
    """Relaxes towards a head of 0 m, by half in every step, and calls the water that this takes drainage."""

    def _update(self):
        super()._update()
        before = float(self.values[STORAGE_VOLUME])
        self.values[PRESSURE_HEAD][...] *= 0.5
        self._publish()
        self._fill(DRAINAGE_VOLUME, before - float(self.values[STORAGE_VOLUME]))


class FailingBucket(Bucket):
    """Raises in hour `at`."""

    def _update(self):
        if self.hour >= self.config["at"]:
            raise ZeroDivisionError("the fake divides by zero")
        super()._update()


class NanBucket(Bucket):
    """Makes one NaN in hour `at`."""

    def _update(self):
        super()._update()
        if self.hour >= self.config["at"]:
            self.values[SATURATION][-1, 1, 2] = np.nan


class HugeBucket(Bucket):
    """Makes one absurd head in hour `at`."""

    def _update(self):
        super()._update()
        if self.hour >= self.config["at"]:
            self.values[PRESSURE_HEAD][-2, 1, 0] = 1.0e12


class LateBucket(Bucket):
    """Does not advance when asked."""

    def update(self):
        return


class SlowBucket(Bucket):
    """Sleeps in every step, for `sleep` [s]."""

    def _update(self):
        time.sleep(self.config["sleep"])
        super()._update()


class HangingBucket(Bucket):
    """Does not come back from hour `at` before it is let go; without `at`, from `initialize`."""

    let_go = threading.Event()

    def _start(self):
        super()._start()
        if "at" not in self.config:
            self.let_go.wait()

    def _update(self):
        if self.hour >= self.config["at"]:
            self.let_go.wait()
        super()._update()


class MortalBucket(Bucket):
    """Kills its own process in hour `at`."""

    def _update(self):
        if self.hour >= self.config["at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        super()._update()


class RefusingBucket(Bucket):
    """Refuses every configuration."""

    def _initialize(self, config_file):
        raise ConfigError(f"{config_file}: not today")


class CrashingBucket(Bucket):
    """Crashes while it initializes."""

    def _initialize(self, config_file):
        raise KeyError("nx")


class SinglePrecisionBucket(Bucket):
    """Has every variable in float32."""

    variables = tuple(replace(v, dtype="float32") for v in Bucket.variables)


class PointerlessBucket(Bucket):
    """Has no pointers, as components behind a network."""

    def get_value_ptr(self, name):
        raise NotImplementedError("no pointers here")

    def get_value(self, name, dest):
        dest[...] = self._flat[name].reshape(dest.shape)
        return dest

    def set_value(self, name, src):
        self._flat[name][:] = np.asarray(src).reshape(-1)
        self.supplied.add(name)
        if name == PRESSURE_HEAD:
            self._publish()


class CutOffBucket(PointerlessBucket):
    """Stops answering in hour `at`, as a server that went away."""

    def get_value(self, name, dest):
        if self.hour >= self.config.get("at", 0):
            raise ConnectionError("the server is gone")
        return super().get_value(name, dest)


class HourBucket(Bucket):
    """Counts time in hours from 100."""

    def get_time_units(self):
        return "hours since 2000-01-01"

    def get_start_time(self):
        return 100.0

    def get_current_time(self):
        return 100.0 + super().get_current_time() / 3600.0

    def get_end_time(self):
        return 1.0e12

    def get_time_step(self):
        return super().get_time_step() / 3600.0

    def update_until(self, time):
        super().update_until((time - 100.0) * 3600.0)


class CentimetreBucket(Bucket):
    """Publishes pressure head in cm."""

    variables = tuple(
        replace(v, units="cm", valid_range=None) if PRESSURE_HEAD in (v.name, v.part_of) else v
        for v in Bucket.variables
    )


class KelvinBucket(Bucket):
    """Publishes pressure head in K."""

    variables = tuple(
        replace(v, units="K", valid_range=None) if PRESSURE_HEAD in (v.name, v.part_of) else v for v in Bucket.variables
    )


class FileSettings(Config):
    """Settings of `FileBucket`."""

    nx: int
    ny: int
    layers: int
    head_file: ConfigPath
    start: datetime | None = None
    tuning: dict[str, float] = {}


class FileBucket(Bucket):
    """Reads its initial head from a text file that its configuration names."""

    def _initialize(self, config_file):
        self.settings = load_config(config_file, FileSettings)
        setup = super()._initialize(config_file)
        self.config["head"] = float(self.settings.head_file.read_text())
        return setup

    @property
    def provenance(self):
        file = self.settings.head_file
        return {str(file): hashlib.sha256(file.read_bytes()).hexdigest()}


class TypicalLand(Land):
    """Land whose source differs between cells and changes in time."""

    def _update(self):
        super()._update()
        cells = np.arange(self.mask.size).reshape(self.mask.shape)
        self.values[NET_SOURCE][...] *= 1.0 + 0.1 * cells + 0.01 * self.hour


class Clock(_Fake):
    """Publishes the time that it has reached and the length of its last step."""

    component_name = "Clock"
    variables = (
        Variable("clock__time", "h", grids.SURFACE, Role.OUTPUT),
        Variable("clock__step_length", "h", grids.SURFACE, Role.OUTPUT),
    )

    def _start(self):
        self._fill("clock__time", 0.0)
        self._fill("clock__step_length", 0.0)

    def _update(self):
        hours = self._setup.time_step / 3600.0
        self._fill("clock__time", self.hour + hours)
        self._fill("clock__step_length", hours)


class Listener(_Fake):
    """Writes what it was given in each of its steps to the file `record`; None where it was given nothing."""

    component_name = "Listener"
    variables = (
        Variable("heard__time", "h", grids.SURFACE, Role.FORCING),
        Variable("heard__length", "h", grids.SURFACE, Role.FORCING),
        Variable("heard__state", "h", grids.SURFACE, Role.STATE),
    )

    def _start(self):
        self.heard = []
        self._fill("heard__state", 0.0)

    def _update(self):
        given = {n: float(self.values[n][0, 0]) if n in self.supplied else None for n in self._table}
        self.heard.append(given)

    def _finalize(self):
        if "record" in self.config:
            Path(self.config["record"]).write_text(json.dumps(self.heard))


class SurfaceBucket(Listener):
    """Takes nothing per layer."""

    component_name = "Surface only"
    variables = (Variable(NET_SOURCE, "h-1", grids.SURFACE, Role.FORCING),)

    def _start(self):
        return

    def _update(self):
        return


class BadClockBucket(Bucket):
    """Tells a step of nothing."""

    def get_time_step(self):
        return 0.0


class NotBmi:
    """Has nothing that a BMI class has."""


class NoisyBucket(Bucket):
    """Draws from NumPy's global generator in every step."""

    def _update(self):
        super()._update()
        self.values[PRESSURE_HEAD][-1] += 1e-3 * np.random.random(self.values[PRESSURE_HEAD][-1].shape)  # noqa: NPY002


class DryTableBucket(Bucket):
    """Loses one water table, which it hands to nobody, in hour `at`."""

    def _update(self):
        super()._update()
        if self.hour >= self.config["at"]:
            self.values[WATER_TABLE_DEPTH][1, 3] = np.nan


class RememberingBucket(Bucket):
    """Drains by what it remembers of all sources so far, in single precision, as a network does."""

    def _start(self):
        self.hidden = np.zeros((2, *self.mask.shape), dtype=np.float32)
        super()._start()

    def _update(self):
        seen = self.values[NET_SOURCE][-1].astype(np.float32)
        self.hidden = np.tanh(0.9 * self.hidden + np.stack((seen, 100.0 * seen)))
        super()._update()
        self.values[PRESSURE_HEAD][-1] -= 1.0e-4 * self.hidden.sum(axis=0)
        self.values[SATURATION][-1] = 0.5 + 0.1 * self.hidden[1]
        self._publish()

    def _state_dict(self):
        return {"hidden": StateArray(self.hidden, ("channel", "y", "x"))}

    def _load_state_dict(self, state):
        self.hidden = state["hidden"].copy()


class ForeignBucket(Bucket):
    """Has no state files, as a BMI class from elsewhere."""

    save_state = None
    load_state = None
    start_from = None


class ForgetfulBucket(Bucket):
    """Says that its state files would not hold all that it remembers."""

    saves_state = False


class KilledBucket(RememberingBucket):
    """Kills its own process in the middle of saving its state in hour `at`."""

    def save_state(self, path):
        if self.hour >= self.config["at"]:
            Path(path).write_bytes(b"half a file")
            os.kill(os.getpid(), signal.SIGKILL)
        super().save_state(path)


class SteadyLand(Land):
    """Gives less from step to step, by what it remembers and not by the clock."""

    def _start(self):
        self.wear = np.ones(1)
        super()._start()

    def _update(self):
        super()._update()
        self.values[NET_SOURCE][...] *= self.wear
        self.wear *= 0.99

    def _state_dict(self):
        return {"wear": StateArray(self.wear)}

    def _load_state_dict(self, state):
        self.wear = state["wear"].copy()


class RememberingLand(SteadyLand, TypicalLand):
    """The same, with a source that differs between cells and changes with the clock, too."""


class Well(Bucket):
    """Groundwater of one head a column, which rises by all that its layers get; saturation follows the head."""

    def _publish(self):
        head = self.values[PRESSURE_HEAD]
        self._fill(SATURATION, np.clip(0.5 + 0.05 * (head + 1.0), 0.1, 1.0))
        self._fill(STORAGE_VOLUME, 1.0e6 * self.dz.sum() * 0.1 * np.nansum(head[0] + 10.0))

    def _update(self):
        thickness = self.dz[-10:, None, None]
        water = (self.values[NET_SOURCE] * thickness).sum(axis=0) * self._setup.time_step / 3600.0
        self.values[PRESSURE_HEAD][...] += water / (0.1 * self.dz.sum()) + self.bias
        self._fill(RUNOFF, 0.0)
        self._fill(OUTFLOW_VOLUME, 0.0)
        self._fill(DRAINAGE_VOLUME, 0.0)
        self._publish()

    @property
    def bias(self):
        """Head that comes from nowhere in a step [m], from the file `surrogate.checkpoint`."""
        weights = self.config.get("surrogate", {}).get("checkpoint")
        return 0.0 if weights is None else float(Path(weights).read_text())


class OtherNamedWell(Well):
    """The same under another name, as physics and surrogate have."""

    component_name = "Fake physics"


class DrainingWell(Well):
    """Falls by 2 cm in every step."""

    @property
    def bias(self):
        return -0.02


class SlowForeignBucket(SlowBucket, ForeignBucket):
    """Takes its time, and has no state files."""
