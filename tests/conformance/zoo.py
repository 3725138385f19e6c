"""A healthy component and relatives with one deliberate fault each; `rejected_by` names the check meant for it.

`Reservoir` collects precipitation in every cell of a plane, loses a part of it in every step and tells its depth,
temperature, volume and the overflow of two triangles. Its configuration: ``nx``, ``ny``, ``loss`` (JSON).
"""

import json
from pathlib import Path

import numpy as np
from bmipy import Bmi

RAIN = "atmosphere_water_precipitation__mass_flux"
DEPTH = "land_surface_water__depth"
TEMPERATURE = "land_surface__temperature"
VOLUME = "model_domain_water__storage_volume"
LAYERS = "soil_water__saturation"
FACES = "land_surface_water_face__count"

PLANE, SCALAR, TRIANGLES, COLUMN = range(4)
STEP = 3600.0

CONFIG = '{"nx": 4, "ny": 3, "loss": 0.1}'
INPUTS = {RAIN: 1.0e-4}


class Reservoir(Bmi):
    """The healthy one."""

    rejected_by = ""
    UNITS = {RAIN: "kg m-2 s-1", DEPTH: "m", TEMPERATURE: "K", VOLUME: "m3", LAYERS: "1", FACES: "1"}
    GRIDS = {RAIN: PLANE, DEPTH: PLANE, TEMPERATURE: PLANE, VOLUME: SCALAR, LAYERS: COLUMN, FACES: TRIANGLES}

    # life

    def initialize(self, config_file):
        self.config = json.loads(Path(config_file).read_text())
        ny, nx = self.config["ny"], self.config["nx"]
        self.shapes = {PLANE: (ny, nx), SCALAR: (), TRIANGLES: (4,), COLUMN: (2, ny, nx)}
        self.steps = 0
        self.values = {name: np.zeros(self.places(name), self.get_var_type(name)) for name in self.UNITS}
        self.values[TEMPERATURE][:] = 288.0
        self.values[LAYERS][:] = 0.5

    def places(self, name):
        return 2 if name == FACES else int(np.prod(self.shapes[self.GRIDS[name]]))

    def update(self):
        v = self.values
        v[DEPTH] += v[RAIN] * STEP / 1000.0
        v[DEPTH] *= 1.0 - self.config["loss"]
        v[TEMPERATURE] += 0.25 * np.sin(1.0 + self.steps)
        v[VOLUME][0] = 1.0e4 * v[DEPTH].sum()
        v[LAYERS][:] = 0.5 + 0.1 * np.tanh(v[DEPTH].mean())
        v[FACES] += 1
        self.steps += 1

    def update_until(self, time):
        count = (time - self.time()) / STEP
        if count > 0 and count != round(count):
            raise ValueError("between two steps")
        for _ in range(int(count)):
            self.update()

    def finalize(self):
        self.values = {}

    def time(self):
        return self.steps * STEP

    # names and times

    def get_component_name(self):
        return type(self).__name__

    def get_input_var_names(self):
        return (RAIN,)

    def get_output_var_names(self):
        return (DEPTH, TEMPERATURE, VOLUME, LAYERS, FACES)

    def get_input_item_count(self):
        return 1

    def get_output_item_count(self):
        return 5

    def get_start_time(self):
        return 0.0

    def get_current_time(self):
        return self.time()

    def get_end_time(self):
        return 1.0e9

    def get_time_step(self):
        return STEP

    def get_time_units(self):
        return "s"

    # variables

    def get_var_grid(self, name):
        return self.GRIDS[name]

    def get_var_type(self, name):
        return "int" if name == FACES else "float64"  # the int of C

    def get_var_units(self, name):
        return self.UNITS[name]

    def get_var_itemsize(self, name):
        return self.values[name].itemsize

    def get_var_nbytes(self, name):
        return self.values[name].nbytes

    def get_var_location(self, name):
        return "face" if name == FACES else "node"

    def get_value_ptr(self, name):
        return self.values[name]

    def get_value(self, name, dest):
        dest[:] = self.values[name]
        return dest

    def get_value_at_indices(self, name, dest, inds):
        dest[:] = self.values[name][inds]
        return dest

    def set_value(self, name, src):
        self.values[name][:] = src

    def set_value_at_indices(self, name, inds, src):
        self.values[name][inds] = src

    # states: no part of BMI

    def save_state(self, path):
        with Path(path).open("wb") as file:
            np.savez(file, steps=self.steps, **self.values)

    def load_state(self, path):
        with np.load(path) as saved:
            self.steps = int(saved["steps"])
            for name in self.values:
                self.values[name][:] = saved[name]

    # grids

    def get_grid_type(self, grid):
        return ("uniform_rectilinear", "scalar", "unstructured", "rectilinear")[grid]

    def get_grid_rank(self, grid):
        return (2, 0, 2, 3)[grid]

    def get_grid_size(self, grid):
        return int(np.prod(self.shapes[grid]))

    def get_grid_shape(self, grid, shape):
        if grid in (SCALAR, TRIANGLES):
            raise NotImplementedError
        shape[:] = self.shapes[grid]
        return shape

    def get_grid_spacing(self, grid, spacing):
        spacing[:] = 100.0
        return spacing

    def get_grid_origin(self, grid, origin):
        origin[:] = 50.0
        return origin

    def get_grid_x(self, grid, x):
        x[:] = (0.0, 1.0, 1.0, 0.0) if grid == TRIANGLES else 50.0 + 100.0 * np.arange(self.config["nx"])
        return x

    def get_grid_y(self, grid, y):
        y[:] = (0.0, 0.0, 1.0, 1.0) if grid == TRIANGLES else 50.0 + 100.0 * np.arange(self.config["ny"])
        return y

    def get_grid_z(self, grid, z):
        z[:] = (-1.5, -0.5)
        return z

    def get_grid_node_count(self, grid):
        if grid != TRIANGLES:
            raise NotImplementedError
        return 4

    def get_grid_edge_count(self, grid):
        return 5

    def get_grid_face_count(self, grid):
        return 2

    def get_grid_edge_nodes(self, grid, edge_nodes):
        edge_nodes[:] = (0, 1, 1, 2, 2, 3, 3, 0, 0, 2)
        return edge_nodes

    def get_grid_face_edges(self, grid, face_edges):
        face_edges[:] = (0, 1, 4, 4, 2, 3)
        return face_edges

    def get_grid_face_nodes(self, grid, face_nodes):
        face_nodes[:] = (0, 1, 2, 0, 2, 3)
        return face_nodes

    def get_grid_nodes_per_face(self, grid, nodes_per_face):
        nodes_per_face[:] = 3
        return nodes_per_face


