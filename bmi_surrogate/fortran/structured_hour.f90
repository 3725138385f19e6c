!> One hour of the whole domain: solves and closures of the blocks, and what columns give each other between them.
!>
!> Threads share the blocks out; what crosses between columns - lateral flow, overland flow - is taken between two loops over them,
!> from results that are complete. So neither the number of threads nor a column's place changes a bit.
!>
!> A part of a domain has an hour in stages, between which the depths of columns of other parts, and the changes of their inflow,
!> are put into the hour's memory. The columns of other parts come last; they belong to no cell of a map.
!>
!> Equations (7), (14), (15) and (15a) of docs/theory.md.
module structured_hour
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use ponding, only: depth_exponent, ponding_powers
  use structured_closure, only: close_block
  use structured_network, only: judge_block
  use structured_retention, only: find_coordinates, find_heads, find_permeabilities, find_saturations
  use structured_routing, only: inflow_of_block, route, begin_route, route_levels, end_route
  use structured_solve, only: find_water, outflow_slope, solve_block
  use structured_surface, only: surface_of_block, surface_t
  use structured_types, only: columns_t, effort_t, lanes, network_t, no_prediction, of_persistence, of_solve, prediction_t
  implicit none
  private
  public :: advance_hour, advance_stage, memory_size, memory_places

  !> Of overland inflow, relative to 1 m and the inflow.
  real(wp), parameter :: inflow_tolerance = 1.0e-10_wp

  !> What an hour keeps from loop to loop. Its memory is the caller's, who keeps it from hour to hour.
  type :: work_t
    real(wp), pointer, contiguous :: water(:, :, :) => null()         !< in the layers at the start [m]
    real(wp), pointer, contiguous :: capacity(:, :, :) => null()      !< of the layers at the start [-]
    real(wp), pointer, contiguous :: permeability(:, :, :) => null()  !< relative, at the start [-]
    real(wp), pointer, contiguous :: source(:, :, :) => null()        !< water of the hour [m]
    real(wp), pointer, contiguous :: lateral(:, :, :) => null()       !< water of the hour [m]
    real(wp), pointer, contiguous :: east(:, :, :) => null()          !< flow through the east faces [m]
    real(wp), pointer, contiguous :: north(:, :, :) => null()         !< flow through the north faces [m]
    real(wp), pointer, contiguous :: guess(:, :, :) => null()         !< coordinate at the end of the hour, but for the shift [m]
    real(wp), pointer, contiguous :: weights(:, :, :) => null()       !< of the layers in the closure [-]
    real(wp), pointer, contiguous :: ponded(:, :) => null()           !< at the start [m]
    real(wp), pointer, contiguous :: available(:, :) => null()        !< water but for overland flow [m]
    real(wp), pointer, contiguous :: start_inflow(:, :) => null()     !< overland, by the ponding at the start [m]
    real(wp), pointer, contiguous :: inflow(:, :) => null()           !< overland, that balances were closed with last [m]
    real(wp), pointer, contiguous :: better(:, :) => null()           !< overland, that they should be closed with [m]
    real(wp), pointer, contiguous :: found(:, :) => null()            !< overland, by the depths that were found [m]
    real(wp), pointer, contiguous :: flow(:, :) => null()             !< ponded depth to 5/3 [m5/3]
    real(wp), pointer, contiguous :: response(:, :) => null()         !< of that to inflow [m2/3]
    real(wp), pointer, contiguous :: shift(:, :) => null()            !< that closes the balance [m]
    real(wp), pointer, contiguous :: growth(:, :) => null()           !< of the balance with the shift [-]
    real(wp), pointer, contiguous :: surface_level(:, :) => null()    !< coordinate of the top layer after the shift [m]
    real(wp), pointer, contiguous :: open(:, :) => null()             !< 1 where the balance is not closed, or else 0 [-]
    real(wp), pointer, contiguous :: change(:, :) => null()           !< of routing [m]
    real(wp), pointer, contiguous :: passed(:, :) => null()           !< of routing [m]
    logical :: wanting = .true.                                       !< a column is open, or its overland inflow has changed
  end type work_t

  !> Stages of the hour of a part: `begin`, the route; as often as there are refinements `refine`, the route; as often as balances
  !> are to be closed again `search_again`, the route; `end`. The route is `begin_route`, `route_levels` wave by wave, `end_route`.
  integer, parameter :: stage_begin = 1, stage_refine = 2, stage_search_again = 3, stage_begin_route = 4, stage_route_levels = 5, &
    stage_end_route = 6, stage_end = 7

  !> Arrays of that kind, (lane, layer, block) and (lane, block).
  integer, parameter :: layered_arrays = 9, flat_arrays = 14

