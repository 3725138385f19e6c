!> One step of the whole domain: nonlinear block Gauss-Seidel over columns in the order of overland flow.
!>
!> Overland flow couples columns strongly but only downstream, so visiting columns from upstream to downstream solves it exactly;
!> lateral groundwater flow couples weakly and is taken from the latest heads, once a pass. Threads take columns from the front of
!> the flow order and wait for the donors of a column where those are still being solved, so that the result does not depend on
!> the number of threads. (A barrier after each level of the order costs more than the columns when processors are shared.)
!>
!> Equations (10) and (12), and (8a), of docs/theory.md.
module richards_sweep
  use, intrinsic :: iso_c_binding, only: c_int
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use richards_circle, only: predict_powers
  use richards_column, only: column_t, column_state_t, solve_column, jacobian, take_step, evaluate, ponding_power, &
    ponding_answer, boundary_inflow, balance_cells
  use richards_correction, only: system_t, allocate_system, set_faces, add_faces, solve_system
  use richards_lateral, only: face_fluxes, net_inflow, response
  use richards_types, only: soil_t, network_t, boundary_t, options_t, state_t, balance_t, &
    drainage_implicit, drainage_lagged, drainage_prescribed, ground_ponds, ground_closed
  implicit none
  private
  public :: evaluate_all, advance_all

  !> Groups of the flow order that a thread takes at a time.
  integer, parameter :: chunk = 8
  !> Looks at a donor before a waiting thread offers its processor to others.
  integer, parameter :: patience = 1000
  !> Rounds through a cycle of the slope field before it counts as failed.
  integer, parameter :: most_rounds = 2000
  !> Rounds column by column before those of a cycle are taken together, as far as they are so many.
  integer, parameter :: simple_rounds = 8, most_together = 500

  !> A correction that leaves more than this of the imbalance is halved, down to the least.
  real(wp), parameter :: stalled = 0.97_wp, least_relaxation = 0.02_wp
  !> Diagonal of a cell that the correction cannot move, beside the lateral faces of others [-].
  real(wp), parameter :: rigid = 1.0e20_wp

  !> Work of a step that lives from pass to pass.
  type :: work_t
    real(wp), allocatable :: start(:, :)                             !< heads at the start [m]
    real(wp), allocatable :: water(:, :)                             !< water of the cells at the start [m]
    real(wp), allocatable :: drained(:)                              !< bottom outflow that is known in advance [m h-1]
    real(wp), allocatable :: east(:, :), north(:, :), lateral(:, :)  !< [m h-1]
    real(wp), allocatable :: damping(:, :)                           !< dt * response of lateral flow to a column's own heads [-]
    real(wp), allocatable :: reference(:, :)                         !< heads that damped lateral flow was taken from [m]
    type(system_t) :: system                                         !< that moves the heads between damped passes
    real(wp), allocatable :: power(:)                                !< max(h, 0)^(5/3) of the top cells [m5/3]
    real(wp), allocatable :: inflow(:)                               !< overland inflow of a column in a cycle [m]
    real(wp), allocatable :: answer(:)                               !< derivative of its power by that [m2/3]
    integer, allocatable :: solved(:)                                !< last pass in which the column was solved
    real(wp) :: imbalance = huge(1.0_wp)                             !< norm of what the last pass left unbalanced [m]
    real(wp) :: relaxation = 1.0_wp                                  !< share of the correction that is taken [-]
    logical :: damped = .false.                                      !< damped passes conserve water only once converged
    integer :: next = 1                                              !< first group that no thread has taken in this pass
  end type work_t

  interface
    integer(c_int) function sched_yield() bind(c)
      import :: c_int
    end function sched_yield
  end interface

