"""BMI classes as others write them: nothing of this project in them, each habit one that public components have.

All read a YAML file with `nx`, `ny` and, where they need it, other keys.
"""

from pathlib import Path

import numpy as np
import yaml

DEPTH = "surface_water__depth"
SLOPE = "topographic__gradient"
STEPS = "model__step_count"
MAP = "gis__raster_data"


class Raster:
    """Keeps a depth, and counts its steps in every cell.

    Names are known after `initialize`, there is no end time, values are other arrays after every step, `update_until`
    makes a step of no length at the end, slopes lie on the links between the nodes. `coordinates` says how it tells
    its coordinates: "nodes" (one a node, returned and not filled in), "filled" (one a node, filled in, nothing
    returned), "axes", "spacing" (none, but origin and spacing), "curved", "three" (a number that fits nothing) or "no".
    """

    def get_component_name(self):
        return "Raster of others"

    def initialize(self, config):
        with open(config) as file:  # noqa: PTH123
            self.config = c = yaml.safe_load(file)
        self.shape = c["ny"], c["nx"]
        self.x = 1000.0 * (np.arange(c["nx"]) + 0.5) + c.get("shift", 0.0)
        self.y = c.get("dy", 1000.0) * (np.arange(c["ny"]) + 0.5)
        if c.get("north_first"):
            self.y = self.y[::-1]
        self.time, self.step = 0.0, 1.0
        links = c["ny"] * (c["nx"] - 1) + c["nx"] * (c["ny"] - 1)
        self.values = {
            DEPTH: np.full(self.shape, 7.0),
            STEPS: np.zeros(self.shape),
            SLOPE: np.linspace(0.0, 1.0, links),
        }

    def get_input_var_names(self):
        self.values  # noqa: B018  # not before initialize
        return [DEPTH]

    def get_output_var_names(self):
        return list(self.values)

    def finalize(self):
        pass

    # time

    def get_start_time(self):
        return 0.0

    def get_current_time(self):
        return self.time

    def get_end_time(self):
        return None

    def get_time_step(self):
        return self.step

    def get_time_units(self):
        return "h"

    def update(self):
        steps = self.values[STEPS] + 1.0
        if self.time >= self.config.get("nan_after", np.inf):
            steps[1, 2] = np.nan
        self.values[STEPS] = steps
        self.time += self.step

    def update_until(self, time):
        while self.time < time:
            self.update()
        self.step = 0.0
        self.update()
        self.step = 1.0

    # variables

    def get_var_grid(self, name):
        return 0

    def get_var_type(self, name):
        return "float64"

    def get_var_units(self, name):
        return "m" if name == DEPTH else self.config.get("units", "-")

    def get_var_itemsize(self, name):
        return 8

    def get_var_nbytes(self, name):
        return self.values[name].nbytes

    def get_var_location(self, name):
        return "edge" if name == SLOPE else "node"

    def get_value_ptr(self, name):
        return self.values[name]

    def get_value(self, name, dest):
        dest[:] = self.values[name].flatten()
        return dest

    def set_value(self, name, src):
        self.values[name][:] = src.reshape(self.shape)

    # grid

    def get_grid_type(self, grid):
        return "structured_quadrilateral" if self.config.get("coordinates") == "curved" else "uniform_rectilinear"

    def get_grid_rank(self, grid):
        return 2

    def get_grid_shape(self, grid, shape):
        shape[:] = self.shape
        return shape

    def get_grid_size(self, grid):
        return self.shape[0] * self.shape[1]

    def get_grid_origin(self, grid, origin):
        if self.config["coordinates"] == "no":
            raise NotImplementedError
        origin[:] = self.y[0], self.x[0]
        return origin

    def get_grid_spacing(self, grid, spacing):
        spacing[:] = self.y[1] - self.y[0], self.x[1] - self.x[0]
        return spacing

    def get_grid_x(self, grid, x):
        return self._coordinate(x, 1)

    def get_grid_y(self, grid, y):
        return self._coordinate(y, 0)

    def _coordinate(self, dest, dimension):
        how = self.config.get("coordinates", "nodes")
        if how in ("spacing", "no"):
            raise NotImplementedError
        if how == "three":
            return np.zeros(3)
        nodes = np.meshgrid(self.y, self.x, indexing="ij")[dimension]
        if how == "curved":
            return nodes + 0.1 * nodes[::-1, ::-1] * nodes / 1000.0
        if how == "nodes":
            return nodes.reshape(-1)
        dest[:] = (self.y, self.x)[dimension] if how == "axes" else nodes.reshape(-1)
        return dest if how == "axes" else None


class StaticMap(Raster):
    """A map that never changes, without a time axis, like those of files: cell number, missing where `missing` says."""

    def initialize(self, config):
        super().initialize(config)
        values = self.config.get("scale", 1.0) * np.arange(1.0, 1.0 + self.get_grid_size(0)).reshape(self.shape)
        values.flat[list(self.config.get("missing", []))] = np.nan
        self.values = {MAP: values}

    def get_input_var_names(self):
        return ()

    def get_var_units(self, name):
        return self.config.get("units", "m")

    def get_time_units(self):
        return "1"

    def get_time_step(self):
        return self.config.get("step", 0.0)

    def get_end_time(self):
        return 0.0

    def update(self):
        raise NotImplementedError("there is nothing to step")

    update_until = update


class Watched(Raster):
    """Writes what it was given last into `taken.npy` beside its file."""

    def initialize(self, config):
        super().initialize(config)
        self.folder = Path(config).parent

    def set_value(self, name, src):
        super().set_value(name, src)
        np.save(self.folder / "taken.npy", self.values[name])
