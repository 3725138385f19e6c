from pathlib import Path

import netCDF4
import numpy as np
import pytest
from fakes import DEPTH, HEAD, RAIN, THICKNESS, VOLUME, WIND, Bucket

from bmi_common import BmiStateError, ModelError, Role, State, UnknownNameError, Variable, grids
from bmi_common.groundwater import BALANCE_VARIABLES, GROUNDWATER_VARIABLES
from bmi_common.groundwater import ROOT_ZONE_HEAD as PART

HOUR = 3600.0
ALL_NAMES = [v.name for v in Bucket.variables]


# ---------------------------------------------------------------------- life cycle


def test_names_units_and_types_are_known_before_initialize() -> None:
    component = Bucket()
    assert component.get_component_name() == "Bucket"
    assert component.get_input_var_names() == (RAIN, WIND)
    assert component.get_output_var_names() == (DEPTH, HEAD, THICKNESS, VOLUME)
    assert (component.get_input_item_count(), component.get_output_item_count()) == (2, 4)
    assert component.get_var_units(RAIN) == "kg m-2 s-1"
    assert component.get_var_grid(HEAD) == grids.SUBSURFACE
    assert component.get_var_type(HEAD) == "float64"
    assert component.get_var_itemsize(HEAD) == 8
    assert component.get_var_location(HEAD) == "node"
    assert component.get_time_units() == "s"
    assert component.get_start_time() == 0.0


def test_a_component_says_what_it_is_where_it_computes_and_when(config: str) -> None:
    component = Bucket()
    assert repr(component) == "<Bucket: not initialized>"
    component.initialize(config)
    component.values[RAIN][...] = 0.0
    component.update()
    assert repr(component) == "<Bucket: 11 layers of 3 x 4 cells of 100 x 200 m, 12 active, after 1 h>"
    component.finalize()
    assert repr(component) == "<Bucket: finalized>"


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.update(),
        lambda c: c.update_until(HOUR),
        lambda c: c.get_current_time(),
        lambda c: c.get_end_time(),
        lambda c: c.get_time_step(),
        lambda c: c.get_value_ptr(DEPTH),
        lambda c: c.get_value(DEPTH, np.empty(12)),
        lambda c: c.set_value(RAIN, np.zeros(12)),
        lambda c: c.get_var_nbytes(DEPTH),
        lambda c: c.get_grid_size(0),
    ],
)
def test_what_needs_a_configuration_is_refused_before_initialize_and_after_finalize(call, config: str) -> None:
    component = Bucket()
    with pytest.raises(BmiStateError, match="has not been called"):
        call(component)
    component.initialize(config)
    component.finalize()
    with pytest.raises(BmiStateError, match="finalized"):
        call(component)


def test_state_follows_the_life_of_the_component(config: str) -> None:
    component = Bucket()
    assert component.state is State.CREATED
    component.initialize(config)
    assert component.state is State.INITIALIZED
    component.finalize()
    assert component.state is State.FINALIZED


def test_second_initialize_is_refused_and_leaves_the_component_as_it_was(rained_on: Bucket, config: str) -> None:
    rained_on.update()
    with pytest.raises(BmiStateError, match="already initialized; call finalize"):
        rained_on.initialize(config)
    assert rained_on.get_current_time() == HOUR


def test_initialize_after_finalize_starts_afresh(rained_on: Bucket, config: str) -> None:
    rained_on.update()
    rained_on.finalize()
    rained_on.initialize(config)
    assert rained_on.get_current_time() == 0.0
    assert rained_on.get_value_ptr(DEPTH).max() == 0.0
    assert np.isnan(rained_on.get_value_ptr(RAIN)).all()
    with pytest.raises(BmiStateError, match="not been supplied"):
        rained_on.update()


def test_finalize_releases_once_however_often_it_is_called(config: str) -> None:
    component = Bucket()
    component.finalize()
    component.initialize(config)
    component.finalize()
    component.finalize()
    assert Bucket.released.count(component) == 1


def test_failed_configuration_can_be_corrected_and_initialized_again(write, config: str) -> None:
    component = Bucket()
    with pytest.raises(ValueError, match="did you mean 'nx'"):
        component.initialize(str(write("nxx: 4", "wrong.yaml")))
    assert component.state is State.CREATED
    component.initialize(config)
    assert component.state is State.INITIALIZED