# ---------------------------------------------------------------------- what BMI lets a component leave out


def _left_out(self, *arguments):
    raise NotImplementedError("left out")


class Frugal(Reservoir):
    """Leaves out all that BMI lets it: pointers, indices, `update_until`, states, the topology of its grid."""

    get_value_ptr = get_value_at_indices = set_value_at_indices = update_until = _left_out
    get_grid_edge_count = _left_out
    save_state = load_state = None


class Masked(Reservoir):
    """Has a cell without values."""

    def initialize(self, config_file):
        super().initialize(config_file)
        self.mask = np.ones(self.shapes[PLANE], dtype=bool)
        self.mask[0, 0] = False
        self.values[LAYERS][:: self.mask.size] = np.nan
        self.values[DEPTH][0] = np.nan

    def update(self):
        super().update()
        depth = self.values[DEPTH]
        self.values[VOLUME][0] = 1.0e4 * np.nansum(depth)
        self.values[LAYERS][:] = 0.5 + 0.1 * np.tanh(np.nanmean(depth))
        self.values[LAYERS][:: self.mask.size] = np.nan


# ---------------------------------------------------------------------- one fault each


class NoFunction(Reservoir):
    """Lacks a function."""

    rejected_by = "interface"
    get_grid_face_edges = None


class NoName(Reservoir):
    """Has no name."""

    rejected_by = "interface"

    def get_component_name(self):
        return ""


class FailingUpdate(Reservoir):
    """Raises in its second step."""

    rejected_by = "lifecycle"

    def update(self):
        if self.steps == 1:
            raise ZeroDivisionError("division by zero")
        super().update()


class UpdateLeftOut(Reservoir):
    """Leaves out what no component may."""

    rejected_by = "lifecycle"
    update = _left_out


class FailingFinalize(Reservoir):
    """Cannot finalize after steps."""

    rejected_by = "lifecycle"

    def finalize(self):
        if self.steps:
            raise OSError("cannot close")


class Undemanding(Reservoir):
    """Makes up values where its file is missing."""

    rejected_by = "missing_configuration"

    def initialize(self, config_file):
        if not Path(config_file).exists():
            config_file = Path(config_file).parent / "reservoir.json"
        super().initialize(config_file)


class Miscounted(Reservoir):
    """Counts one output too many."""

    rejected_by = "counts"

    def get_output_item_count(self):
        return 6


class NamedTwice(Reservoir):
    """Names an output twice."""

    rejected_by = "counts"

    def get_output_item_count(self):
        return 6

    def get_output_var_names(self):
        return (*super().get_output_var_names(), DEPTH)