contains

  !> Constitutive relations of all columns at the present heads.
  subroutine evaluate_all(soil, options, state)
    type(soil_t), intent(in) :: soil        !< properties of the cells
    type(options_t), intent(in) :: options  !< choices of the step
    type(state_t), intent(inout) :: state   !< head and what follows from it
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

  !> Advance all columns by dt. On return `passes` is the number done and `change` what the last one changed
  !> most: a positive head [m] or a saturation [-]; heads of dry cells move far with no water in them.
  !>
  !> Either a given number of passes, or, with a pass tolerance, damped passes with corrections between them until nothing changes
  !> by more, and then one that conserves water exactly; `converged` is then whether the tolerance was reached. One pass is exact
  !> without lateral flow.
  !> Where columns fail, `balance%failed_layer` is set and the state is that of no time: the caller restores it.
  subroutine advance_all(soil, network, boundary, options, source, prescribed_drainage, state, balance, passes, change, converged)
    type(soil_t), intent(in) :: soil                        !< properties of the cells
    type(network_t), intent(in) :: network                  !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary             !< faces through which water comes from outside
    type(options_t), intent(in) :: options                  !< choices of the step
    real(wp), intent(in) :: source(soil%nz, soil%ncol)      !< volume per bulk volume [h-1], into the soil positive
    real(wp), intent(in) :: prescribed_drainage(soil%ncol)  !< [m h-1], used if the option says so
    type(state_t), intent(inout) :: state                   !< head and what follows from it
    type(balance_t), intent(inout) :: balance               !< what the step did to each column
    integer, intent(out) :: passes                          !< passes done
    real(wp), intent(out) :: change                         !< largest in the last pass, of positive head [m] or saturation [-]
    logical, intent(out) :: converged                       !< the pass tolerance was reached
    type(work_t), target :: work
    integer :: c
    logical :: done

    allocate (work%start(soil%nz, soil%ncol), work%water(soil%nz, soil%ncol), work%drained(soil%ncol))
    allocate (work%lateral(soil%nz, soil%ncol), work%power(soil%ncol))
    if (options%lateral) allocate (work%east(soil%nz, soil%ncol), work%north(soil%nz, soil%ncol))
    allocate (work%solved(soil%ncol))
    if (size(network%group_start) <= soil%ncol) allocate (work%inflow(soil%ncol), work%answer(soil%ncol))
    work%damped = options%lateral .and. options%pass_tolerance > 0.0_wp
    if (work%damped) then
      allocate (work%damping(soil%nz, soil%ncol), work%reference(soil%nz, soil%ncol))
      call allocate_system(soil%nz, soil%ncol, work%system)
    end if
    passes = 0
    done = .false.
    converged = .true.

    !$omp parallel num_threads(options%threads) default(shared) private(c)
    !$omp do schedule(static)
    do c = 1, soil%ncol
      work%start(:, c) = state%head(:, c)
      work%water(:, c) = water(soil, state, c)
      work%power(c) = ponding_power(state%head(soil%top(c), c))
      work%lateral(:, c) = 0.0_wp
      work%drained(c) = 0.0_wp
      work%solved(c) = 0
      if (options%drainage == drainage_lagged) work%drained(c) = soil%bottom(c)*state%kr(1, c)
      if (options%drainage == drainage_prescribed) work%drained(c) = prescribed_drainage(c)
      balance%iterations(c) = 0
      balance%ways(c) = 0
      balance%failed_layer(c) = 0
      balance%residual(c) = 0.0_wp
    end do
    !$omp end do

    do while (.not. done)
      if (options%lateral .and. options%pass_tolerance > 0.0_wp .and. passes > 0) then
        call correct(soil, network, boundary, options, work, state)
      end if
      if (options%lateral) then
        !$omp do schedule(static)
        do c = 1, soil%ncol
          call face_fluxes(soil, network, state, c, work%east(:, c), work%north(:, c))
        end do
        !$omp end do
        !$omp do schedule(static)
        do c = 1, soil%ncol
          call net_inflow(soil, network, work%east, work%north, c, work%lateral(:, c))
          if (work%damped) then
            call response(soil, network, state, c, work%damping(:, c))
            work%damping(:, c) = options%dt*work%damping(:, c)
            work%reference(:, c) = state%head(:, c)
          end if
        end do
        !$omp end do
      end if
      call sweep(soil, network, boundary, options, source, passes + 1, work, state, balance)
      !$omp barrier
      !$omp single
      passes = passes + 1
      work%next = 1
      change = maxval(balance%change)
      if (any(balance%failed_layer > 0) .or. .not. options%lateral) then
        done = .true.
      else if (work%damped) then
        converged = change <= options%pass_tolerance
        work%damped = .not. (converged .or. passes >= options%passes - 1)
      else
        done = options%pass_tolerance > 0.0_wp .or. passes >= options%passes
      end if
      !$omp end single
    end do

    !$omp do schedule(static)
    do c = 1, soil%ncol
      balance%storage_change(c) = sum(water(soil, state, c) - work%water(:, c))
      if (options%ground == ground_ponds) balance%storage_change(c) = balance%storage_change(c) &
        + max(state%head(soil%top(c), c), 0.0_wp) - max(work%start(soil%top(c), c), 0.0_wp)
      balance%outflow(c) = options%dt*network%boundary(c)*work%power(c)
      if (options%drainage == drainage_implicit) balance%drainage(c) = options%dt*soil%bottom(c)*state%kr(1, c)
      if (boundary%faces > 0) call take_inflow(soil, boundary, options, state, c)
    end do
    !$omp end do
    !$omp end parallel
  end subroutine advance_all

  !> Move all heads by what spreads the water that the last pass left unbalanced. Called by all threads.
  subroutine correct(soil, network, boundary, options, work, state)
    type(soil_t), intent(in) :: soil             !< properties of the cells
    type(network_t), intent(in) :: network       !< neighbours and order of the columns
    type(boundary_t), intent(in) :: boundary     !< faces through which water comes from outside
    type(options_t), intent(in) :: options       !< choices of the step
    type(work_t), intent(inout), target :: work  !< work of the step
    type(state_t), intent(inout) :: state        !< head and what follows from it
    real(wp) :: inflow(soil%nz), moved(soil%nz), imbalance
    type(column_t) :: column
    type(column_state_t) :: view
    integer :: c, top

    !$omp do schedule(static)
    do c = 1, soil%ncol
      call face_fluxes(soil, network, state, c, work%east(:, c), work%north(:, c))
      call set_faces(soil, network, state, options%dt, c, work%system)
      call select_column(soil, options, state, c, column, view, network)
      if (boundary%faces > 0) call see_boundary(boundary, c, column)
      ! cells above the top of a column stay as they are
      work%system%lower(soil%top(c) + 1:, c) = 0.0_wp
      work%system%diagonal(soil%top(c) + 1:, c) = 1.0_wp
      work%system%upper(soil%top(c) + 1:, c) = 0.0_wp
      call jacobian(column, view, work%system%lower(:, c), work%system%diagonal(:, c), work%system%upper(:, c))
    end do
    !$omp end do
    !$omp do schedule(static)
    do c = 1, soil%ncol
      call net_inflow(soil, network, work%east, work%north, c, inflow)
      work%system%right(:, c) = options%dt*(inflow - work%lateral(:, c)) &
        + work%damping(:, c)*(state%head(:, c) - work%reference(:, c))
      if (boundary%faces > 0) call hold_shift(boundary, c, work%system)
      call add_faces(network, c, work%system)
    end do
    !$omp end do
    !$omp single
    imbalance = norm2(work%system%right)
    ! where S(h) has a kink, at saturation, whole corrections may jump to and fro across the solution
    if (imbalance > stalled*work%imbalance) then
      work%relaxation = max(0.5_wp*work%relaxation, least_relaxation)
    else
      work%relaxation = min(1.3_wp*work%relaxation, 1.0_wp)
    end if
    work%imbalance = imbalance
    !$omp end single
    call solve_system(network, work%system)
    !$omp do schedule(static)
    do c = 1, soil%ncol
      call select_column(soil, options, state, c, column, view)
      top = soil%top(c)
      call take_step(top, column%alpha, view%head, -work%system%shift(:top, c), work%relaxation, .false., moved(:top))
      view%head(:) = moved(:top)
      call evaluate(column, view)
    end do
    !$omp end do
  end subroutine correct

  !> Let the correction leave the cells of column `c` that are held at a head where they are.
  subroutine hold_shift(boundary, c, system)
    type(boundary_t), intent(in) :: boundary  !< faces through which water comes from outside
    integer, intent(in) :: c                  !< number of the column
    type(system_t), intent(inout) :: system   !< the columns' Jacobian without lateral faces, and the right-hand side
    integer :: face, k

    do face = boundary%start(c), boundary%start(c + 1) - 1
      if (boundary%holds(face) == 0) cycle
      k = boundary%layer(face)
      system%diagonal(k, c) = rigid
      system%right(k, c) = 0.0_wp
    end do
  end subroutine hold_shift

  !> The share of one thread in a pass over the groups, from upstream to downstream.
  subroutine sweep(soil, network, boundary, options, source, pass, work, state, balance)
    type(soil_t), intent(in) :: soil                    !< properties of the cells
    type(network_t), intent(in) :: network              !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary         !< faces through which water comes from outside
    type(options_t), intent(in) :: options              !< choices of the step
    real(wp), intent(in) :: source(soil%nz, soil%ncol)  !< volume per bulk volume, into the soil positive [h-1]
    integer, intent(in) :: pass                         !< number of the pass
    type(work_t), intent(inout), target :: work         !< work of the step
    type(state_t), intent(inout) :: state               !< head and what follows from it
    type(balance_t), intent(inout) :: balance           !< what the step did to each column
    integer :: groups, mine, group, c

    groups = size(network%group_start) - 1
    do
      !$omp atomic capture
      mine = work%next
      work%next = work%next + chunk
      !$omp end atomic
      if (mine > groups) exit
      do group = mine, min(mine + chunk - 1, groups)
        if (options%threads > 1) call await_donors(network, group, pass, work%solved)
        call solve_group(soil, network, boundary, options, source, work, state, balance, group)
        do c = network%group_start(group), network%group_start(group + 1) - 1
          !$omp atomic write seq_cst
          work%solved(c) = pass
        end do
      end do
    end do
  end subroutine sweep

  !> Wait until the donors of a group have been solved in this pass. They precede it in the flow order, so another thread has them.
  subroutine await_donors(network, group, pass, solved)
    type(network_t), intent(in) :: network  !< neighbours and order of the columns
    integer, intent(in) :: group            !< number of the group
    integer, intent(in) :: pass             !< number of the pass
    integer, intent(in) :: solved(:)        !< last pass in which each column was solved
    integer :: c, side, donor, seen, looks
    integer(c_int) :: ignored

    do c = network%group_start(group), network%group_start(group + 1) - 1
      do side = 1, 4
        donor = network%donor(side, c)
        if (donor == 0 .or. donor >= network%group_start(group)) cycle
        looks = 0
        do
          !$omp atomic read seq_cst
          seen = solved(donor)
          if (seen >= pass) exit
          looks = looks + 1
          if (mod(looks, patience) == 0) ignored = sched_yield()
        end do
      end do
    end do
  end subroutine await_donors

  !> Solve a column, or round and round the columns of a cycle until a round changes none of them.
  subroutine solve_group(soil, network, boundary, options, source, work, state, balance, group)
    type(soil_t), intent(in) :: soil                    !< properties of the cells
    type(network_t), intent(in) :: network              !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary         !< faces through which water comes from outside
    type(options_t), intent(in) :: options              !< choices of the step
    real(wp), intent(in) :: source(soil%nz, soil%ncol)  !< volume per bulk volume, into the soil positive [h-1]
    type(work_t), intent(inout), target :: work         !< work of the step
    type(state_t), intent(inout) :: state               !< head and what follows from it
    type(balance_t), intent(inout) :: balance           !< what the step did to each column
    integer, intent(in) :: group                        !< number of the group
    integer :: c, first, last, round, iterations, of_column
    logical :: predicted

    first = network%group_start(group)
    last = network%group_start(group + 1) - 1
    predicted = .false.
    do round = 1, merge(1, most_rounds, first == last)
      iterations = 0
      do c = first, last
        call solve_one(soil, network, boundary, options, source, work, state, balance, c, round == 1, last > first, of_column)
        if (balance%failed_layer(c) > 0) return
        iterations = iterations + of_column
      end do
      ! of flow that was predicted another round must show that it is the columns' own
      if (first == last .or. (iterations == 0 .and. .not. predicted)) return
      predicted = .not. predicted .and. round > simple_rounds .and. last - first < most_together
      if (predicted) call predict_powers(network, first, last, options%dt, work%inflow, work%answer, work%power)
    end do
    balance%failed_layer(first) = soil%top(first)
    balance%residual(first) = balance%change(first)
  end subroutine solve_group

  !> Gather the water that flows to a column and solve it.
  subroutine solve_one(soil, network, boundary, options, source, work, state, balance, c, first_round, circling, &
    iterations)
    type(soil_t), intent(in) :: soil                    !< properties of the cells
    type(network_t), intent(in) :: network              !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary         !< faces through which water comes from outside
    type(options_t), intent(in) :: options              !< choices of the step
    real(wp), intent(in) :: source(soil%nz, soil%ncol)  !< volume per bulk volume, into the soil positive [h-1]
    type(work_t), intent(inout), target :: work         !< work of the step
    type(state_t), intent(inout) :: state               !< head and what follows from it
    type(balance_t), intent(inout) :: balance           !< what the step did to each column
    integer, intent(in) :: c                            !< number of the column
    logical, intent(in) :: first_round                  !< first round through a cycle
    logical, intent(in) :: circling                     !< the column is one of a cycle
    integer, intent(out) :: iterations                  !< of Newton's method
    type(column_t) :: column
    type(column_state_t) :: view
    real(wp) :: supply(soil%top(c)), before(soil%top(c)), saturation_before(soil%top(c)), known, demand, available, drained
    integer :: k, side, ways, top

    call select_column(soil, options, state, c, column, view, network)

    top = soil%top(c)
    balance%source(c) = 0.0_wp
    balance%unmet(c) = 0.0_wp
    do k = 1, top
      known = work%water(k, c) + options%dt*work%lateral(k, c)
      if (k == top) then
        if (options%ground == ground_ponds) known = known + max(work%start(k, c), 0.0_wp)
        do side = 1, 4
          if (network%donor(side, c) == 0) cycle
          known = known + options%dt*network%inflow(side, c)*work%power(network%donor(side, c))
        end do
      end if
      demand = -options%dt*soil%dz(k)*source(k, c)
      if (demand > 0.0_wp) then
        ! a sink beyond the water that the cell can give would be "met" by a head of -1e9 m
        available = max(known - soil%floor_water(k, c), 0.0_wp)
        balance%unmet(c) = balance%unmet(c) + max(demand - available, 0.0_wp)
        demand = min(demand, available)
      end if
      supply(k) = known - demand
      balance%source(c) = balance%source(c) - demand
    end do
    drained = options%dt*work%drained(c)
    if (options%drainage == drainage_lagged) drained = min(drained, max(supply(1) - soil%floor_water(1, c), 0.0_wp))
    supply(1) = supply(1) - drained
    balance%drainage(c) = drained

    if (boundary%faces > 0) call give_boundary(soil, boundary, options, c, supply, column)

    if (work%damped) then
      column%damped = .true.
      column%damping => work%damping(:top, c)
      column%reference => work%reference(:top, c)
    end if

    before = view%head
    saturation_before = view%saturation
    call solve_column(column, supply, work%start(:top, c), view, iterations, ways, balance%failed_layer(c), balance%residual(c))
    if (boundary%faces > 0) call take_held(boundary, c, column, view, supply)
    balance%iterations(c) = balance%iterations(c) + iterations
    balance%ways(c) = max(balance%ways(c), ways)
    if (circling) then
      work%inflow(c) = 0.0_wp
      do side = 1, 4
        if (network%donor(side, c) > 0) work%inflow(c) = work%inflow(c) &
          + options%dt*network%inflow(side, c)*work%power(network%donor(side, c))
      end do
      work%answer(c) = ponding_answer(column, view)
    end if
    work%power(c) = ponding_power(view%head(top))
    if (first_round) balance%change(c) = 0.0_wp
    balance%change(c) = max(balance%change(c), maxval(abs(max(view%head, 0.0_wp) - max(before, 0.0_wp))), &
      maxval(abs(view%saturation - saturation_before)))
  end subroutine solve_one

  !> Add the given fluxes through the faces of a column to its supply, and let it see the boundaries at a head. What flows out
  !> beyond the water that the cell can give is cut, as a sink is.
  subroutine give_boundary(soil, boundary, options, c, supply, column)
    type(soil_t), intent(in) :: soil               !< properties of the cells
    type(boundary_t), intent(inout) :: boundary    !< faces through which water comes from outside
    type(options_t), intent(in) :: options         !< choices of the step
    integer, intent(in) :: c                       !< number of the column
    real(wp), intent(inout) :: supply(soil%top(c))  !< water of the cells that does not depend on their new heads [m]
    type(column_t), intent(inout) :: column        !< properties of the column
    real(wp) :: inflow
    integer :: face, k

    do face = boundary%start(c), boundary%start(c + 1) - 1
      k = boundary%layer(face)
      inflow = options%dt*boundary%flux(face)
      if (inflow < 0.0_wp) inflow = max(inflow, min(soil%floor_water(k, c) - supply(k), 0.0_wp))
      boundary%inflow(face) = inflow
      supply(k) = supply(k) + inflow
    end do
    call see_boundary(boundary, c, column)
  end subroutine give_boundary

  !> Views of the faces of column `c`.
  subroutine see_boundary(boundary, c, column)
    type(boundary_t), intent(in) :: boundary  !< faces through which water comes from outside
    integer, intent(in) :: c                  !< number of the column
    type(column_t), intent(inout) :: column   !< properties of the column
    integer :: first, last

    first = boundary%start(c)
    last = boundary%start(c + 1) - 1
    column%faces = last - first + 1
    column%face_layer => boundary%layer(first:last)
    column%holds => boundary%holds(first:last)
    column%conductance => boundary%conductance(first:last)
    column%face_head => boundary%head(first:last)
    column%face_kr => boundary%kr(first:last)
    column%lift => boundary%lift(first:last)
  end subroutine see_boundary

  !> Set the inflow to cells that are held at a head: what their balances lack.
  subroutine take_held(boundary, c, column, view, supply)
    type(boundary_t), intent(inout) :: boundary  !< faces through which water comes from outside
    integer, intent(in) :: c                     !< number of the column
    type(column_t), intent(in) :: column         !< properties of the column
    type(column_state_t), intent(in) :: view     !< head of the column and what follows from it
    real(wp), intent(in) :: supply(column%nz)    !< water of the cells that does not depend on their new heads [m]
    real(wp) :: missing(column%nz), lower(column%nz), diagonal(column%nz), upper(column%nz)
    integer :: face

    if (.not. any(column%holds == 1)) return
    call balance_cells(column, supply, view, missing, lower, diagonal, upper)
    do face = 1, column%faces
      if (column%holds(face) == 1) boundary%inflow(boundary%start(c) + face - 1) = missing(column%face_layer(face))
    end do
  end subroutine take_held

  !> Complete the inflow through the faces of a column by that from boundaries at a head, which follows from the new heads.
  subroutine take_inflow(soil, boundary, options, state, c)
    type(soil_t), intent(in) :: soil             !< properties of the cells
    type(boundary_t), intent(inout) :: boundary  !< faces through which water comes from outside
    type(options_t), intent(in) :: options       !< choices of the step
    type(state_t), intent(in) :: state           !< head and what follows from it
    integer, intent(in) :: c                     !< number of the column
    type(column_t) :: column
    type(column_state_t) :: view
    integer :: face

    call select_column(soil, options, state, c, column, view)
    call see_boundary(boundary, c, column)
    do face = 1, column%faces
      if (column%conductance(face) > 0.0_wp) boundary%inflow(boundary%start(c) + face - 1) &
        = options%dt*boundary_inflow(column, view, face)
    end do
  end subroutine take_inflow

  !> Water of the cells of a column, dz (phi S + Ss h S) [m].
  pure function water(soil, state, c)
    type(soil_t), intent(in) :: soil    !< properties of the cells
    type(state_t), intent(in) :: state  !< head and what follows from it
    integer, intent(in) :: c            !< number of the column
    real(wp) :: water(soil%nz)

    water = (soil%pore(:, c) + soil%elastic(:, c)*state%head(:, c))*state%saturation(:, c)
  end function water

  !> Views of column `c` in the arrays of the domain.
  subroutine select_column(soil, options, state, c, column, view, network)
    type(soil_t), intent(in) :: soil           !< properties of the cells
    type(options_t), intent(in) :: options     !< choices of the step
    type(state_t), intent(in) :: state         !< head and what follows from it
    integer, intent(in) :: c                   !< number of the column
    type(column_t), intent(out) :: column      !< properties of the column
    type(column_state_t), intent(out) :: view  !< head of the column and what follows from it
    type(network_t), intent(in), optional :: network  !< with it the column knows what runs off and drains
    integer :: top

    top = soil%top(c)
    column%nz = top
    column%dt = options%dt
    column%tolerance = options%tolerance
    column%closed = options%ground == ground_closed
    column%table_points = options%table_points
    column%gap => soil%gap(:top)
    column%alpha => soil%alpha(:top, c)
    column%n => soil%n(:top, c)
    column%residual => soil%residual(:top, c)
    column%span => soil%span(:top, c)
    column%pore => soil%pore(:top, c)
    column%elastic => soil%elastic(:top, c)
    column%vertical => soil%vertical(:top, c)
    column%own_permeability = options%own_permeability
    column%kr_alpha => soil%kr_alpha(:top, c)
    column%kr_n => soil%kr_n(:top, c)
    if (options%table_points > 0) column%minimum_head => soil%minimum_head(:top, c)
    if (present(network)) then
      column%runoff = options%dt*network%outflow(c)
      if (options%drainage == drainage_implicit) column%drainage = options%dt*soil%bottom(c)
    end if
    view%head => state%head(:top, c)
    view%saturation => state%saturation(:top, c)
    view%kr => state%kr(:top, c)
    view%dsaturation => state%dsaturation(:top, c)
    view%dkr => state%dkr(:top, c)
  end subroutine select_column
end module richards_sweep