def test_failed_start_releases_what_was_opened(write, config: str) -> None:
    component = Bucket()
    with pytest.raises(MemoryError):
        component.initialize(str(write("fail_at_start: true", "wrong.yaml")))
    assert component.state is State.CREATED
    assert Bucket.released.count(component) == 1
    component.initialize(config)
    assert component.get_current_time() == 0.0


def test_failed_update_names_the_cell_and_the_component_refuses_to_go_on(bucket: Bucket, config: str) -> None:
    bucket.set_value(RAIN, np.full(12, 1.0e6))
    with pytest.raises(ModelError, match=r"Bucket: land_surface_water__depth is inf \[m\], at cell \(j=1, i=2\)") as e:
        bucket.update()
    assert e.value.cell == (1, 2)
    assert bucket.state is State.FAILED
    for call in (bucket.update, bucket.get_current_time, lambda: bucket.get_value_ptr(DEPTH)):
        with pytest.raises(BmiStateError, match="an earlier call failed"):
            call()
    with pytest.raises(BmiStateError, match="finalize"):
        bucket.initialize(config)
    bucket.finalize()
    bucket.initialize(config)
    assert bucket.get_current_time() == 0.0


# ---------------------------------------------------------------------- time


def test_update_advances_time_by_exactly_one_step(rained_on: Bucket) -> None:
    for step in range(1, 50):
        rained_on.update()
        assert rained_on.get_current_time() == step * HOUR
    assert rained_on.get_value_ptr(DEPTH) == pytest.approx(np.full(12, 0.049))


def test_times_are_python_floats_and_counts_python_ints(rained_on: Bucket) -> None:
    rained_on.update()
    times = (rained_on.get_start_time(), rained_on.get_current_time(), rained_on.get_time_step())
    assert all(type(t) is float for t in (*times, rained_on.get_end_time()))
    counts = (rained_on.get_grid_size(1), rained_on.get_grid_rank(1), rained_on.get_grid_node_count(1))
    assert all(type(n) is int for n in (*counts, rained_on.get_var_nbytes(HEAD), rained_on.get_var_grid(HEAD)))


def test_update_until_a_past_or_present_time_does_nothing(rained_on: Bucket) -> None:
    rained_on.update_until(3 * HOUR)
    for time in (3 * HOUR, HOUR, 0.0, -5.0, 1.5 * HOUR):
        rained_on.update_until(time)
        assert rained_on.get_current_time() == 3 * HOUR


def test_time_that_is_skipped_changes_nothing_but_the_clock(rained_on: Bucket) -> None:
    before = {name: values.copy() for name, values in rained_on.values.items()}
    at = rained_on.get_current_time()
    rained_on.skip_until(at + 5 * HOUR)
    rained_on.skip_until(at)  # past
    assert rained_on.get_current_time() == at + 5 * HOUR
    for name, values in before.items():
        np.testing.assert_array_equal(rained_on.values[name], values)
    with pytest.raises(ValueError, match="skip_until"):
        rained_on.skip_until(at + 5.5 * HOUR)


def test_update_until_a_fraction_of_a_step_names_the_nearest_times_and_does_not_advance(rained_on: Bucket) -> None:
    rained_on.update()
    with pytest.raises(ValueError, match=r"9000 s is no whole number of steps.*nearest are 7200 s and 10800 s"):
        rained_on.update_until(2.5 * HOUR)
    assert rained_on.get_current_time() == HOUR


def test_update_until_tolerates_the_rounding_of_a_time_sum(rained_on: Bucket) -> None:
    rained_on.update_until(sum([0.1] * 36000))  # 3600.00000001...
    assert rained_on.get_current_time() == HOUR


@pytest.mark.parametrize("time", [3 * HOUR, float("nan"), float("inf")])
def test_update_until_beyond_the_end_is_refused_before_the_first_step(write, time: float) -> None:
    component = Bucket()
    component.initialize(str(write("end_time: 7200.0")))
    component.set_value(RAIN, np.zeros(12))
    with pytest.raises(ValueError, match="end time, 7200 s"):
        component.update_until(time)
    assert component.get_current_time() == 0.0
    component.update_until(component.get_end_time())
    assert component.get_current_time() == 2 * HOUR


