!> One step of the whole domain: nonlinear block Gauss-Seidel over columns in the order of overland flow.
!!
!! Overland flow couples columns strongly but only downstream, so visiting columns from upstream to downstream solves it exactly;
!! lateral groundwater flow couples weakly and is taken from the latest heads, once a pass. Columns of one level of the flow
!! order do not feed each other: they are shared among threads, and the result does not depend on how.
module richards_sweep
  use, intrinsic :: iso_fortran_env, only: real64
  use richards_column, only: column_t, column_state_t, solve_column, evaluate, ponding_power
  use richards_lateral, only: face_fluxes, net_inflow
  use richards_types, only: soil_t, network_t, options_t, state_t, balance_t, &
                            drainage_implicit, drainage_lagged, drainage_prescribed
  implicit none
  private
  public :: evaluate_all, advance_all

  !> Levels with fewer columns are not worth a barrier: runs of them are done by one thread.
  integer, parameter :: narrow_level = 24
  !> Rounds through a cycle of the slope field before it counts as failed.
  integer, parameter :: most_rounds = 2000

  !> Work of a step that lives from pass to pass.
  type :: work_t
    real(real64), allocatable :: start(:, :)       !< heads at the start [m]
    real(real64), allocatable :: water(:, :)       !< water of the cells at the start [m]
    real(real64), allocatable :: drained(:)        !< bottom outflow that is known in advance [m h-1]
    real(real64), allocatable :: east(:, :), north(:, :), lateral(:, :)  !< [m h-1]
    real(real64), allocatable :: power(:)          !< max(h, 0)^(5/3) of the top cells
    real(real64), allocatable :: change(:)         !< largest change of a head in the last pass [m]
  end type work_t

