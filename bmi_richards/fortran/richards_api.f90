!> Flat interface that f2py wraps; all physics is in the modules beside this file. Kinds are c_double because f2py knows that name;
!> it is real64. Arrays are described in richards_types.

!> Threads that OpenMP would use.
subroutine max_threads(n)
  use omp_lib, only: omp_get_max_threads
  implicit none
  integer, intent(out) :: n
  n = omp_get_max_threads()
end subroutine max_threads

!> Saturation, relative permeability and their derivatives that belong to the heads of `state`.
subroutine evaluate_state(nz, properties, variables, ncol, own_layers, own_columns, soil_cells, kr_alpha, kr_n, minimum_head, &
  own_permeability, table_points, threads, state_cells)
  use, intrinsic :: iso_c_binding, only: c_double
  use richards_sweep, only: evaluate_all
  use richards_types, only: soil_t, options_t, state_t
  implicit none
  integer, intent(in) :: nz, properties, variables, ncol, own_layers, own_columns, table_points, threads
  logical, intent(in) :: own_permeability
  real(c_double), intent(in), target :: soil_cells(nz, properties, ncol)
  real(c_double), intent(in), target :: kr_alpha(own_layers, own_columns), kr_n(own_layers, own_columns)
  real(c_double), intent(in), target :: minimum_head(own_layers, own_columns)
  real(c_double), intent(inout), target :: state_cells(nz, variables, ncol)
  !f2py threadsafe
  type(soil_t) :: soil
  type(options_t) :: options
  type(state_t) :: state

  soil%nz = nz
  soil%ncol = ncol
  soil%cells => soil_cells
  soil%kr_alpha => kr_alpha
  soil%kr_n => kr_n
  soil%minimum_head => minimum_head
  options%own_permeability = own_permeability
  options%table_points = table_points
  options%threads = threads
  state%cells => state_cells
  call evaluate_all(soil, options, state)
end subroutine evaluate_state

!> Water in the ground of each column [m].
subroutine ground_water(nz, properties, variables, ncol, soil_cells, threads, state_cells, water)
  use, intrinsic :: iso_c_binding, only: c_double
  use richards_sweep, only: sum_water
  use richards_types, only: soil_t, options_t, state_t
  implicit none
  integer, intent(in) :: nz, properties, variables, ncol, threads
  real(c_double), intent(in), target :: soil_cells(nz, properties, ncol), state_cells(nz, variables, ncol)
  real(c_double), intent(out) :: water(ncol)
  !f2py threadsafe
  type(soil_t) :: soil
  type(options_t) :: options
  type(state_t) :: state

  soil%nz = nz
  soil%ncol = ncol
  soil%cells => soil_cells
  options%threads = threads
  state%cells => state_cells
  call sum_water(soil, options, state, water)
end subroutine ground_water

!> Head [m] and saturation [-] of the columns as maps; see fill_maps.
subroutine fill_maps(cells, nz, ncol, variables, number, last, top, state_cells, threads, head, saturation)
  use, intrinsic :: iso_c_binding, only: c_double
  use richards_maps, only: fill => fill_maps
  implicit none
  integer, intent(in) :: cells, nz, ncol, variables, threads, last
  integer, intent(in) :: number(cells), top(ncol)
  real(c_double), intent(in) :: state_cells(nz, variables, ncol)
  real(c_double), intent(inout) :: head(cells, nz), saturation(cells, nz)
  !f2py threadsafe

  call fill(number, last, top, state_cells, threads, head, saturation)
end subroutine fill_maps

!> Columns from a map of the uppermost layers; see take_map.
subroutine take_map(cells, layers, nz, ncol, number, last, top, map, threads, columns, finite)
  use, intrinsic :: iso_c_binding, only: c_double
  use richards_maps, only: take => take_map
  implicit none
  integer, intent(in) :: cells, layers, nz, ncol, threads, last
  integer, intent(in) :: number(cells), top(ncol)
  real(c_double), intent(in) :: map(cells, layers)
  real(c_double), intent(inout) :: columns(nz, ncol)
  logical, intent(out) :: finite
  !f2py threadsafe

  call take(number, last, top, map, threads, columns, finite)
end subroutine take_map

!> Whether a map is that of the head; see is_head_of.
subroutine has_head(cells, nz, ncol, variables, number, last, top, state_cells, threads, map, same)
  use, intrinsic :: iso_c_binding, only: c_double
  use richards_maps, only: is_head_of
  implicit none
  integer, intent(in) :: cells, nz, ncol, variables, threads, last
  integer, intent(in) :: number(cells), top(ncol)
  real(c_double), intent(in) :: state_cells(nz, variables, ncol), map(cells, nz)
  logical, intent(out) :: same
  !f2py threadsafe

  same = is_head_of(number, last, top, state_cells, threads, map)