def test_update_at_the_end_time_is_refused_and_the_component_lives_on(write) -> None:
    component = Bucket()
    component.initialize(str(write("end_time: 3600.0")))
    component.set_value(RAIN, np.zeros(12))
    component.update()
    with pytest.raises(BmiStateError, match="the end time, 3600 s, has been reached"):
        component.update()
    assert component.state is State.INITIALIZED


# ---------------------------------------------------------------------- inputs


def test_update_without_its_input_names_variable_and_units(bucket: Bucket) -> None:
    with pytest.raises(BmiStateError, match=r"'atmosphere_water_precipitation__mass_flux' \[kg m-2 s-1\]"):
        bucket.update()
    assert bucket.get_current_time() == 0.0
    bucket.set_value(RAIN, np.zeros(12))
    bucket.update()
    assert bucket.get_current_time() == HOUR


def test_input_supplied_in_part_is_refused_with_the_first_cell_left_out(bucket: Bucket) -> None:
    bucket.set_value_at_indices(RAIN, np.arange(6), np.zeros(6))
    with pytest.raises(BmiStateError, match=r"6 active cells, the first at cell \(j=1, i=2\)"):
        bucket.update()
    bucket.set_value_at_indices(RAIN, np.arange(6, 12), np.zeros(6))
    bucket.update()


def test_input_that_turns_nan_is_refused_where_cells_are_active_only(write) -> None:
    component = Bucket()
    component.initialize(str(write("dry_column: true")))
    rain = np.zeros((3, 4))
    rain[0, 0] = np.nan
    component.set_value(RAIN, rain)
    component.update()
    rain[2, 3] = np.nan
    component.set_value(RAIN, rain)
    with pytest.raises(BmiStateError, match=r"1 active cells, the first at cell \(j=2, i=3\)"):
        component.update()


def test_input_written_through_the_pointer_counts_as_supplied(bucket: Bucket) -> None:
    bucket.get_value_ptr(RAIN)[:] = 0.0
    bucket.update()
    assert bucket.get_current_time() == HOUR


def test_forcing_need_not_be_supplied_and_a_set_value_is_announced_for_one_step(rained_on: Bucket) -> None:
    rained_on.set_value(WIND, np.full(12, 2.0))
    rained_on.update()
    assert rained_on.seen_as_supplied == {RAIN, WIND}
    rained_on.update()
    assert rained_on.seen_as_supplied == frozenset()


@pytest.mark.parametrize("name", [DEPTH, THICKNESS, VOLUME])
def test_setting_an_output_is_refused(bucket: Bucket, name: str) -> None:
    before = bucket.get_value_ptr(name).copy()
    with pytest.raises(BmiStateError, match=f"{name}.* cannot be set"):
        bucket.set_value(name, np.zeros(before.size))
    with pytest.raises(BmiStateError, match=f"{name}.* cannot be set"):
        bucket.set_value_at_indices(name, np.array([0]), np.array([5.0]))
    np.testing.assert_array_equal(bucket.get_value_ptr(name), before)


def test_state_is_an_output_that_can_be_set(bucket: Bucket) -> None:
    heads = np.arange(132.0)
    bucket.set_value(HEAD, heads)
    np.testing.assert_array_equal(bucket.get_value_ptr(HEAD), heads)
    assert HEAD in bucket.get_output_var_names()
    assert HEAD not in bucket.get_input_var_names()


# ---------------------------------------------------------------------- outputs on demand

DOUBLE = "land_surface_water__double_of_depth"


class Deriving(Bucket):
    """Derives an output from the rain of the last step, which it forgets where it is restored."""

    variables = (*Bucket.variables, Variable(DOUBLE, "m", grids.SURFACE, Role.OUTPUT))
    on_demand = frozenset({DOUBLE})
    derived = 0
    last = 0.0

    def _update(self) -> None:
        super()._update()
        self.last = 2.0 * float(self.values[DEPTH].max())
        self._renew_on_demand()

    def _derive(self, name: str, values: np.ndarray) -> None:
        self.derived += 1
        values[...] = self.last


def deriving(config: str, hours: int) -> Deriving:
    component = Deriving()
    component.initialize(config)
    for _ in range(hours):
        component.set_value(RAIN, np.full(12, 1.0e-3))
        component.set_value(WIND, np.zeros(12))
        component.update()
    return component