contains

  !> Constitutive relations of all columns at the present heads.
  subroutine evaluate_all(soil, options, state)
    type(soil_t), intent(in) :: soil
    type(options_t), intent(in) :: options
    type(state_t), intent(inout) :: state
    type(column_t) :: column
    type(column_state_t) :: view
    integer :: c

    !$omp parallel do num_threads(options%threads) private(column, view) schedule(static)
    do c = 1, soil%ncol
      call select_column(soil, options, state, c, column, view)
      call evaluate(column, view)
    end do
    !$omp end parallel do
  end subroutine evaluate_all

  !> Advance all columns by dt. On return `passes` is the number done and `change` [m] what the last one changed.
  !!
  !! Where columns fail, `balance%failed_layer` is set and the state is that of no time: the caller restores it.
  subroutine advance_all(soil, network, options, source, prescribed_drainage, state, balance, passes, change)
    type(soil_t), intent(in) :: soil
    type(network_t), intent(in) :: network
    type(options_t), intent(in) :: options
    real(real64), intent(in) :: source(soil%nz, soil%ncol)      !< volume per bulk volume [h-1], into the soil positive
    real(real64), intent(in) :: prescribed_drainage(soil%ncol)  !< [m h-1], used if the option says so
    type(state_t), intent(inout) :: state
    type(balance_t), intent(inout) :: balance
    integer, intent(out) :: passes
    real(real64), intent(out) :: change
    type(work_t) :: work
    integer :: c, level, last, group, levels
    logical :: done

    allocate (work%start(soil%nz, soil%ncol), work%water(soil%nz, soil%ncol), work%drained(soil%ncol))
    allocate (work%lateral(soil%nz, soil%ncol), work%power(soil%ncol), work%change(soil%ncol))
    if (options%lateral) allocate (work%east(soil%nz, soil%ncol), work%north(soil%nz, soil%ncol))
    levels = size(network%level_start) - 1
    passes = 0
    done = .false.

    !$omp parallel num_threads(options%threads) default(shared) private(c, level, last, group)
    !$omp do schedule(static)
    do c = 1, soil%ncol
      work%start(:, c) = state%head(:, c)
      work%water(:, c) = water(soil, state, c)
      work%power(c) = ponding_power(state%head(soil%nz, c))
      work%lateral(:, c) = 0.0_real64
      work%drained(c) = 0.0_real64
      if (options%drainage == drainage_lagged) work%drained(c) = soil%bottom(c) * state%kr(1, c)
      if (options%drainage == drainage_prescribed) work%drained(c) = prescribed_drainage(c)
      balance%failed_layer(c) = 0
      balance%residual(c) = 0.0_real64
    end do
    !$omp end do

    do while (.not. done)
      if (options%lateral) then
        !$omp do schedule(static)
        do c = 1, soil%ncol
          call face_fluxes(soil, network, state, c, work%east(:, c), work%north(:, c))
        end do
        !$omp end do
        !$omp do schedule(static)
        do c = 1, soil%ncol
          call net_inflow(soil, network, work%east, work%north, c, work%lateral(:, c))
        end do
        !$omp end do
      end if
      level = 1
      do while (level <= levels)
        last = level
        if (groups_in(level) >= narrow_level) then
          !$omp do schedule(dynamic, 8)
          do group = network%level_start(level), network%level_start(level + 1) - 1
            call solve_group(soil, network, options, source, work, state, balance, group)
          end do
          !$omp end do
        else
          do while (last < levels)
            if (groups_in(last + 1) >= narrow_level) exit
            last = last + 1
          end do
          !$omp single
          do group = network%level_start(level), network%level_start(last + 1) - 1
            call solve_group(soil, network, options, source, work, state, balance, group)
          end do
          !$omp end single
        end if
        level = last + 1
      end do
      !$omp single
      passes = passes + 1
      change = maxval(work%change)
      done = passes >= options%passes .or. change <= options%pass_tolerance .or. any(balance%failed_layer > 0)
      !$omp end single
    end do

    !$omp do schedule(static)
    do c = 1, soil%ncol
      balance%storage_change(c) = sum(water(soil, state, c) - work%water(:, c)) &
                                  + max(state%head(soil%nz, c), 0.0_real64) - max(work%start(soil%nz, c), 0.0_real64)
      balance%outflow(c) = options%dt * network%boundary(c) * work%power(c)
      if (options%drainage == drainage_implicit) balance%drainage(c) = options%dt * soil%bottom(c) * state%kr(1, c)
    end do
    !$omp end do
    !$omp end parallel

  contains

    pure integer function groups_in(level)
      integer, intent(in) :: level
      groups_in = network%level_start(level + 1) - network%level_start(level)
    end function groups_in

  end subroutine advance_all

  !> Solve a column, or round and round the columns of a cycle until a round changes none of them.
  subroutine solve_group(soil, network, options, source, work, state, balance, group)
    type(soil_t), intent(in) :: soil
    type(network_t), intent(in) :: network
    type(options_t), intent(in) :: options
    real(real64), intent(in) :: source(soil%nz, soil%ncol)
    type(work_t), intent(inout) :: work
    type(state_t), intent(inout) :: state
    type(balance_t), intent(inout) :: balance
    integer, intent(in) :: group
    integer :: c, first, last, round, iterations, of_column

    first = network%group_start(group)
    last = network%group_start(group + 1) - 1
    do round = 1, merge(1, most_rounds, first == last)
      iterations = 0
      do c = first, last
        call solve_one(soil, network, options, source, work, state, balance, c, round == 1, of_column)
        if (balance%failed_layer(c) > 0) return
        iterations = iterations + of_column
      end do
      if (iterations == 0 .or. first == last) return
    end do
    balance%failed_layer(first) = soil%nz
    balance%residual(first) = work%change(first)
  end subroutine solve_group

  subroutine solve_one(soil, network, options, source, work, state, balance, c, first_round, iterations)
    type(soil_t), intent(in) :: soil
    type(network_t), intent(in) :: network
    type(options_t), intent(in) :: options
    real(real64), intent(in) :: source(soil%nz, soil%ncol)
    type(work_t), intent(inout) :: work
    type(state_t), intent(inout) :: state
    type(balance_t), intent(inout) :: balance
    integer, intent(in) :: c
    logical, intent(in) :: first_round
    integer, intent(out) :: iterations
    type(column_t) :: column
    type(column_state_t) :: view
    real(real64) :: supply(soil%nz), before(soil%nz), known, demand, available, drained
    integer :: k, side

    call select_column(soil, options, state, c, column, view)
    column%runoff = options%dt * network%outflow(c)
    if (options%drainage == drainage_implicit) column%drainage = options%dt * soil%bottom(c)

    balance%source(c) = 0.0_real64
    balance%unmet(c) = 0.0_real64
    do k = 1, soil%nz
      known = work%water(k, c) + options%dt * work%lateral(k, c)
      if (k == soil%nz) then
        known = known + max(work%start(k, c), 0.0_real64)
        do side = 1, 4
          if (network%donor(side, c) == 0) cycle
          known = known + options%dt * network%inflow(side, c) * work%power(network%donor(side, c))
        end do
      end if
      demand = -options%dt * soil%dz(k) * source(k, c)
      if (demand > 0.0_real64) then
        ! a sink beyond the water that the cell can give would be "met" by a head of -1e9 m
        available = max(known - soil%floor_water(k, c), 0.0_real64)
        balance%unmet(c) = balance%unmet(c) + max(demand - available, 0.0_real64)
        demand = min(demand, available)
      end if
      supply(k) = known - demand
      balance%source(c) = balance%source(c) - demand
    end do
    drained = options%dt * work%drained(c)
    if (options%drainage == drainage_lagged) drained = min(drained, max(supply(1) - soil%floor_water(1, c), 0.0_real64))
    supply(1) = supply(1) - drained
    balance%drainage(c) = drained

    before = view%head
    call solve_column(column, supply, work%start(:, c), view, iterations, balance%failed_layer(c), balance%residual(c))
    work%power(c) = ponding_power(view%head(soil%nz))
    if (first_round) work%change(c) = 0.0_real64
    work%change(c) = max(work%change(c), maxval(abs(view%head - before)))
  end subroutine solve_one

  !> Water of the cells of a column, dz (phi S + Ss h S) [m].
  pure function water(soil, state, c)
    type(soil_t), intent(in) :: soil
    type(state_t), intent(in) :: state
    integer, intent(in) :: c
    real(real64) :: water(soil%nz)

    water = (soil%pore(:, c) + soil%elastic(:, c) * state%head(:, c)) * state%saturation(:, c)
  end function water

  !> Views of column `c` in the arrays of the domain.
  subroutine select_column(soil, options, state, c, column, view)
    type(soil_t), intent(in) :: soil
    type(options_t), intent(in) :: options
    type(state_t), intent(in) :: state
    integer, intent(in) :: c
    type(column_t), intent(out) :: column
    type(column_state_t), intent(out) :: view

    column%nz = soil%nz
    column%dt = options%dt
    column%tolerance = options%tolerance
    column%table_points = options%table_points
    column%gap => soil%gap
    column%alpha => soil%alpha(:, c)
    column%n => soil%n(:, c)
    column%residual => soil%residual(:, c)
    column%span => soil%span(:, c)
    column%pore => soil%pore(:, c)
    column%elastic => soil%elastic(:, c)
    column%vertical => soil%vertical(:, c)
    if (options%table_points > 0) column%minimum_head => soil%minimum_head(:, c)
    view%head => state%head(:, c)
    view%saturation => state%saturation(:, c)
    view%kr => state%kr(:, c)
    view%dsaturation => state%dsaturation(:, c)
    view%dkr => state%dkr(:, c)
  end subroutine select_column

end module richards_sweep