end subroutine has_head

!> Tell the kernel of a step of dt [h]; see advance_all. What is returned stands for it until `detach`, and so long the arrays must
!> stay where they are.
subroutine attach(nz, ncol, nlevels, ngroups, nfaces, nstarts, properties, variables, fields, own_layers, own_columns, &
  top, dx, dy, dz, gap, soil_cells, kr_alpha, kr_n, minimum_head, bottom, east_conductivity, north_conductivity, slope_x, slope_y, &
  cosine_x, cosine_y, &
  east, west, north, south, level_start, group_start, donor, inflow, outflow, boundary, &
  face_start, face_layer, face_holds, face_flux, face_conductance, face_head, face_kr, face_lift, face_inflow, &
  dt, tolerance, pass_tolerance, most_passes, drainage_kind, own_permeability, table_points, threads, lateral, ground, &
  source, prescribed_drainage, work_cells, state_cells, &
  storage_change, applied, unmet, left, drained, iterations, ways, failed_layer, worst, column_change, &
  handle)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_step, only: step_t, keep
  implicit none
  integer, intent(in) :: nz, ncol, nlevels, ngroups, nfaces, nstarts, properties, variables, fields, own_layers, own_columns
  integer, intent(inout), target :: top(ncol)
  real(c_double), intent(in) :: dx, dy
  real(c_double), intent(inout), target :: dz(nz), gap(nz)
  real(c_double), intent(inout), target :: soil_cells(nz, properties, ncol), bottom(ncol)
  real(c_double), intent(inout), target :: kr_alpha(own_layers, own_columns), kr_n(own_layers, own_columns)
  real(c_double), intent(inout), target :: minimum_head(own_layers, own_columns)
  real(c_double), intent(inout), target :: east_conductivity(nz, ncol), north_conductivity(nz, ncol)
  real(c_double), intent(inout), target :: slope_x(ncol), slope_y(ncol), cosine_x(ncol), cosine_y(ncol)
  integer, intent(inout), target :: east(ncol), west(ncol), north(ncol), south(ncol)
  integer, intent(inout), target :: level_start(nlevels + 1), group_start(ngroups + 1), donor(4, ncol)
  real(c_double), intent(inout), target :: inflow(4, ncol), outflow(ncol), boundary(ncol)
  integer, intent(inout), target :: face_start(nstarts), face_layer(nfaces), face_holds(nfaces)
  real(c_double), intent(inout), target :: face_flux(nfaces), face_conductance(nfaces), face_head(nfaces), face_kr(nfaces)
  real(c_double), intent(inout), target :: face_lift(nfaces)
  real(c_double), intent(inout), target :: face_inflow(nfaces)
  real(c_double), intent(in) :: dt, tolerance, pass_tolerance
  integer, intent(in) :: most_passes, drainage_kind, table_points, threads, ground
  logical, intent(in) :: own_permeability, lateral
  real(c_double), intent(inout), target :: source(nz, ncol), prescribed_drainage(ncol)
  real(c_double), intent(inout), target :: work_cells(nz, fields, ncol), state_cells(nz, variables, ncol)
  real(c_double), intent(inout), target :: storage_change(ncol), applied(ncol), unmet(ncol)
  real(c_double), intent(inout), target :: left(ncol), drained(ncol)
  integer, intent(inout), target :: iterations(ncol), ways(ncol), failed_layer(ncol)
  real(c_double), intent(inout), target :: worst(ncol), column_change(ncol)
  integer(c_int64_t), intent(out) :: handle
  type(step_t), pointer :: step

  allocate (step)
  step%soil%nz = nz
  step%soil%ncol = ncol
  step%soil%top => top
  step%soil%dx = dx
  step%soil%dy = dy
  step%soil%dz => dz
  step%soil%gap => gap
  step%soil%cells => soil_cells
  step%soil%kr_alpha => kr_alpha
  step%soil%kr_n => kr_n
  step%soil%bottom => bottom
  step%soil%east => east_conductivity
  step%soil%north => north_conductivity
  step%soil%slope_x => slope_x
  step%soil%slope_y => slope_y
  step%soil%cosine_x => cosine_x
  step%soil%cosine_y => cosine_y
  step%soil%minimum_head => minimum_head

  step%network%east => east
  step%network%west => west
  step%network%north => north
  step%network%south => south
  step%network%level_start => level_start
  step%network%group_start => group_start
  step%network%donor => donor
  step%network%inflow => inflow
  step%network%outflow => outflow
  step%network%boundary => boundary

  ! without boundaries one face that belongs to no column is passed, because f2py takes no empty arrays
  if (nstarts > 1) then
    step%boundary%faces = nfaces
    step%boundary%start => face_start
    step%boundary%layer => face_layer
    step%boundary%holds => face_holds
    step%boundary%flux => face_flux
    step%boundary%conductance => face_conductance
    step%boundary%head => face_head
    step%boundary%kr => face_kr
    step%boundary%lift => face_lift
    step%boundary%inflow => face_inflow
  end if

  step%options%dt = dt
  step%options%tolerance = tolerance
  step%options%pass_tolerance = pass_tolerance
  step%options%passes = most_passes
  step%options%drainage = drainage_kind
  step%options%own_permeability = own_permeability
  step%options%table_points = table_points
  step%options%threads = threads
  step%options%lateral = lateral
  step%options%ground = ground

  step%state%cells => state_cells

  step%balance%storage_change => storage_change
  step%balance%source => applied
  step%balance%unmet => unmet
  step%balance%outflow => left
  step%balance%drainage => drained
  step%balance%iterations => iterations
  step%balance%ways => ways
  step%balance%failed_layer => failed_layer
  step%balance%residual => worst
  step%balance%change => column_change

  step%source => source
  step%prescribed_drainage => prescribed_drainage
  step%cells => work_cells
  handle = keep(step)
