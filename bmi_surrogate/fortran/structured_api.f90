!> Flat interface that f2py wraps; all physics is in the modules beside this file. Kinds are c_double because f2py knows that name;
!> it is real64. Arrays are described in structured_types.

!> Lanes of a block, outputs of a group of the network's, and numbers of memory for a block and for a layer of one.
subroutine sizes(block_lanes, output_group, flat_memory, layer_memory)
  use structured_hour, only: memory_size
  use structured_network, only: group
  use structured_types, only: lanes
  implicit none
  integer, intent(out) :: block_lanes, output_group, flat_memory, layer_memory
  block_lanes = lanes
  output_group = group
  flat_memory = memory_size(0, 1)
  layer_memory = memory_size(1, 1) - flat_memory
end subroutine sizes

!> Threads that OpenMP would use.
subroutine max_threads(n)
  use omp_lib, only: omp_get_max_threads
  implicit none
  integer, intent(out) :: n
  n = omp_get_max_threads()
end subroutine max_threads

!> Where the arrays that parts of a domain exchange begin in the memory of an hour, from 1; see memory_places.
subroutine places(layers, blocks, nmemory, memory, flow, response, change)
  use, intrinsic :: iso_c_binding, only: c_double
  use structured_hour, only: memory_places
  use structured_types, only: columns_t
  implicit none
  integer, intent(in) :: layers, blocks, nmemory
  real(c_double), intent(inout), target :: memory(nmemory)
  integer, intent(out) :: flow, response, change
  type(columns_t) :: columns

  columns%layers = layers
  columns%blocks = blocks
  call memory_places(columns, memory, flow, response, change)
end subroutine places

!> Advance the heads by an hour, see advance_hour; or, with a stage above 0, a part of the domain by it, see advance_stage.
subroutine advance(nlanes, layers, blocks, sides, ncol, nstarts, nwidths, nparameters, nfeatures, nmemory, cells, supplied, &
  dz, height, porosity, specific_storage, alpha, n, m, residual, maximum, vertical, east_conductance, north_conductance, &
  rise_east, rise_north, cosine_east, cosine_north, conveyance_in, conveyance_out, east, west, north, south, donor, level_start, &
  cell, shared, widths, parameters, soil_features, scale, refinements, sweeps, later_sweeps, rough_sweeps, repetitions, threads, &
  nprediction, base, prediction_head, stage, first, last, supply, memory, head, map, wanting)
  use, intrinsic :: iso_c_binding, only: c_double
  use structured_hour, only: advance_hour, advance_stage
  use structured_types, only: columns_t, effort_t, network_t, prediction_t
  implicit none
  integer, intent(in) :: nlanes, layers, blocks, sides, ncol, nstarts, nwidths, nparameters, nfeatures, nmemory, cells, supplied
  integer, intent(in) :: nprediction, base
  real(c_double), intent(in), target :: prediction_head(nlanes, layers, nprediction)
  real(c_double), intent(in), target :: dz(layers), height(layers)
  real(c_double), intent(in), target :: porosity(nlanes, layers, blocks), specific_storage(nlanes, layers, blocks)
  real(c_double), intent(in), target :: alpha(nlanes, layers, blocks), n(nlanes, layers, blocks), m(nlanes, layers, blocks)
  real(c_double), intent(in), target :: residual(nlanes, layers, blocks), maximum(nlanes, layers, blocks)
  real(c_double), intent(in), target :: vertical(nlanes, layers, blocks)
  real(c_double), intent(in), target :: east_conductance(nlanes, layers, blocks), north_conductance(nlanes, layers, blocks)
  real(c_double), intent(in), target :: rise_east(nlanes, blocks), rise_north(nlanes, blocks)
  real(c_double), intent(in), target :: cosine_east(nlanes, blocks), cosine_north(nlanes, blocks)
  real(c_double), intent(in), target :: conveyance_in(sides, ncol), conveyance_out(nlanes, blocks)
  integer, intent(in), target :: east(nlanes, blocks), west(nlanes, blocks), north(nlanes, blocks), south(nlanes, blocks)
  integer, intent(in), target :: donor(sides, ncol), level_start(nstarts), cell(nlanes, blocks)
  integer, intent(in) :: shared
  integer, intent(in), target :: widths(nwidths)
  real(c_double), intent(in), target :: parameters(nparameters), soil_features(nlanes, nfeatures, blocks)
  real(c_double), intent(in), target :: scale(layers)
  integer, intent(in) :: refinements, sweeps, later_sweeps, rough_sweeps, repetitions, threads, stage, first, last
  real(c_double), intent(in) :: supply(cells, supplied)
  real(c_double), intent(inout), target :: memory(nmemory)
  real(c_double), intent(inout) :: head(nlanes, layers, blocks), map(cells, layers)
  logical, intent(out) :: wanting
  !f2py threadsafe
  type(columns_t) :: columns
  type(network_t) :: network
  type(effort_t) :: effort
  type(prediction_t) :: prediction

  columns%layers = layers
  columns%blocks = blocks
  columns%dz => dz
  columns%height => height
  columns%porosity => porosity
  columns%specific_storage => specific_storage
  columns%alpha => alpha
  columns%n => n
  columns%m => m
  columns%residual => residual
  columns%maximum => maximum
  columns%vertical => vertical
  columns%east_conductance => east_conductance
  columns%north_conductance => north_conductance
  columns%rise_east => rise_east
  columns%rise_north => rise_north
  columns%cosine_east => cosine_east
  columns%cosine_north => cosine_north
  columns%conveyance_in => conveyance_in
  columns%conveyance_out => conveyance_out
  columns%east => east
  columns%west => west
  columns%north => north
  columns%south => south
  columns%donor => donor
  columns%level_start => level_start
  columns%cell => cell

  network%shared = shared /= 0
  network%widths => widths
  network%parameters => parameters
  network%soil_features => soil_features
  network%scale => scale

  effort%refinements = refinements
  effort%sweeps = sweeps
  effort%later_sweeps = later_sweeps
  effort%rough_sweeps = rough_sweeps
  effort%repetitions = repetitions

  prediction%base = base
  prediction%head => prediction_head

  wanting = .false.
  if (stage == 0) then
    call advance_hour(columns, network, effort, prediction, threads, cells, supplied, supply, memory, head, map)
  else
    call advance_stage(columns, network, effort, prediction, threads, cells, supplied, supply, stage, first, last, memory, head, &
      map, wanting)
  end if
end subroutine advance