def test_an_output_on_demand_is_made_when_it_is_taken_and_kept_up_to_date_from_then_on(config: str) -> None:
    component = deriving(config, 3)
    assert component.derived == 0
    assert component.get_var_nbytes(DOUBLE) == 12 * 8
    assert component.derived == 0
    pointer = component.get_value_ptr(DOUBLE)
    assert pointer == pytest.approx(2.0 * component.values[DEPTH].ravel())
    component.set_value(RAIN, np.full(12, 1.0e-3))
    component.update()
    assert component.get_value_ptr(DOUBLE) is pointer
    assert pointer == pytest.approx(2.0 * component.values[DEPTH].ravel())
    assert component.derived == 2


def test_a_state_holds_an_output_on_demand_whether_it_was_taken_or_not(config: str, tmp_path: Path) -> None:
    taken, left = deriving(config, 3), deriving(config, 3)
    taken.get_value_ptr(DOUBLE)
    for component, name in ((taken, "taken.nc"), (left, "left.nc")):
        component.save_state(tmp_path / name)
        restored = Deriving()
        restored.initialize(config)
        restored.load_state(tmp_path / name)
        assert restored.get_value_ptr(DOUBLE) == pytest.approx(component.last)  # though it has forgotten
    assert left.derived == 1
    restored = Deriving()
    restored.initialize(config)
    restored.load_state(tmp_path / "left.nc")
    restored.set_value(RAIN, np.zeros(12))
    restored.set_value(WIND, np.zeros(12))
    restored.update()  # what the state brought is of the past now
    restored.last = 7.0
    assert restored.get_value_ptr(DOUBLE) == pytest.approx(7.0)


def test_values_that_somebody_looked_up_after_a_state_was_loaded_are_kept_up_to_date(
    config: str, tmp_path: Path
) -> None:
    deriving(config, 3).save_state(tmp_path / "state.nc")
    restored = Deriving()
    restored.initialize(config)
    restored.load_state(tmp_path / "state.nc")
    held = restored.values[DOUBLE]
    restored.set_value(RAIN, np.full(12, 1.0e-3))
    restored.set_value(WIND, np.zeros(12))
    restored.update()
    assert restored.values[DOUBLE] is held
    assert held == pytest.approx(2.0 * restored.values[DEPTH])


# ---------------------------------------------------------------------- values


@pytest.mark.parametrize("name", ALL_NAMES)
def test_pointer_is_flat_contiguous_and_the_same_object_across_updates(rained_on: Bucket, name: str) -> None:
    pointer = rained_on.get_value_ptr(name)
    assert pointer.ndim == 1
    assert pointer.flags.c_contiguous
    assert pointer.flags.writeable
    rained_on.update()
    assert rained_on.get_value_ptr(name) is pointer


def test_pointer_is_live(rained_on: Bucket) -> None:
    depth = rained_on.get_value_ptr(DEPTH)
    rained_on.update()
    first = depth.copy()
    rained_on.update()
    assert depth == pytest.approx(2 * first)


def test_values_are_views_of_the_pointer_in_grid_shape(bucket: Bucket) -> None:
    bucket.get_value_ptr(HEAD)[:] = np.arange(132.0)
    assert bucket.values[HEAD].shape == (11, 3, 4)
    assert bucket.values[HEAD][10, 2, 3] == 131.0
    assert bucket.values[HEAD][1, 0, 2] == 14.0
    assert all(np.shares_memory(bucket.values[n], bucket.get_value_ptr(n)) for n in ALL_NAMES)


@pytest.mark.parametrize("shape", [(12,), (3, 4)])
def test_get_value_copies_into_flat_or_shaped_arrays(rained_on: Bucket, shape: tuple[int, ...]) -> None:
    rained_on.update()
    target = np.empty(shape)
    assert rained_on.get_value(DEPTH, target) is target
    copied = target.copy()
    rained_on.update()
    np.testing.assert_array_equal(target, copied)
    assert copied == pytest.approx(np.full(shape, 0.001))


def test_set_value_copies(rained_on: Bucket) -> None:
    rain = np.zeros((3, 4))
    rained_on.set_value(RAIN, rain)
    rain[...] = 5.0
    assert rained_on.get_value_ptr(RAIN).max() == 0.0