class WrongType(Reservoir):
    """Calls doubles single precision."""

    rejected_by = "sizes"

    def get_var_type(self, name):
        return "float32" if name == DEPTH and self.values_exist() else super().get_var_type(name)

    def values_exist(self):
        return DEPTH in getattr(self, "values", {})


class WrongBytes(Reservoir):
    """Forgets the last value."""

    rejected_by = "sizes"

    def get_var_nbytes(self, name):
        return super().get_var_nbytes(name) - (8 if name == DEPTH else 0)


class WrongLocation(Reservoir):
    """Puts values of faces on nodes."""

    rejected_by = "sizes"

    def get_var_location(self, name):
        return "node"


class UnknownUnits(Reservoir):
    """Has a unit of its own."""

    rejected_by = "known_units"
    UNITS = Reservoir.UNITS | {FACES: "fathoms_per_fortnite"}


class WrongUnits(Reservoir):
    """Gives a depth in hours."""

    rejected_by = "known_units"
    UNITS = Reservoir.UNITS | {DEPTH: "h"}


class WrongShape(Reservoir):
    """Has a shape that is not its size."""

    rejected_by = "grid_sizes"

    def get_grid_shape(self, grid, shape):
        super().get_grid_shape(grid, shape)
        shape[0] += 1
        return shape


class UnknownGrid(Reservoir):
    """Has a grid type of its own."""

    rejected_by = "grid_sizes"

    def get_grid_type(self, grid):
        return "hexagonal" if grid == PLANE else super().get_grid_type(grid)


class WrongNodes(Reservoir):
    """Counts other nodes than values."""

    rejected_by = "grid_sizes"

    def get_grid_size(self, grid):
        return 5 if grid == TRIANGLES else super().get_grid_size(grid)


class SpacingElsewhere(Reservoir):
    """Has coordinates that do not follow from origin and spacing."""

    rejected_by = "grid_coordinates"

    def get_grid_spacing(self, grid, spacing):
        spacing[:] = 200.0
        return spacing


class NoSpacing(Reservoir):
    """Does not fill its spacing."""

    rejected_by = "grid_coordinates"

    def get_grid_spacing(self, grid, spacing):
        return spacing


class UnorderedLayers(Reservoir):
    """Has layers at the same height."""

    rejected_by = "grid_coordinates"

    def get_grid_z(self, grid, z):
        z[:] = -1.0
        return z


class OneBasedNodes(Reservoir):
    """Counts nodes from one."""

    rejected_by = "grid_topology"

    def get_grid_face_nodes(self, grid, face_nodes):
        return super().get_grid_face_nodes(grid, face_nodes).__iadd__(1)


class Drifting(Reservoir):
    """Has a clock that runs ahead by a billionth."""

    rejected_by = "exact_times"

    def time(self):
        return super().time() * (1.0 + 1.0e-9)


class LateStart(Reservoir):
    """Does not start at its start time."""

    rejected_by = "exact_times"

    def get_start_time(self):
        return -STEP


class NoTimeUnits(Reservoir):
    """Has no units of time."""

    rejected_by = "exact_times"

    def get_time_units(self):
        return "m"


class NeverArriving(Reservoir):
    """Stops one step before the time it is asked for."""

    rejected_by = "update_until"

    def update_until(self, time):
        super().update_until(time - STEP)


class Overshooting(Reservoir):
    """Takes a whole step where half of one is asked for, and does not say so."""

    rejected_by = "update_until"

    def update_until(self, time):
        while self.time() < time:
            self.update()


class Jumping(Reservoir):
    """Takes all of the way in one step."""

    rejected_by = "update_until"

    def update_until(self, time):
        if time > self.time():
            self.update()
            self.steps = round(time / STEP)


class RaisingForThePast(Reservoir):
    """Raises for a time that has passed."""

    rejected_by = "update_until"

    def update_until(self, time):
        if time < self.time():
            raise ValueError("a time in the past")
        super().update_until(time)


class OnlyOnce(Reservoir):
    """Cannot be initialized again."""

    rejected_by = "reinitialisation"
    finalized = False

    def initialize(self, config_file):
        if self.finalized:
            raise RuntimeError("already used")
        super().initialize(config_file)

    def finalize(self):
        self.finalized = True


class Remembering(Reservoir):
    """Keeps something of its first life."""

    rejected_by = "reinitialisation"
    memory = 0.0

    def update(self):
        super().update()
        self.memory += 1.0e-12
        self.values[TEMPERATURE] += self.memory

    def load_state(self, path):
        super().load_state(path)
        self.memory = self.steps * 1.0e-12

    def save_state(self, path):
        super().save_state(path)
        self.memory = self.steps * 1.0e-12