end subroutine attach

!> Advance the state by the whole step; see advance_all.
subroutine advance(handle, passes, change, converged)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_step, only: step_t, kept
  use richards_sweep, only: advance_all
  implicit none
  integer(c_int64_t), intent(in) :: handle
  integer, intent(out) :: passes
  real(c_double), intent(out) :: change
  logical, intent(out) :: converged
  !f2py threadsafe
  type(step_t), pointer :: step

  step => kept(handle)
  call advance_all(step%soil, step%network, step%boundary, step%options, step%source, step%prescribed_drainage, step%cells, &
    step%state, step%balance, passes, change, converged)
end subroutine advance

!> Begin the step of a part of the domain; see begin_step.
subroutine start(handle)
  use, intrinsic :: iso_c_binding, only: c_int64_t
  use richards_step, only: step_t, kept
  use richards_sweep, only: begin_step
  implicit none
  integer(c_int64_t), intent(in) :: handle
  !f2py threadsafe
  type(step_t), pointer :: step

  step => kept(handle)
  call begin_step(step%soil, step%network, step%options, step%prescribed_drainage, step%cells, step%state, step%balance, step%work)
end subroutine start

!> Begin the next pass; see begin_pass.
subroutine start_pass(handle)
  use, intrinsic :: iso_c_binding, only: c_int64_t
  use richards_step, only: step_t, kept
  use richards_sweep, only: begin_pass
  implicit none
  integer(c_int64_t), intent(in) :: handle
  !f2py threadsafe
  type(step_t), pointer :: step

  step => kept(handle)
  step%pass = step%pass + 1
  call begin_pass(step%soil, step%network, step%options, step%state, step%work)
end subroutine start_pass

!> Solve the columns of a wave.
subroutine solve_wave(handle, first, last)
  use, intrinsic :: iso_c_binding, only: c_int64_t
  use richards_step, only: step_t, kept
  use richards_sweep, only: sweep_columns
  implicit none
  integer(c_int64_t), intent(in) :: handle
  integer, intent(in) :: first, last
  !f2py threadsafe
  type(step_t), pointer :: step

  step => kept(handle)
  call sweep_columns(step%soil, step%network, step%boundary, step%options, step%source, step%pass, first, last, step%work, &
    step%state, step%balance)
end subroutine solve_wave

!> End a pass; see end_pass.
subroutine finish_pass(handle, change, failed)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_step, only: step_t, kept
  use richards_sweep, only: end_pass
  implicit none
  integer(c_int64_t), intent(in) :: handle
  real(c_double), intent(out) :: change
  logical, intent(out) :: failed
  type(step_t), pointer :: step

  step => kept(handle)
  call end_pass(step%network, step%balance, change, failed)
end subroutine finish_pass

!> Whether a pass was the last, by the largest change and the failures of the whole domain; see judge_pass.
subroutine judge(handle, change, failed, passes, converged, done)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_step, only: step_t, kept
  use richards_sweep, only: judge_pass
  implicit none
  integer(c_int64_t), intent(in) :: handle
  real(c_double), intent(in) :: change
  logical, intent(in) :: failed
  integer, intent(out) :: passes
  logical, intent(out) :: converged, done
  type(step_t), pointer :: step

  step => kept(handle)
  call judge_pass(step%options, change, failed, step%work, step%passes, step%converged, done)
  passes = step%passes
  converged = step%converged
end subroutine judge