@pytest.mark.parametrize("size", [1, 11, 13, 132])
def test_arrays_of_a_wrong_size_are_refused(bucket: Bucket, size: int) -> None:
    with pytest.raises(ValueError, match=f"has 12 values, the array given has {size}"):
        bucket.get_value(DEPTH, np.empty(size))
    with pytest.raises(ValueError, match=f"has 12 values, the array given has {size}"):
        bucket.set_value(RAIN, np.zeros(size))


def test_values_at_indices_are_read_and_written(bucket: Bucket) -> None:
    bucket.set_value_at_indices(HEAD, np.array([131, 0, 7]), np.array([3.0, 1.0, 2.0]))
    target = np.empty(4)
    assert bucket.get_value_at_indices(HEAD, target, np.array([0, 7, 131, 1])) is target
    np.testing.assert_array_equal(target, [1.0, 2.0, 3.0, -1.0])


@pytest.mark.parametrize("index", [-1, 12])
def test_indices_outside_the_variable_are_refused(bucket: Bucket, index: int) -> None:
    with pytest.raises(ValueError, match="has indices from 0 to 11"):
        bucket.get_value_at_indices(DEPTH, np.empty(1), np.array([index]))
    with pytest.raises(ValueError, match="has indices from 0 to 11"):
        bucket.set_value_at_indices(RAIN, np.array([index]), np.zeros(1))


def test_number_of_indices_and_of_values_must_agree(bucket: Bucket) -> None:
    with pytest.raises(ValueError, match="2 indices for 1 values"):
        bucket.set_value_at_indices(RAIN, np.array([1, 2]), np.zeros(1))
    with pytest.raises(ValueError, match="2 indices for 3 values"):
        bucket.get_value_at_indices(RAIN, np.empty(3), np.array([1, 2]))


@pytest.mark.parametrize("name", ALL_NAMES)
def test_sizes_agree_with_one_another(bucket: Bucket, name: str) -> None:
    pointer = bucket.get_value_ptr(name)
    assert pointer.dtype == bucket.get_var_type(name)
    assert pointer.size == bucket.get_grid_size(bucket.get_var_grid(name))
    assert bucket.get_var_nbytes(name) == pointer.size * bucket.get_var_itemsize(name)


def test_instances_are_independent(config: str) -> None:
    wet, dry = Bucket(), Bucket()
    for component, rain in ((wet, 1.0), (dry, 0.0)):
        component.initialize(config)
        component.set_value(RAIN, np.full(12, rain))
    wet.update_until(2 * HOUR)
    dry.update()
    assert dry.get_current_time() == HOUR
    assert dry.get_value_ptr(DEPTH).max() == 0.0
    assert wet.get_value_ptr(DEPTH).min() > 0.0
    dry.finalize()
    wet.update()


@pytest.mark.parametrize(
    "call",
    [
        lambda c, n: c.get_value_ptr(n),
        lambda c, n: c.set_value(n, np.zeros(12)),
        lambda c, n: c.get_var_units(n),
        lambda c, n: c.get_var_grid(n),
        lambda c, n: c.get_var_location(n),
    ],
)
def test_unknown_variable_is_refused_with_the_nearest_name(bucket: Bucket, call) -> None:
    with pytest.raises(UnknownNameError) as error:
        call(bucket, "soil_water_pressure_head")
    message = "Bucket has no variable 'soil_water_pressure_head'; did you mean 'soil_water__pressure_head'?"
    assert str(error.value) == message
    assert isinstance(error.value, KeyError)


def test_unknown_variable_near_no_name_is_refused_with_all_names(bucket: Bucket) -> None:
    with pytest.raises(UnknownNameError, match=f"known: {RAIN}, {WIND}"):
        bucket.get_value_ptr("xyz")


# ---------------------------------------------------------------------- grids


def test_surface_grid_is_uniform_with_cell_centres_as_nodes(bucket: Bucket) -> None:
    assert bucket.get_grid_type(0) == "uniform_rectilinear"
    assert (bucket.get_grid_rank(0), bucket.get_grid_size(0), bucket.get_grid_node_count(0)) == (2, 12, 12)
    assert list(bucket.get_grid_shape(0, np.empty(2, dtype=int))) == [3, 4]
    assert list(bucket.get_grid_spacing(0, np.empty(2))) == [100.0, 200.0]
    assert list(bucket.get_grid_origin(0, np.empty(2))) == [50.0, 100.0]
    assert list(bucket.get_grid_x(0, np.empty(4))) == [100.0, 300.0, 500.0, 700.0]
    assert list(bucket.get_grid_y(0, np.empty(3))) == [50.0, 150.0, 250.0]