contains

  !> Advance the heads of all columns by an hour.
  subroutine advance_hour(columns, network, effort, prediction, threads, cells, supplied, supply, memory, head, map)
    type(columns_t), intent(in) :: columns                                  !< soil and terrain
    type(network_t), intent(in) :: network                                  !< of the last refinement
    type(effort_t), intent(in) :: effort                                    !< numbers of solves and sweeps
    type(prediction_t), intent(in) :: prediction                            !< of another model, in the place of refinements
    integer, intent(in) :: threads                                          !< that share the blocks
    integer, intent(in) :: cells                                            !< of a map
    integer, intent(in) :: supplied                                         !< layers that get water, the uppermost
    real(wp), intent(in) :: supply(cells, supplied)                         !< net source [h-1]
    real(wp), intent(inout), target, contiguous :: memory(:)                !< of `memory_size` numbers, whatever they are [-]
    real(wp), intent(inout) :: head(lanes, columns%layers, columns%blocks)  !< [m]
    real(wp), intent(inout) :: map(cells, columns%layers)                   !< head at the end [m]
    type(work_t) :: work
    integer :: refinement, repetition

    call place_work(columns, memory, work)
    !$omp parallel num_threads(threads) default(shared) private(refinement, repetition)
    call begin_hour(columns, effort, prediction, cells, supplied, supply, head, work)
    call exchange(columns, work)
    do refinement = 1, effort%refinements
      call refine_all(columns, network, effort, refinement, head, work)
      call exchange(columns, work)
    end do
    do repetition = 1, effort%repetitions
      if (.not. work%wanting) exit
      call search_all_again(columns, effort, work)
      call exchange(columns, work)
    end do
    call end_hour(columns, cells, work, head, map)
    !$omp end parallel
  end subroutine advance_hour

  !> A stage of the hour of a part of a domain.
  subroutine advance_stage(columns, network, effort, prediction, threads, cells, supplied, supply, stage, first, last, memory, &
    head, map, wanting)
    type(columns_t), intent(in) :: columns                                  !< soil and terrain
    type(network_t), intent(in) :: network                                  !< of the last refinement
    type(effort_t), intent(in) :: effort                                    !< numbers of solves and sweeps
    type(prediction_t), intent(in) :: prediction                            !< of another model, in the place of refinements
    integer, intent(in) :: threads                                          !< that share the blocks
    integer, intent(in) :: cells                                            !< of a map
    integer, intent(in) :: supplied                                         !< layers that get water, the uppermost
    real(wp), intent(in) :: supply(cells, supplied)                         !< net source [h-1]
    integer, intent(in) :: stage                                            !< its number
    integer, intent(in) :: first                                            !< refinement, or first level of the route
    integer, intent(in) :: last                                             !< level of the route
    real(wp), intent(inout), target, contiguous :: memory(:)                !< of the hour, kept from stage to stage [-]
    real(wp), intent(inout) :: head(lanes, columns%layers, columns%blocks)  !< at the start, with those of other parts [m]
    real(wp), intent(inout) :: map(cells, columns%layers)                   !< head at the end [m]
    logical, intent(out) :: wanting                                         !< at the end of a route: balances are open
    type(work_t) :: work
    integer :: b

    call place_work(columns, memory, work)
    !$omp parallel num_threads(threads) default(shared) private(b)
    select case (stage)
    case (stage_begin)
      call begin_hour(columns, effort, prediction, cells, supplied, supply, head, work)
    case (stage_refine)
      call refine_all(columns, network, effort, first, head, work)
    case (stage_search_again)
      call search_all_again(columns, effort, work)
    case (stage_begin_route)
      !$omp do schedule(static)
      do b = 1, columns%blocks
        call inflow_of_block(columns, b, work%flow, work%found(:, b))
      end do
      !$omp end do
      !$omp single
      call begin_route(columns, work%found, work%inflow, work%change)
      !$omp end single
    case (stage_route_levels)
      !$omp single
      call route_levels(columns, first, last, work%response, work%change, work%passed)
      !$omp end single
    case (stage_end_route)
      !$omp single
      call end_route(columns, work%inflow, work%change, work%better)
      call look_for_more(columns, work)
      !$omp end single
    case (stage_end)
      call end_hour(columns, cells, work, head, map)
    end select
    !$omp end parallel
    wanting = work%wanting
  end subroutine advance_stage

  !> First solve of all columns, or the prediction, and what closes their balances. Called by all threads, as those below are.
  subroutine begin_hour(columns, effort, prediction, cells, supplied, supply, head, work)
    type(columns_t), intent(in) :: columns                               !< soil and terrain
    type(effort_t), intent(in) :: effort                                 !< numbers of solves and sweeps
    type(prediction_t), intent(in) :: prediction                         !< in the place of refinements
    integer, intent(in) :: cells                                         !< of a map
    integer, intent(in) :: supplied                                      !< layers that get water, the uppermost
    real(wp), intent(in) :: supply(cells, supplied)                      !< net source [h-1]
    real(wp), intent(in) :: head(lanes, columns%layers, columns%blocks)  !< at the start [m]
    type(work_t), intent(inout) :: work                                  !< of the hour
    integer :: b

    !$omp do schedule(static)
    do b = 1, columns%blocks
      call begin_block(columns, b, cells, supplied, supply, head(:, :, b), work)
    end do
    !$omp end do
    !$omp do schedule(static)
    do b = 1, columns%blocks
      call find_face_flows(columns, b, head, work)
      call inflow_of_block(columns, b, work%flow, work%start_inflow(:, b))
    end do
    !$omp end do
    !$omp do schedule(static)
    do b = 1, columns%blocks
      call find_available(columns, b, work)
      if (prediction%base /= of_persistence) call first_solve(columns, b, head(:, :, b), work)
      if (prediction%base /= no_prediction) call take_prediction(columns, prediction, b, head(:, :, b), work)
      if (effort%refinements > 0) then
        call search(columns, b, effort%rough_sweeps, work)
      else
        call search(columns, b, effort%sweeps, work)
      end if
    end do
    !$omp end do
  end subroutine begin_hour

  !> Refine the guess of all columns, and close their balances.
  subroutine refine_all(columns, network, effort, refinement, head, work)
    type(columns_t), intent(in) :: columns                               !< soil and terrain
    type(network_t), intent(in) :: network                               !< of the last refinement
    type(effort_t), intent(in) :: effort                                 !< numbers of solves and sweeps
    integer, intent(in) :: refinement                                    !< its number
    real(wp), intent(in) :: head(lanes, columns%layers, columns%blocks)  !< at the start [m]
    type(work_t), intent(inout) :: work                                  !< of the hour
    integer :: b

    !$omp do schedule(static)
    do b = 1, columns%blocks
      call refine(columns, network, b, refinement == effort%refinements, head(:, :, b), work)
      if (refinement < effort%refinements) then
        call search(columns, b, effort%rough_sweeps, work)
      else
        call search(columns, b, effort%sweeps, work)
      end if
    end do
    !$omp end do
  end subroutine refine_all

  !> Close balances again where that is wanted.
  subroutine search_all_again(columns, effort, work)
    type(columns_t), intent(in) :: columns  !< soil and terrain
    type(effort_t), intent(in) :: effort    !< numbers of solves and sweeps
    type(work_t), intent(inout) :: work     !< of the hour
    integer :: b

    !$omp do schedule(static)
    do b = 1, columns%blocks
      call search_again(columns, b, effort%later_sweeps, work)
    end do
    !$omp end do
  end subroutine search_all_again

  !> Heads of all columns at the end.
  subroutine end_hour(columns, cells, work, head, map)
    type(columns_t), intent(in) :: columns                                  !< soil and terrain
    integer, intent(in) :: cells                                            !< of a map
    type(work_t), intent(in) :: work                                        !< of the hour
    real(wp), intent(inout) :: head(lanes, columns%layers, columns%blocks)  !< [m]
    real(wp), intent(inout) :: map(cells, columns%layers)                   !< head at the end [m]
    integer :: b

    !$omp do schedule(static)
    do b = 1, columns%blocks
      call end_block(columns, b, cells, work, head(:, :, b), map)
    end do
    !$omp end do
  end subroutine end_hour

  !> Numbers that an hour needs memory for.
  pure integer function memory_size(layers, blocks)
    integer, intent(in) :: layers  !< of a column
    integer, intent(in) :: blocks  !< of columns
    memory_size = lanes*blocks*(layered_arrays*layers + flat_arrays)
  end function memory_size

  !> Where the arrays begin that parts of a domain exchange, from 1: depth to 5/3, its response to inflow, and the change of that.
  subroutine memory_places(columns, memory, flow, response, change)
    type(columns_t), intent(in) :: columns                    !< soil and terrain
    real(wp), intent(inout), target, contiguous :: memory(:)  !< of `memory_size` numbers [-]
    integer, intent(out) :: flow                              !< first element of the first
    integer, intent(out) :: response                          !< of the second
    integer, intent(out) :: change                            !< of the third
    type(work_t) :: work
    integer :: i

    call place_work(columns, memory, work)
    do i = 1, size(memory)  ! at once it would be a copy on the stack
      memory(i) = real(i, wp)
    end do
    flow = nint(work%flow(1, 1))
    response = nint(work%response(1, 1))
    change = nint(work%change(1, 1))
  end subroutine memory_places

  !> Lay the arrays of an hour into its memory.
  subroutine place_work(columns, memory, work)
    type(columns_t), intent(in) :: columns                    !< soil and terrain
    real(wp), intent(inout), target, contiguous :: memory(:)  !< of `memory_size` numbers [-]
    type(work_t), intent(out) :: work                         !< in that memory
    integer :: used

    used = 0
    call place_layered(work%water)
    call place_layered(work%capacity)
    call place_layered(work%permeability)
    call place_layered(work%source)
    call place_layered(work%lateral)
    call place_layered(work%east)
    call place_layered(work%north)
    call place_layered(work%guess)
    call place_layered(work%weights)
    call place_flat(work%ponded)
    call place_flat(work%available)
    call place_flat(work%start_inflow)
    call place_flat(work%inflow)
    call place_flat(work%better)
    call place_flat(work%found)
    call place_flat(work%flow)
    call place_flat(work%response)
    call place_flat(work%shift)
    call place_flat(work%growth)
    call place_flat(work%surface_level)
    call place_flat(work%open)
    call place_flat(work%change)
    call place_flat(work%passed)

  contains

    subroutine place_layered(array)
      real(wp), pointer, contiguous, intent(out) :: array(:, :, :)  !< [-]
      array(1:lanes, 1:columns%layers, 1:columns%blocks) => memory(used + 1:used + lanes*columns%layers*columns%blocks)
      used = used + lanes*columns%layers*columns%blocks
    end subroutine place_layered

    subroutine place_flat(array)
      real(wp), pointer, contiguous, intent(out) :: array(:, :)  !< [-]
      array(1:lanes, 1:columns%blocks) => memory(used + 1:used + lanes*columns%blocks)
      used = used + lanes*columns%blocks
    end subroutine place_flat

  end subroutine place_work

  !> What the head at the start and the source of the hour determine in each column by itself.
  subroutine begin_block(columns, b, cells, supplied, supply, head, work)
    type(columns_t), intent(in) :: columns               !< soil and terrain
    integer, intent(in) :: b                             !< block
    integer, intent(in) :: cells                         !< of a map
    integer, intent(in) :: supplied                      !< layers that get water
    real(wp), intent(in) :: supply(cells, supplied)      !< net source [h-1]
    real(wp), intent(in) :: head(lanes, columns%layers)  !< [m]
    type(work_t), intent(inout) :: work                  !< of the hour
    real(wp), dimension(lanes, columns%layers) :: saturation, slope, power
    real(wp) :: root(lanes)
    integer :: k, l, layers

    layers = columns%layers
    do k = 1, layers
      do l = 1, lanes
        work%source(l, k, b) = 0.0_wp
        if (k > layers - supplied .and. columns%cell(l, b) > 0) then
          work%source(l, k, b) = supply(columns%cell(l, b), k - layers + supplied)*columns%dz(k)
        end if
      end do
    end do
    call find_saturations(lanes*layers, columns%alpha(:, :, b), columns%n(:, :, b), columns%m(:, :, b), &
      columns%residual(:, :, b), columns%maximum(:, :, b), head, saturation, slope, power)
    call find_permeabilities(lanes*layers, columns%m(:, :, b), head, power, work%permeability(:, :, b))
    call find_water(columns, b, head, saturation, slope, work%water(:, :, b), work%capacity(:, :, b))
    work%ponded(:, b) = merge(head(:, layers), 0.0_wp, head(:, layers) > 0.0_wp)
    call ponding_powers(lanes, work%ponded(:, b), root, work%flow(:, b))
  end subroutine begin_block

  !> Flow through the east and north faces of a block in the hour by Darcy's law, permeability taken upwind.
  subroutine find_face_flows(columns, b, head, work)
    type(columns_t), intent(in) :: columns                               !< soil and terrain
    integer, intent(in) :: b                                             !< block
    real(wp), intent(in) :: head(lanes, columns%layers, columns%blocks)  !< [m]
    type(work_t), intent(inout) :: work                                  !< of the hour

    call flows(columns%east_conductance(:, :, b), columns%rise_east(:, b), columns%cosine_east(:, b), columns%east(:, b), &
      head, work%permeability, work%east(:, :, b))
    call flows(columns%north_conductance(:, :, b), columns%rise_north(:, b), columns%cosine_north(:, b), columns%north(:, b), &
      head, work%permeability, work%north(:, :, b))

  contains

    subroutine flows(conductance, rise, cosine, neighbour, heads, permeabilities, flow)
      real(wp), intent(in) :: conductance(lanes, columns%layers)                   !< [h-1]
      real(wp), intent(in) :: rise(lanes)                                          !< [m]
      real(wp), intent(in) :: cosine(lanes)                                        !< [-]
      integer, intent(in) :: neighbour(lanes)                                      !< its first element
      real(wp), intent(in) :: heads(lanes*columns%layers*columns%blocks)           !< [m]
      real(wp), intent(in) :: permeabilities(lanes*columns%layers*columns%blocks)  !< [-]
      real(wp), intent(out) :: flow(lanes, columns%layers)                         !< [m]
      real(wp) :: drop, upwind
      integer :: k, l, own, other

      do k = 1, columns%layers
        !$omp simd private(drop, upwind, own, other)
        do l = 1, lanes
          own = ((b - 1)*columns%layers + k - 1)*lanes + l
          other = neighbour(l) + (k - 1)*lanes
          drop = (heads(own) - heads(other))*cosine(l) - rise(l)
          upwind = merge(permeabilities(own), permeabilities(other), drop > 0.0_wp)
          flow(l, k) = conductance(l, k)*upwind*drop
        end do
      end do
    end subroutine flows

  end subroutine find_face_flows

  !> What columns gain from each other at the start, and the water that they have for the hour.
  subroutine find_available(columns, b, work)
    type(columns_t), intent(in) :: columns  !< terrain
    integer, intent(in) :: b                !< block
    type(work_t), intent(inout) :: work     !< of the hour
    integer :: k, l

    call find_lateral(columns, b, work%east, work%north, work%lateral(:, :, b))
    work%available(:, b) = work%ponded(:, b)
    do k = 1, columns%layers
      !$omp simd
      do l = 1, lanes
        work%available(l, b) = work%available(l, b) + (work%water(l, k, b) + work%source(l, k, b) + work%lateral(l, k, b))
      end do
    end do
  end subroutine find_available

  !> The solve linearised at the start.
  subroutine first_solve(columns, b, head, work)
    type(columns_t), intent(in) :: columns               !< soil and terrain
    integer, intent(in) :: b                             !< block
    real(wp), intent(in) :: head(lanes, columns%layers)  !< [m]
    type(work_t), intent(inout) :: work                  !< of the hour
    real(wp), dimension(lanes, columns%layers) :: coordinate, gain, change
    integer :: k, l, layers

    layers = columns%layers
    do k = 1, layers
      !$omp simd
      do l = 1, lanes
        gain(l, k) = work%source(l, k, b) + work%lateral(l, k, b)
        work%weights(l, k, b) = merge(0.0_wp, 1.0_wp, k == 1)
      end do
    end do
    call find_coordinates(lanes*layers, columns%alpha(:, :, b), head, coordinate)
    call solve_block(columns, b, head, coordinate, work%permeability(:, :, b), work%capacity(:, :, b), gain, work%ponded(:, b), &
      work%start_inflow(:, b), change)
    work%guess(:, :, b) = coordinate + change
  end subroutine first_solve

  !> Guess what another model predicts, or, where that counts from the solve, the solve and the predicted increment; all layers
  !> share the shift that closes the balance.
  subroutine take_prediction(columns, prediction, b, head, work)
    type(columns_t), intent(in) :: columns               !< soil
    type(prediction_t), intent(in) :: prediction         !< of another model
    integer, intent(in) :: b                             !< block
    real(wp), intent(in) :: head(lanes, columns%layers)  !< at the start [m]
    type(work_t), intent(inout) :: work                  !< of the hour
    real(wp), dimension(lanes, columns%layers) :: expected, stretch
    integer :: elements

    elements = lanes*columns%layers
    expected = prediction%head(:, :, b)
    if (prediction%base == of_solve) then
      call find_heads(elements, columns%alpha(:, :, b), work%guess(:, :, b), expected, stretch)
      expected = expected + (prediction%head(:, :, b) - head)
    end if
    call find_coordinates(elements, columns%alpha(:, :, b), expected, work%guess(:, :, b))
    work%weights(:, :, b) = 1.0_wp
  end subroutine take_prediction

  !> Lateral gain of a block: what comes in from the west and the south less what leaves to the east and the north.
  subroutine find_lateral(columns, b, east, north, lateral)
    type(columns_t), intent(in) :: columns                              !< terrain
    integer, intent(in) :: b                                            !< block
    real(wp), intent(in) :: east(lanes*columns%layers*columns%blocks)   !< flow [m]
    real(wp), intent(in) :: north(lanes*columns%layers*columns%blocks)  !< flow [m]
    real(wp), intent(out) :: lateral(lanes, columns%layers)             !< [m]
    integer :: k, l, own

    do k = 1, columns%layers
      !$omp simd private(own)
      do l = 1, lanes
        own = ((b - 1)*columns%layers + k - 1)*lanes + l
        lateral(l, k) = east(columns%west(l, b) + (k - 1)*lanes) - east(own) &
          - north(own) + north(columns%south(l, b) + (k - 1)*lanes)
      end do
    end do
  end subroutine find_lateral

  !> Solve linearised at the guess, and correct the guess; the last time by the gains of the network.
  subroutine refine(columns, network, b, last, start_head, work)
    type(columns_t), intent(in) :: columns                     !< soil and terrain
    type(network_t), intent(in) :: network                     !< of the last refinement
    integer, intent(in) :: b                                   !< block
    logical, intent(in) :: last                                !< refinement
    real(wp), intent(in) :: start_head(lanes, columns%layers)  !< [m]
    type(work_t), intent(inout) :: work                        !< of the hour
    real(wp), dimension(lanes, columns%layers) :: coordinate, head, stretch, saturation, slope, power, permeability
    real(wp), dimension(lanes, columns%layers) :: water, capacity, gain, change, moved
    integer :: elements, k, l, layers

    layers = columns%layers
    elements = lanes*layers
    call find_closed(columns, b, work, coordinate)
    call find_heads(elements, columns%alpha(:, :, b), coordinate, head, stretch)
    call find_saturations(elements, columns%alpha(:, :, b), columns%n(:, :, b), columns%m(:, :, b), &
      columns%residual(:, :, b), columns%maximum(:, :, b), head, saturation, slope, power)
    call find_permeabilities(elements, columns%m(:, :, b), head, power, permeability)
    call find_water(columns, b, head, saturation, slope, water, capacity)
    do k = 1, layers
      !$omp simd
      do l = 1, lanes
        gain(l, k) = work%source(l, k, b) + work%lateral(l, k, b) - (water(l, k) - work%water(l, k, b))
      end do
    end do
    call solve_block(columns, b, head, coordinate, permeability, capacity, gain, work%ponded(:, b), work%better(:, b), change)
    if (last .and. size(network%widths) > 1) then
      call find_coordinates(elements, columns%alpha(:, :, b), start_head, moved)
      moved = coordinate - moved
      call judge_block(columns, network, b, head, saturation, permeability, work%source(:, :, b), work%lateral(:, :, b), moved, &
        change, work%ponded(:, b), work%start_inflow(:, b), gain, work%weights(:, :, b))
      change = change*gain
    end if
    work%guess(:, :, b) = coordinate + change
  end subroutine refine

  !> Close the balances of a block from the guess, with the overland inflow of the start.
  subroutine search(columns, b, sweeps, work)
    type(columns_t), intent(in) :: columns  !< soil and terrain
    integer, intent(in) :: b                !< block
    integer, intent(in) :: sweeps           !< at most
    type(work_t), intent(inout) :: work     !< of the hour

    work%inflow(:, b) = work%start_inflow(:, b)
    work%shift(:, b) = 0.0_wp
    work%growth(:, b) = 1.0_wp
    work%surface_level(:, b) = work%guess(:, columns%layers, b)
    work%flow(:, b) = 0.0_wp
    work%response(:, b) = 0.0_wp
    work%open(:, b) = merge(1.0_wp, 0.0_wp, columns%cell(:, b) > 0)
    call close_and_pond(columns, b, sweeps, work)
  end subroutine search

  !> Close the balances again of columns whose overland inflow has changed or that are still open.
  subroutine search_again(columns, b, sweeps, work)
    type(columns_t), intent(in) :: columns  !< soil and terrain
    integer, intent(in) :: b                !< block
    integer, intent(in) :: sweeps           !< at most
    type(work_t), intent(inout) :: work     !< of the hour
    integer :: l

    !$omp simd
    do l = 1, lanes
      work%open(l, b) = merge(1.0_wp, work%open(l, b), has_changed(work%better(l, b), work%inflow(l, b)))
      work%inflow(l, b) = work%better(l, b)
    end do
    if (any(work%open(:, b) > 0.0_wp)) call close_and_pond(columns, b, sweeps, work)
  end subroutine search_again

  !> Search, and find what stands on the ground then and how it answers to inflow.
  subroutine close_and_pond(columns, b, sweeps, work)
    type(columns_t), intent(in) :: columns  !< soil and terrain
    integer, intent(in) :: b                !< block
    integer, intent(in) :: sweeps           !< at most
    type(work_t), intent(inout) :: work     !< of the hour
    type(surface_t) :: surface
    real(wp), dimension(lanes) :: available, gained, level, rising, by_inflow, ponded, root, flow
    real(wp) :: growth, spread
    logical :: searched(lanes)
    integer :: l, top

    top = columns%layers
    searched = work%open(:, b) > 0.0_wp
    available = work%available(:, b) + work%inflow(:, b)
    gained = work%ponded(:, b) + work%water(:, top, b) + work%source(:, top, b) + work%lateral(:, top, b) + work%inflow(:, b)
    surface = surface_of_block(columns, b, gained)
    call close_block(columns, b, surface, sweeps, work%guess(:, :, b), work%weights(:, :, b), available, work%open(:, b), &
      work%shift(:, b), work%growth(:, b), level, rising, by_inflow)
    !$omp simd
    do l = 1, lanes
      ponded(l) = merge(level(l), 0.0_wp, level(l) > 0.0_wp)
    end do
    call ponding_powers(lanes, ponded, root, flow)
    do l = 1, lanes
      if (.not. searched(l)) cycle  ! others in the block must not matter
      spread = 1.0_wp + outflow_slope(columns%conveyance_out(l, b), root(l))
      ! a growth of before the last sweep may lack the pond
      growth = max(work%growth(l, b), rising(l)*spread)
      work%surface_level(l, b) = level(l)
      work%flow(l, b) = flow(l)
      work%response(l, b) = depth_exponent*root(l)*(by_inflow(l) + rising(l)*(1.0_wp - spread*by_inflow(l))/growth)
    end do
  end subroutine close_and_pond

  !> Overland inflow by the depths that were found, and a better one; called by all threads.
  subroutine exchange(columns, work)
    type(columns_t), intent(in) :: columns  !< terrain
    type(work_t), intent(inout) :: work     !< of the hour
    integer :: b

    !$omp do schedule(static)
    do b = 1, columns%blocks
      call inflow_of_block(columns, b, work%flow, work%found(:, b))
    end do
    !$omp end do
    !$omp single
    call route(columns, work%found, work%response, work%inflow, work%better, work%change, work%passed)
    call look_for_more(columns, work)
    !$omp end single
  end subroutine exchange

  !> See whether balances are to be closed again.
  subroutine look_for_more(columns, work)
    type(columns_t), intent(in) :: columns  !< terrain
    type(work_t), intent(inout) :: work     !< of the hour

    work%wanting = any(columns%cell > 0 .and. (work%open > 0.0_wp .or. has_changed(work%better, work%inflow)))
  end subroutine look_for_more

  !> Whether overland inflow differs from that which a balance was closed with.
  pure elemental logical function has_changed(better, inflow)
    real(wp), intent(in) :: better  !< [m]
    real(wp), intent(in) :: inflow  !< [m]
    has_changed = abs(better - inflow) > inflow_tolerance*(1.0_wp + inflow)
  end function has_changed

  !> Coordinates of a block whose balances have been closed.
  pure subroutine find_closed(columns, b, work, coordinate)
    type(columns_t), intent(in) :: columns                      !< soil and terrain
    integer, intent(in) :: b                                    !< block
    type(work_t), intent(in) :: work                            !< of the hour
    real(wp), intent(out) :: coordinate(lanes, columns%layers)  !< u [m]
    integer :: k, l

    do k = 1, columns%layers - 1
      !$omp simd
      do l = 1, lanes
        coordinate(l, k) = work%guess(l, k, b) + work%shift(l, b)*work%weights(l, k, b)
      end do
    end do
    coordinate(:, columns%layers) = work%surface_level(:, b)
  end subroutine find_closed

  !> Heads at the end of the hour, in place and on the map.
  subroutine end_block(columns, b, cells, work, head, map)
    type(columns_t), intent(in) :: columns                 !< soil and terrain
    integer, intent(in) :: b                               !< block
    integer, intent(in) :: cells                           !< of a map
    type(work_t), intent(in) :: work                       !< of the hour
    real(wp), intent(out) :: head(lanes, columns%layers)   !< [m]
    real(wp), intent(inout) :: map(cells, columns%layers)  !< [m]
    real(wp), dimension(lanes, columns%layers) :: coordinate, stretch
    integer :: k, l

    call find_closed(columns, b, work, coordinate)
    call find_heads(lanes*columns%layers, columns%alpha(:, :, b), coordinate, head, stretch)
    do k = 1, columns%layers
      do l = 1, lanes
        if (columns%cell(l, b) > 0) map(columns%cell(l, b), k) = head(l, k)
      end do
    end do
  end subroutine end_block

end module structured_hour
