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

!> Advance the state by dt [h]; see advance_all.
subroutine advance(nz, ncol, nlevels, ngroups, nfaces, nstarts, properties, variables, fields, own_layers, own_columns, &
  top, dx, dy, dz, gap, soil_cells, kr_alpha, kr_n, minimum_head, bottom, east_conductivity, north_conductivity, slope_x, slope_y, &
  cosine_x, cosine_y, &
  east, west, north, south, level_start, group_start, donor, inflow, outflow, boundary, &
  face_start, face_layer, face_holds, face_flux, face_conductance, face_head, face_kr, face_lift, face_inflow, &
  dt, tolerance, pass_tolerance, most_passes, drainage_kind, own_permeability, table_points, threads, lateral, ground, &
  source, prescribed_drainage, work_cells, state_cells, &
  storage_change, applied, unmet, left, drained, iterations, ways, failed_layer, worst, column_change, &
  passes, change, converged)
  use, intrinsic :: iso_c_binding, only: c_double
  use richards_sweep, only: advance_all
  use richards_types, only: soil_t, network_t, boundary_t, options_t, state_t, balance_t
  implicit none
  integer, intent(in) :: nz, ncol, nlevels, ngroups, nfaces, nstarts, properties, variables, fields, own_layers, own_columns
  integer, intent(in), target :: top(ncol)
  real(c_double), intent(in) :: dx, dy
  real(c_double), intent(in), target :: dz(nz), gap(nz)
  real(c_double), intent(in), target :: soil_cells(nz, properties, ncol), bottom(ncol)
  real(c_double), intent(in), target :: kr_alpha(own_layers, own_columns), kr_n(own_layers, own_columns)
  real(c_double), intent(in), target :: minimum_head(own_layers, own_columns)
  real(c_double), intent(in), target :: east_conductivity(nz, ncol), north_conductivity(nz, ncol)
  real(c_double), intent(in), target :: slope_x(ncol), slope_y(ncol), cosine_x(ncol), cosine_y(ncol)
  integer, intent(in), target :: east(ncol), west(ncol), north(ncol), south(ncol)
  integer, intent(in), target :: level_start(nlevels + 1), group_start(ngroups + 1), donor(4, ncol)
  real(c_double), intent(in), target :: inflow(4, ncol), outflow(ncol), boundary(ncol)
  integer, intent(in), target :: face_start(nstarts), face_layer(nfaces), face_holds(nfaces)
  real(c_double), intent(in), target :: face_flux(nfaces), face_conductance(nfaces), face_head(nfaces), face_kr(nfaces)
  real(c_double), intent(in), target :: face_lift(nfaces)
  real(c_double), intent(inout), target :: face_inflow(nfaces)
  real(c_double), intent(in) :: dt, tolerance, pass_tolerance
  integer, intent(in) :: most_passes, drainage_kind, table_points, threads, ground
  logical, intent(in) :: own_permeability, lateral
  real(c_double), intent(in) :: source(nz, ncol), prescribed_drainage(ncol)
  real(c_double), intent(inout), target :: work_cells(nz, fields, ncol), state_cells(nz, variables, ncol)
  real(c_double), intent(inout), target :: storage_change(ncol), applied(ncol), unmet(ncol)
  real(c_double), intent(inout), target :: left(ncol), drained(ncol)
  integer, intent(inout), target :: iterations(ncol), ways(ncol), failed_layer(ncol)
  real(c_double), intent(inout), target :: worst(ncol), column_change(ncol)
  integer, intent(out) :: passes
  real(c_double), intent(out) :: change
  logical, intent(out) :: converged
  !f2py threadsafe
  type(soil_t) :: soil
  type(network_t) :: network
  type(boundary_t) :: faces
  type(options_t) :: options
  type(state_t) :: state
  type(balance_t) :: balance

  soil%nz = nz
  soil%ncol = ncol
  soil%top => top
  soil%dx = dx
  soil%dy = dy
  soil%dz => dz
  soil%gap => gap
  soil%cells => soil_cells
  soil%kr_alpha => kr_alpha
  soil%kr_n => kr_n
  soil%bottom => bottom
  soil%east => east_conductivity
  soil%north => north_conductivity
  soil%slope_x => slope_x
  soil%slope_y => slope_y
  soil%cosine_x => cosine_x
  soil%cosine_y => cosine_y
  soil%minimum_head => minimum_head

  network%east => east
  network%west => west
  network%north => north
  network%south => south
  network%level_start => level_start
  network%group_start => group_start
  network%donor => donor
  network%inflow => inflow
  network%outflow => outflow
  network%boundary => boundary

  ! without boundaries one face that belongs to no column is passed, because f2py takes no empty arrays
  if (nstarts > 1) then
    faces%faces = nfaces
    faces%start => face_start
    faces%layer => face_layer
    faces%holds => face_holds
    faces%flux => face_flux
    faces%conductance => face_conductance
    faces%head => face_head
    faces%kr => face_kr
    faces%lift => face_lift
    faces%inflow => face_inflow
  end if

  options%dt = dt
  options%tolerance = tolerance
  options%pass_tolerance = pass_tolerance
  options%passes = most_passes
  options%drainage = drainage_kind
  options%own_permeability = own_permeability
  options%table_points = table_points
  options%threads = threads
  options%lateral = lateral
  options%ground = ground

  state%cells => state_cells

  balance%storage_change => storage_change
  balance%source => applied
  balance%unmet => unmet
  balance%outflow => left
  balance%drainage => drained
  balance%iterations => iterations
  balance%ways => ways
  balance%failed_layer => failed_layer
  balance%residual => worst
  balance%change => column_change

  call advance_all(soil, network, faces, options, source, prescribed_drainage, work_cells, state, balance, passes, &
    change, converged)
end subroutine advance