def test_subsurface_grid_has_heights_of_layer_centres_bottom_first(bucket: Bucket) -> None:
    assert bucket.get_grid_type(1) == "rectilinear"
    assert list(bucket.get_grid_shape(1, np.empty(3, dtype=int))) == [11, 3, 4]
    z = bucket.get_grid_z(1, np.empty(11))
    assert z[0] == pytest.approx(5.0)
    assert np.all(np.diff(z) > 0)
    assert z[-1] + 0.05 == pytest.approx(bucket.layers.sum())


def test_root_zone_is_the_top_of_the_subsurface(bucket: Bucket) -> None:
    assert list(bucket.get_grid_shape(2, np.empty(3, dtype=int))) == [10, 3, 4]
    assert list(bucket.get_grid_z(2, np.empty(10))) == list(bucket.get_grid_z(1, np.empty(11))[1:])


def test_scalar_grid_has_one_value_and_no_axes(bucket: Bucket) -> None:
    assert bucket.get_grid_type(3) == "scalar"
    assert (bucket.get_grid_rank(3), bucket.get_grid_size(3)) == (0, 1)
    with pytest.raises(UnknownNameError, match="no x coordinate"):
        bucket.get_grid_x(3, np.empty(1))


@pytest.mark.parametrize("function", ["get_grid_spacing", "get_grid_origin"])
def test_layered_grid_has_no_uniform_spacing(bucket: Bucket, function: str) -> None:
    with pytest.raises(UnknownNameError, match="no uniform spacing"):
        getattr(bucket, function)(1, np.empty(3))


def test_unknown_grid_is_refused_with_those_that_exist(bucket: Bucket) -> None:
    with pytest.raises(UnknownNameError, match=r"no grid 7; it has \[0, 1, 2, 3\]"):
        bucket.get_grid_rank(7)
    with pytest.raises(UnknownNameError, match="no z coordinate"):
        bucket.get_grid_z(0, np.empty(1))


def test_structured_grids_have_no_edges_and_faces(bucket: Bucket) -> None:
    for function in ("get_grid_edge_count", "get_grid_face_count"):
        with pytest.raises(NotImplementedError, match="unstructured"):
            getattr(bucket, function)(0)


# ---------------------------------------------------------------------- shared tables


def test_groundwater_variables_have_units_that_udunits_knows_and_distinct_names() -> None:
    from bmi_common import units

    table = (*GROUNDWATER_VARIABLES, *BALANCE_VARIABLES)
    assert len({v.name for v in table}) == len(table)
    for v in table:
        units.parse(v.units)


def test_configuration_file_may_be_given_as_a_path(config: str) -> None:
    component = Bucket()
    component.initialize(Path(config))  # type: ignore[arg-type]
    assert component.get_time_step() == HOUR


class RootZoneBucket(Bucket):
    """Publishes the head of its upper layers, too."""

    variables = (
        Variable(PART, "m", grids.ROOT_ZONE, Role.OUTPUT, part_of=HEAD),  # before the whole: the order does not matter
        *Bucket.variables,
    )


def test_a_part_shows_the_upper_layers_of_the_whole_and_is_in_no_state_file(config: str, tmp_path: Path) -> None:
    component = RootZoneBucket()
    component.initialize(config)
    part = component.get_value_ptr(PART)
    component.set_value(HEAD, np.arange(11.0 * 12))
    np.testing.assert_array_equal(part, np.arange(12.0, 132.0))
    component.values[HEAD][1, 0, 0] = -7.0
    assert part[0] == -7.0
    assert component.get_value_ptr(PART) is part
    with pytest.raises(BmiStateError, match="made by this component"):
        component.set_value(PART, part)
    component.save_state(tmp_path / "state.nc")
    with netCDF4.Dataset(tmp_path / "state.nc") as data:
        assert "soil_water__pressure_head" in data.variables
        assert "soil_root_zone_water__pressure_head" not in data.variables
    other = RootZoneBucket()
    other.initialize(config)
    other.load_state(tmp_path / "state.nc")
    np.testing.assert_array_equal(other.get_value_ptr(PART), part)