!> A stage of the correction between two passes; see correct_stage.
subroutine correct(handle, stage, done)
  use, intrinsic :: iso_c_binding, only: c_int64_t
  use richards_step, only: step_t, kept
  use richards_sweep, only: correct_stage
  implicit none
  integer(c_int64_t), intent(in) :: handle
  integer, intent(in) :: stage
  logical, intent(out) :: done
  !f2py threadsafe
  type(step_t), pointer :: step

  step => kept(handle)
  call correct_stage(step%soil, step%network, step%boundary, step%options, stage, step%work, step%state, done)
end subroutine correct

!> Sizes of the largest terms of the correction's two sums [m2].
subroutine get_largest(handle, largest)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_correction, only: largest_terms
  use richards_step, only: step_t, kept
  implicit none
  integer(c_int64_t), intent(in) :: handle
  real(c_double), intent(out) :: largest(2)
  type(step_t), pointer :: step

  step => kept(handle)
  largest = largest_terms(step%work%system)
end subroutine get_largest

!> Sums of the slices of the correction's terms [m2], by the largest terms of the whole domain.
subroutine get_sums(handle, largest, sums)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_correction, only: sum_slices
  use richards_step, only: step_t, kept
  implicit none
  integer(c_int64_t), intent(in) :: handle
  real(c_double), intent(in) :: largest(2)
  real(c_double), intent(out) :: sums(3, 2)
  type(step_t), pointer :: step

  step => kept(handle)
  sums = sum_slices(step%work%system, largest)
end subroutine get_sums

!> Set the correction's sums to those of the whole domain [m2].
subroutine set_sums(handle, sums)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_correction, only: put_together
  use richards_step, only: step_t, kept
  implicit none
  integer(c_int64_t), intent(in) :: handle
  real(c_double), intent(in) :: sums(3, 2)
  type(step_t), pointer :: step

  step => kept(handle)
  step%work%system%sums = put_together(sums)
end subroutine set_sums

!> Heads [m] that the correction tries in columns (numbers from 1), for other parts of the domain.
subroutine get_moved(handle, nz, n, columns, moved)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_step, only: step_t, kept
  implicit none
  integer(c_int64_t), intent(in) :: handle
  integer, intent(in) :: nz, n
  integer, intent(in) :: columns(n)
  real(c_double), intent(out) :: moved(nz, n)
  type(step_t), pointer :: step

  step => kept(handle)
  moved = step%work%system%moved(:, columns)
end subroutine get_moved

!> Set the heads [m] that the correction tries in columns (numbers from 1) of other parts of the domain.
subroutine set_moved(handle, nz, n, columns, moved)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_step, only: step_t, kept
  implicit none
  integer(c_int64_t), intent(in) :: handle
  integer, intent(in) :: nz, n
  integer, intent(in) :: columns(n)
  real(c_double), intent(in) :: moved(nz, n)
  type(step_t), pointer :: step

  step => kept(handle)
  step%work%system%moved(:, columns) = moved
end subroutine set_moved

!> End the step; see end_step.
subroutine finish(handle)
  use, intrinsic :: iso_c_binding, only: c_int64_t
  use richards_step, only: step_t, kept
  use richards_sweep, only: end_step
  implicit none
  integer(c_int64_t), intent(in) :: handle
  !f2py threadsafe
  type(step_t), pointer :: step

  step => kept(handle)
  call end_step(step%soil, step%network, step%boundary, step%options, step%work, step%state, step%balance)
end subroutine finish

!> Ponding powers [m5/3] of columns (numbers from 1), for other parts of the domain.
subroutine get_powers(handle, n, columns, powers)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_step, only: step_t, kept
  implicit none
  integer(c_int64_t), intent(in) :: handle
  integer, intent(in) :: n
  integer, intent(in) :: columns(n)
  real(c_double), intent(out) :: powers(n)
  type(step_t), pointer :: step

  step => kept(handle)
  powers = step%work%power(columns)
end subroutine get_powers

!> Set the ponding powers [m5/3] of columns (numbers from 1) of other parts of the domain.
subroutine set_powers(handle, n, columns, powers)
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use richards_step, only: step_t, kept
  implicit none
  integer(c_int64_t), intent(in) :: handle
  integer, intent(in) :: n
  integer, intent(in) :: columns(n)
  real(c_double), intent(in) :: powers(n)
  type(step_t), pointer :: step

  step => kept(handle)
  step%work%power(columns) = powers
end subroutine set_powers

!> Let go of a step.
subroutine detach(handle)
  use, intrinsic :: iso_c_binding, only: c_int64_t
  use richards_step, only: step_t, kept
  implicit none
  integer(c_int64_t), intent(in) :: handle
  type(step_t), pointer :: step

  step => kept(handle)
  deallocate (step)
end subroutine detach