class SharedState(Reservoir):
    """Keeps its count of storms in the class."""

    rejected_by = "independent_instances"
    alive = 0

    def initialize(self, config_file):
        super().initialize(config_file)
        type(self).alive += 1

    def finalize(self):
        super().finalize()
        type(self).alive -= 1

    def update(self):
        super().update()
        self.values[TEMPERATURE] += 0.5 * (type(self).alive > 1)


class NanLater(Reservoir):
    """Makes a NaN in its second step."""

    rejected_by = "finite"

    def update(self):
        super().update()
        self.values[TEMPERATURE][1] = np.nan if self.steps == 2 else 288.0


class NanFromTheStart(Reservoir):
    """Has no value until its first step."""

    rejected_by = "finite"

    def initialize(self, config_file):
        super().initialize(config_file)
        self.values[VOLUME][:] = np.nan


class Celsius(Reservoir):
    """Calls degrees Celsius kelvin."""

    rejected_by = "possible_values"

    def initialize(self, config_file):
        super().initialize(config_file)
        self.values[TEMPERATURE][:] = 15.0


class Percent(Reservoir):
    """Calls percent a fraction."""

    rejected_by = "possible_values"

    def update(self):
        super().update()
        self.values[LAYERS] *= 100.0


class StalePointer(Reservoir):
    """Gives a copy for a pointer."""

    rejected_by = "pointers"

    def get_value_ptr(self, name):
        return super().get_value_ptr(name).copy()


class ReplacedArray(Reservoir):
    """Makes a new array in every step."""

    rejected_by = "pointers"

    def update(self):
        super().update()
        self.values[DEPTH] = self.values[DEPTH] * 1.0


class LiveValue(Reservoir):
    """Gives its own array for a copy."""

    rejected_by = "copies"

    def get_value(self, name, dest):
        return self.values[name]


class Unreturned(Reservoir):
    """Fills the array, but returns nothing."""

    rejected_by = "copies"

    def get_value(self, name, dest):
        super().get_value(name, dest)


class OneBasedIndices(Reservoir):
    """Counts indices from one."""

    rejected_by = "get_at_indices"

    def get_value_at_indices(self, name, dest, inds):
        return super().get_value_at_indices(name, dest, np.asarray(inds) - 1)


class SortedIndices(Reservoir):
    """Gives values in the order of the grid."""

    rejected_by = "get_at_indices"

    def get_value_at_indices(self, name, dest, inds):
        return super().get_value_at_indices(name, dest, np.sort(inds))


class SetsAll(Reservoir):
    """Sets everything where an index is asked for."""

    rejected_by = "set_at_indices"

    def set_value_at_indices(self, name, inds, src):
        self.values[name][:] = src[0]


class Rounding(Reservoir):
    """Keeps inputs in single precision."""

    rejected_by = "set_get"

    def set_value(self, name, src):
        super().set_value(name, np.asarray(src).astype("float32"))


class KeepsTheArray(Reservoir):
    """Keeps the caller's array."""

    rejected_by = "set_get"

    def get_value_ptr(self, name):
        if name == RAIN:
            raise NotImplementedError
        return super().get_value_ptr(name)

    def set_value(self, name, src):
        self.values[name] = src


class Deaf(Reservoir):
    """Takes inputs and does not use them."""

    rejected_by = "set_effect"

    def update(self):
        rain = self.values[RAIN].copy()
        self.values[RAIN][:] = 1.0e-4
        super().update()
        self.values[RAIN][:] = rain


class ForgetfulState(Reservoir):
    """Leaves something out of its state."""

    rejected_by = "state_restore"

    def initialize(self, config_file):
        super().initialize(config_file)
        self.memory = 0.0

    def update(self):
        super().update()
        self.memory += 1.0e-9
        self.values[TEMPERATURE] += self.memory


class SinglePrecisionState(Reservoir):
    """Writes single precision."""

    rejected_by = "state_restore"

    def save_state(self, path):
        with Path(path).open("wb") as file:
            np.savez(file, steps=self.steps, **{n: v.astype("float32") for n, v in self.values.items()})


class DisturbedBySaving(Reservoir):
    """Is not the same after saving."""

    rejected_by = "state_restore"

    def save_state(self, path):
        super().save_state(path)
        self.values[DEPTH] += 1.0e-12


HEALTHY = (Reservoir, Frugal, Masked)
FAULTY = tuple(c for c in vars().copy().values() if isinstance(c, type) and getattr(c, "rejected_by", ""))
