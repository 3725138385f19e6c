"""Components that each break one law of nature."""

from pathlib import Path

import numpy as np
import yaml

from bmi_colm import BmiColm
from bmi_common import groundwater as names
from bmi_richards import BmiRichards


class Leaky(BmiRichards):
    """Says that its storage grows by 50 m3 an hour that nobody gave."""

    def get_value_ptr(self, name):
        values = super().get_value_ptr(name)
        return values + 50.0 * self.get_current_time() / 3600.0 if name == names.STORAGE_VOLUME else values


class Thirsty(BmiRichards):
    """Its wells say that they have taken twice as much."""

    def get_value_ptr(self, name):
        values = super().get_value_ptr(name)
        return 2.0 * values if name == names.EXTRACTION_VOLUME else values


class Stopping(BmiRichards):
    """Fails in a flood."""

    def update(self):
        super().update()
        if np.nanmax(super().get_value_ptr(names.PONDED_DEPTH)) > 0.05:
            raise RuntimeError("a flood")


class Cold(BmiColm):
    """Says that its surface is a degree colder than it radiates."""

    def get_value_ptr(self, name):
        values = super().get_value_ptr(name)
        return values - 1.0 if name == "land_surface__temperature" else values


class Dated(BmiColm):
    """Gives the ground more water after 2040."""

    def initialize(self, file=None):
        super().initialize(file)
        self.late = "204" in str(yaml.safe_load(Path(file).read_text())["start"])

    def get_value_ptr(self, name):
        values = super().get_value_ptr(name)
        return 1.5 * values if name == names.NET_SOURCE and self.late else values
