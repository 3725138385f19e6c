!> One step of the whole domain: nonlinear block Gauss-Seidel over columns in the order of overland flow, eight side by side.
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
  use ponding, only: ponding_powers
  use richards_block, only: block_t, allocate_block, choose_columns, take, take_soil, take_state, put_lane, &
    put_state, evaluate, assemble, balance_cells, boundary_inflow
  use richards_circle, only: predict_powers
  use richards_correction, only: system_t, allocate_system, set_faces, add_faces, solve_system, add_up, &
    begin_solution, choose_direction, try_direction, follow_direction, try_residual, follow_residual
  use richards_lateral, only: net_inflow, response
  use richards_newton, only: solve_block, take_step, find_answers
  use richards_order, only: order_t, arrange
  use richards_types, only: soil_t, network_t, boundary_t, options_t, state_t, balance_t, lanes, &
    drainage_implicit, drainage_lagged, drainage_prescribed, ground_ponds, &
    soil_alpha, soil_pore, soil_elastic, soil_floor, state_head, state_saturation, state_kr, state_variables, &
    work_start, work_water, work_lateral, work_fields
  implicit none
  private
  public :: evaluate_all, sum_water, advance_all
  public :: work_t, begin_step, begin_pass, sweep_columns, end_pass, end_step
  public :: correct_stage, judge_pass

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

  !> Stages of the correction of a part of a domain, in their order; an iteration is those from `choose` to `follow_residual`.
  integer, parameter :: stage_begin = 1, stage_start = 2, stage_choose = 3, stage_try_direction = 4, stage_follow_direction = 5, &
    stage_try_residual = 6, stage_follow_residual = 7, stage_end = 8

  !> Work of a step that lives from pass to pass.
  type :: work_t
    real(wp), pointer, contiguous :: cells(:, :, :) => null()        !< (layer, field, column), as numbered in richards_types [any]
    real(wp), allocatable :: drained(:)                              !< bottom outflow that is known in advance [m h-1]
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
    type(order_t) :: order                                           !< columns that are solved side by side
    integer :: next = 1                                              !< first block that no thread has taken in this sweep
    integer :: last = 0                                              !< last block of this sweep
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
    type(block_t) :: block
    integer :: c, first, l

    !$omp parallel num_threads(options%threads) private(block, l)
    call allocate_block(soil, options, block)
    !$omp do schedule(static)
    do first = 1, soil%ncol, lanes
      call choose_columns([(c, c=first, min(first + lanes - 1, soil%ncol))], soil%nz, block)
      call take_soil(soil, block)
      call take(block, soil%nz*state_variables, soil%ncol, state%cells, block%state)
      call evaluate(block)
      do l = 1, block%live
        call put_state(block, l, state)
      end do
    end do
    !$omp end do
    !$omp end parallel
  end subroutine evaluate_all

  !> Water in the ground of each column, the sum of dz (phi S + Ss h S) over its cells.
  subroutine sum_water(soil, options, state, water)
    type(soil_t), intent(in) :: soil              !< properties of the cells
    type(options_t), intent(in) :: options        !< choices of the step
    type(state_t), intent(in) :: state            !< head and what follows from it
    real(wp), intent(out) :: water(soil%ncol)     !< [m]
    integer :: c

    !$omp parallel do num_threads(options%threads) schedule(static)
    do c = 1, soil%ncol
      water(c) = sum((soil%cells(:, soil_pore, c) + soil%cells(:, soil_elastic, c)*state%cells(:, state_head, c)) &
        *state%cells(:, state_saturation, c))
    end do
    !$omp end parallel do
  end subroutine sum_water

  !> Advance all columns by dt. On return `passes` is the number done and `change` what the last one changed
  !> most: a positive head [m] or a saturation [-]; heads of dry cells move far with no water in them.
  !>
  !> Either a given number of passes, or, with a pass tolerance, damped passes with corrections between them until nothing changes
  !> by more, and then one that conserves water exactly; `converged` is then whether the tolerance was reached. One pass is exact
  !> without lateral flow.
  !> Where columns fail, `balance%failed_layer` is set and the state is that of no time: the caller restores it.
  subroutine advance_all(soil, network, boundary, options, source, prescribed_drainage, cells, state, balance, passes, change, &
    converged)
    type(soil_t), intent(in) :: soil                        !< properties of the cells
    type(network_t), intent(in) :: network                  !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary             !< faces through which water comes from outside
    type(options_t), intent(in) :: options                  !< choices of the step
    real(wp), intent(in) :: source(soil%nz, soil%ncol)      !< volume per bulk volume [h-1], into the soil positive
    real(wp), intent(in) :: prescribed_drainage(soil%ncol)  !< [m h-1], used if the option says so
    real(wp), intent(inout), target :: cells(soil%nz, work_fields, soil%ncol)  !< room for the step; on return with its start [any]
    type(state_t), intent(inout) :: state                   !< head and what follows from it
    type(balance_t), intent(inout) :: balance               !< what the step did to each column
    integer, intent(out) :: passes                          !< passes done
    real(wp), intent(out) :: change                         !< largest in the last pass, of positive head [m] or saturation [-]
    logical, intent(out) :: converged                       !< the pass tolerance was reached
    type(work_t) :: work
    type(block_t) :: block
    logical :: done

    call allocate_work(soil, network, options, cells, balance, work)
    passes = 0
    done = .false.

    !$omp parallel num_threads(options%threads) default(shared) private(block)
    call allocate_block(soil, options, block)
    call set_start(soil, options, prescribed_drainage, work, state, balance)

    do while (.not. done)
      if (options%lateral .and. options%pass_tolerance > 0.0_wp .and. passes > 0) then
        call correct(soil, network, boundary, options, work, block, state)
      end if
      if (options%lateral) call set_lateral(soil, network, options, soil%ncol, work, state)
      call sweep(soil, network, boundary, options, source, passes + 1, work, block, state, balance)
      !$omp barrier
      !$omp single
      work%next = 1
      change = maxval(balance%change)
      call judge_pass(options, change, any(balance%failed_layer > 0), work, passes, converged, done)
      !$omp end single
    end do

    call set_losses(soil, network, boundary, options, soil%ncol, work, state, balance)
    !$omp end parallel
  end subroutine advance_all

  !> Whether a pass was the last of its step, and whether its step has converged.
  pure subroutine judge_pass(options, change, failed, work, passes, converged, done)
    type(options_t), intent(in) :: options  !< choices of the step
    real(wp), intent(in) :: change          !< the pass's largest, in the whole domain, of positive head [m] or saturation [-]
    logical, intent(in) :: failed           !< a column has no solution
    type(work_t), intent(inout) :: work     !< damped as long as the next pass is
    integer, intent(inout) :: passes        !< made before this one; then with it
    logical, intent(inout) :: converged     !< the pass tolerance was reached, or there is none
    logical, intent(out) :: done            !< no pass follows

    passes = passes + 1
    if (passes == 1) converged = .true.
    if (failed .or. .not. options%lateral) then
      done = .true.
    else if (work%damped) then
      converged = change <= options%pass_tolerance
      work%damped = .not. (converged .or. passes >= options%passes - 1)
      done = .false.
    else
      done = options%pass_tolerance > 0.0_wp .or. passes >= options%passes
    end if
  end subroutine judge_pass

  !> Room for a step, and the order of its columns.
  subroutine allocate_work(soil, network, options, cells, balance, work)
    type(soil_t), intent(in) :: soil        !< properties of the cells
    type(network_t), intent(in) :: network  !< neighbours and order of the columns
    type(options_t), intent(in) :: options  !< choices of the step
    real(wp), intent(inout), target :: cells(soil%nz, work_fields, soil%ncol)  !< what a step keeps of the cells [any]
    type(balance_t), intent(in) :: balance  !< of the step before, whose iterations tell which columns are alike
    type(work_t), intent(inout) :: work     !< work of the step

    work%cells => cells
    allocate (work%drained(soil%ncol), work%power(soil%ncol), work%solved(soil%ncol))
    if (size(network%group_start) <= soil%ncol) allocate (work%inflow(soil%ncol), work%answer(soil%ncol))
    work%damped = options%lateral .and. options%pass_tolerance > 0.0_wp
    if (work%damped) then
      allocate (work%damping(soil%nz, soil%ncol), work%reference(soil%nz, soil%ncol))
      call allocate_system(soil%nz, soil%ncol, own_columns(network), work%system)
    end if
    call arrange(soil, network, balance%iterations, work%order)
    work%last = work%order%blocks
  end subroutine allocate_work

  !> Keep what the step starts from. Called by all threads.
  subroutine set_start(soil, options, prescribed_drainage, work, state, balance)
    type(soil_t), intent(in) :: soil                        !< properties of the cells
    type(options_t), intent(in) :: options                  !< choices of the step
    real(wp), intent(in) :: prescribed_drainage(soil%ncol)  !< [m h-1], used if the option says so
    type(work_t), intent(inout) :: work                     !< work of the step
    type(state_t), intent(in) :: state                      !< head and what follows from it
    type(balance_t), intent(inout) :: balance               !< what the step did to each column
    integer :: c

    !$omp do schedule(static)
    do c = 1, soil%ncol
      work%cells(:, work_start, c) = state%cells(:, state_head, c)
      work%drained(c) = 0.0_wp
      work%solved(c) = 0
      if (allocated(work%answer)) work%power(c) = ponding_power(state%cells(soil%top(c), state_head, c))
      if (.not. options%lateral) work%cells(:, work_lateral, c) = 0.0_wp
      if (options%drainage == drainage_lagged) work%drained(c) = soil%bottom(c)*state%cells(1, state_kr, c)
      if (options%drainage == drainage_prescribed) work%drained(c) = prescribed_drainage(c)
      balance%iterations(c) = 0
      balance%ways(c) = 0
      balance%failed_layer(c) = 0
      balance%residual(c) = 0.0_wp
    end do
    !$omp end do
  end subroutine set_start

  !> Lateral inflow of the first columns, from the latest heads, for a pass. Called by all threads.
  subroutine set_lateral(soil, network, options, columns, work, state)
    type(soil_t), intent(in) :: soil        !< properties of the cells
    type(network_t), intent(in) :: network  !< neighbours and order of the columns
    type(options_t), intent(in) :: options  !< choices of the step
    integer, intent(in) :: columns          !< how many of the columns
    type(work_t), intent(inout) :: work     !< work of the step
    type(state_t), intent(in) :: state      !< head and what follows from it
    integer :: c

    !$omp do schedule(static)
    do c = 1, columns
      call net_inflow(soil, network, state, c, work%cells(:, work_lateral, c))
      if (work%damped) then
        call response(soil, network, state, c, work%damping(:, c))
        work%damping(:, c) = options%dt*work%damping(:, c)
        work%reference(:, c) = state%cells(:, state_head, c)
      end if
    end do
    !$omp end do
  end subroutine set_lateral

  !> What the first columns have lost over the step. Called by all threads.
  subroutine set_losses(soil, network, boundary, options, columns, work, state, balance)
    type(soil_t), intent(in) :: soil              !< properties of the cells
    type(network_t), intent(in) :: network        !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary   !< faces through which water comes from outside
    type(options_t), intent(in) :: options        !< choices of the step
    integer, intent(in) :: columns                !< how many of the columns
    type(work_t), intent(in) :: work              !< work of the step
    type(state_t), intent(in) :: state            !< head and what follows from it
    type(balance_t), intent(inout) :: balance     !< what the step did to each column
    integer :: c

    !$omp do schedule(static)
    do c = 1, columns
      balance%outflow(c) = options%dt*network%boundary(c)*work%power(c)
      if (options%drainage == drainage_implicit) balance%drainage(c) = options%dt*soil%bottom(c)*state%cells(1, state_kr, c)
      if (boundary%faces > 0) call take_inflow(boundary, options, state, c)
    end do
    !$omp end do
  end subroutine set_losses

  !> Begin a step of a part of the domain, whose last columns belong to other parts: others solve them, and their heads, relative
  !> permeabilities and ponding powers are handed in. `begin_pass`, `sweep_columns` as often as there are waves, and `end_pass`
  !> follow, as often as there are passes, and `end_step`.
  subroutine begin_step(soil, network, options, prescribed_drainage, cells, state, balance, work)
    type(soil_t), intent(in) :: soil                        !< properties of the cells
    type(network_t), intent(in) :: network                  !< neighbours and order of the columns
    type(options_t), intent(in) :: options                  !< choices of the step
    real(wp), intent(in) :: prescribed_drainage(soil%ncol)  !< [m h-1], used if the option says so
    real(wp), intent(inout), target :: cells(soil%nz, work_fields, soil%ncol)  !< room for the step; on return with its start [any]
    type(state_t), intent(in) :: state                      !< head and what follows from it
    type(balance_t), intent(inout) :: balance               !< what the step did to each column
    type(work_t), intent(inout) :: work                     !< work of the step

    call allocate_work(soil, network, options, cells, balance, work)
    !$omp parallel num_threads(options%threads) default(shared)
    call set_start(soil, options, prescribed_drainage, work, state, balance)
    !$omp end parallel
    work%solved(own_columns(network) + 1:) = huge(1)
  end subroutine begin_step

  !> Begin a pass: the heads and relative permeabilities of the columns of other parts are the latest.
  subroutine begin_pass(soil, network, options, state, work)
    type(soil_t), intent(in) :: soil        !< properties of the cells
    type(network_t), intent(in) :: network  !< neighbours and order of the columns
    type(options_t), intent(in) :: options  !< choices of the step
    type(state_t), intent(in) :: state      !< head and what follows from it
    type(work_t), intent(inout) :: work     !< work of the step

    if (.not. options%lateral) return
    !$omp parallel num_threads(options%threads) default(shared)
    call set_lateral(soil, network, options, own_columns(network), work, state)
    !$omp end parallel
  end subroutine begin_pass

  !> Solve the columns of a wave, which begins and ends with a level, in a pass.
  subroutine sweep_columns(soil, network, boundary, options, source, pass, first, last, work, state, balance)
    type(soil_t), intent(in) :: soil                    !< properties of the cells
    type(network_t), intent(in) :: network              !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary         !< faces through which water comes from outside
    type(options_t), intent(in) :: options              !< choices of the step
    real(wp), intent(in) :: source(soil%nz, soil%ncol)  !< volume per bulk volume [h-1], into the soil positive
    integer, intent(in) :: pass                         !< number of the pass
    integer, intent(in) :: first                        !< first column of the wave
    integer, intent(in) :: last                         !< last column of the wave
    type(work_t), intent(inout) :: work                 !< work of the step
    type(state_t), intent(inout) :: state               !< head and what follows from it
    type(balance_t), intent(inout) :: balance           !< what the step did to each column
    type(block_t) :: block

    ! blocks lie in the order of levels
    work%next = count(work%order%start(:work%order%blocks) < first) + 1
    work%last = count(work%order%start(:work%order%blocks) <= last)
    !$omp parallel num_threads(options%threads) default(shared) private(block)
    call allocate_block(soil, options, block)
    call sweep(soil, network, boundary, options, source, pass, work, block, state, balance)
    !$omp end parallel
  end subroutine sweep_columns

  !> End a pass: what it has changed most, a positive head [m] or a saturation [-], and whether a column failed.
  subroutine end_pass(network, balance, change, failed)
    type(network_t), intent(in) :: network  !< order of the columns
    type(balance_t), intent(in) :: balance  !< what the step did to each column
    real(wp), intent(out) :: change         !< largest, of positive head [m] or saturation [-]
    logical, intent(out) :: failed          !< a column has no solution

    change = maxval(balance%change(:own_columns(network)))
    failed = any(balance%failed_layer(:own_columns(network)) > 0)
  end subroutine end_pass

  !> A stage of the correction of a part: `moved` and sums are exchanged between the stages.
  subroutine correct_stage(soil, network, boundary, options, stage, work, state, done)
    type(soil_t), intent(in) :: soil          !< properties of the cells
    type(network_t), intent(in) :: network    !< neighbours and order of the columns
    type(boundary_t), intent(in) :: boundary  !< faces through which water comes from outside
    type(options_t), intent(in) :: options    !< choices of the step
    integer, intent(in) :: stage              !< its number
    type(work_t), intent(inout) :: work       !< with the system
    type(state_t), intent(inout) :: state     !< head and what follows from it
    logical, intent(out) :: done              !< the system is solved
    type(block_t) :: block

    !$omp parallel num_threads(options%threads) default(shared) private(block)
    call allocate_block(soil, options, block)
    select case (stage)
    case (stage_begin)
      call begin_correction(soil, network, boundary, options, work, block, state)
    case (stage_start)
      call relax(work)
      call begin_solution(work%system)
    case (stage_choose)
      call choose_direction(work%system)
    case (stage_try_direction)
      call try_direction(network, work%system)
    case (stage_follow_direction)
      call follow_direction(work%system)
    case (stage_try_residual)
      call try_residual(network, work%system)
    case (stage_follow_residual)
      call follow_residual(work%system)
    case (stage_end)
      call end_correction(soil, work, block, state)
    end select
    !$omp end parallel
    done = work%system%done
  end subroutine correct_stage

  !> End a step: what the part's own columns have lost.
  subroutine end_step(soil, network, boundary, options, work, state, balance)
    type(soil_t), intent(in) :: soil              !< properties of the cells
    type(network_t), intent(in) :: network        !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary   !< faces through which water comes from outside
    type(options_t), intent(in) :: options        !< choices of the step
    type(work_t), intent(in) :: work              !< work of the step
    type(state_t), intent(in) :: state            !< head and what follows from it
    type(balance_t), intent(inout) :: balance     !< what the step did to each column

    !$omp parallel num_threads(options%threads) default(shared)
    call set_losses(soil, network, boundary, options, own_columns(network), work, state, balance)
    !$omp end parallel
  end subroutine end_step

  !> Columns that are solved here; those of other parts follow.
  pure function own_columns(network) result(columns)
    type(network_t), intent(in) :: network  !< order of the columns
    integer :: columns

    columns = network%group_start(size(network%group_start)) - 1
  end function own_columns

  !> Move all heads by what spreads the water that the last pass left unbalanced. Called by all threads.
  subroutine correct(soil, network, boundary, options, work, block, state)
    type(soil_t), intent(in) :: soil          !< properties of the cells
    type(network_t), intent(in) :: network    !< neighbours and order of the columns
    type(boundary_t), intent(in) :: boundary  !< faces through which water comes from outside
    type(options_t), intent(in) :: options    !< choices of the step
    type(work_t), intent(inout) :: work       !< work of the step
    type(block_t), intent(inout) :: block     !< of this thread
    type(state_t), intent(inout) :: state     !< head and what follows from it

    call begin_correction(soil, network, boundary, options, work, block, state)
    call add_up(work%system)
    call relax(work)
    call solve_system(network, work%system)
    call end_correction(soil, work, block, state)
  end subroutine correct

  !> Set up the system of the correction; its terms are the squares of the right-hand side. Called by all threads.
  subroutine begin_correction(soil, network, boundary, options, work, block, state)
    type(soil_t), intent(in) :: soil          !< properties of the cells
    type(network_t), intent(in) :: network    !< neighbours and order of the columns
    type(boundary_t), intent(in) :: boundary  !< faces through which water comes from outside
    type(options_t), intent(in) :: options    !< choices of the step
    type(work_t), intent(inout) :: work       !< with the system
    type(block_t), intent(inout) :: block     !< of this thread
    type(state_t), intent(in) :: state        !< head and what follows from it
    real(wp) :: inflow(soil%nz)
    integer :: b, c, i, last

    !$omp do schedule(static)
    do c = 1, soil%ncol
      call set_faces(soil, network, state, options%dt, c, work%system)
    end do
    !$omp end do
    !$omp do schedule(static)
    do b = 1, work%order%blocks
      do i = work%order%start(b), work%order%start(b + 1) - 1, work%order%width(b)
        last = i + work%order%width(b) - 1
        call linearise(soil, network, boundary, options, state, work%order%column(i:last), block, work%system)
      end do
    end do
    !$omp end do
    !$omp do schedule(static)
    do c = 1, own_columns(network)
      call net_inflow(soil, network, state, c, inflow)
      work%system%right(:, c) = options%dt*(inflow - work%cells(:, work_lateral, c)) &
        + work%damping(:, c)*(state%cells(:, state_head, c) - work%reference(:, c))
      if (boundary%faces > 0) call hold_shift(boundary, c, work%system)
      work%system%terms(c, 1) = sum(work%system%right(:, c)**2)
      work%system%terms(c, 2) = 0.0_wp
      call add_faces(network, c, work%system)
    end do
    !$omp end do
  end subroutine begin_correction

  !> Choose the share of the correction that is taken, by what the last pass left unbalanced. Called by all threads.
  subroutine relax(work)
    type(work_t), intent(inout) :: work  !< its system with the sum of the squares of the right-hand side
    real(wp) :: imbalance

    !$omp single
    imbalance = sqrt(work%system%sums(1))
    ! where S(h) has a kink, at saturation, whole corrections may jump to and fro across the solution
    if (imbalance > stalled*work%imbalance) then
      work%relaxation = max(0.5_wp*work%relaxation, least_relaxation)
    else
      work%relaxation = min(1.3_wp*work%relaxation, 1.0_wp)
    end if
    work%imbalance = imbalance
    !$omp end single
  end subroutine relax

  !> Move the heads by the solution. Called by all threads.
  subroutine end_correction(soil, work, block, state)
    type(soil_t), intent(in) :: soil       !< properties of the cells
    type(work_t), intent(in) :: work       !< with the solved system
    type(block_t), intent(inout) :: block  !< of this thread
    type(state_t), intent(inout) :: state  !< head and what follows from it
    integer :: b, i, last

    !$omp do schedule(static)
    do b = 1, work%order%blocks
      do i = work%order%start(b), work%order%start(b + 1) - 1, work%order%width(b)
        last = i + work%order%width(b) - 1
        call move_heads(soil, work%system, work%relaxation, work%order%column(i:last), block, state)
      end do
    end do
    !$omp end do
  end subroutine end_correction

  !> Jacobians of columns, without lateral faces.
  subroutine linearise(soil, network, boundary, options, state, columns, block, system)
    type(soil_t), intent(in) :: soil          !< properties of the cells
    type(network_t), intent(in) :: network    !< neighbours and order of the columns
    type(boundary_t), intent(in) :: boundary  !< faces through which water comes from outside
    type(options_t), intent(in) :: options    !< choices of the step
    type(state_t), intent(in) :: state        !< head and what follows from it
    integer, intent(in) :: columns(:)         !< their numbers
    type(block_t), intent(inout) :: block     !< of this thread
    type(system_t), intent(inout) :: system   !< its tridiagonal systems are set
    real(wp), dimension(lanes, soil%nz) :: residual, lower, diagonal, upper
    integer :: l

    call choose_columns(columns, soil%top(columns(1)), block)
    call take_state(soil, network, options, state, block)
    block%supply = 0.0_wp
    call assemble(block, boundary, residual, lower, diagonal, upper)
    do l = 1, block%live
      associate (c => block%column(l))
        ! cells above the top of a column stay as they are
        system%lower(block%top + 1:, c) = 0.0_wp
        system%diagonal(block%top + 1:, c) = 1.0_wp
        system%upper(block%top + 1:, c) = 0.0_wp
        call put_lane(block, l, lower, system%lower(:, c))
        call put_lane(block, l, diagonal, system%diagonal(:, c))
        call put_lane(block, l, upper, system%upper(:, c))
      end associate
    end do
  end subroutine linearise

  !> Move the heads of columns by the solution of the system.
  subroutine move_heads(soil, system, relaxation, columns, block, state)
    type(soil_t), intent(in) :: soil        !< properties of the cells
    type(system_t), intent(in) :: system    !< solved
    real(wp), intent(in) :: relaxation      !< share of the solution that is taken [-]
    integer, intent(in) :: columns(:)       !< their numbers
    type(block_t), intent(inout) :: block   !< of this thread
    type(state_t), intent(inout) :: state   !< head and what follows from it
    real(wp), dimension(lanes, soil%nz) :: shift, previous
    integer :: l

    call choose_columns(columns, soil%top(columns(1)), block)
    call take_soil(soil, block)
    call take(block, soil%nz*state_variables, soil%ncol, state%cells, block%state)
    call take(block, soil%nz, soil%ncol, system%shift, shift)
    previous = block%state(:, :, state_head)
    call take_step(block%top, block%soil(:, :, soil_alpha), previous, -shift, spread(relaxation, 1, lanes), &
      spread(1.0_wp, 1, lanes), block%state(:, :, state_head))
    call evaluate(block)
    do l = 1, block%live
      call put_state(block, l, state)
    end do
  end subroutine move_heads

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

  !> The share of one thread in a pass over the blocks, from upstream to downstream.
  subroutine sweep(soil, network, boundary, options, source, pass, work, block, state, balance)
    type(soil_t), intent(in) :: soil                    !< properties of the cells
    type(network_t), intent(in) :: network              !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary         !< faces through which water comes from outside
    type(options_t), intent(in) :: options              !< choices of the step
    real(wp), intent(in) :: source(soil%nz, soil%ncol)  !< volume per bulk volume, into the soil positive [h-1]
    integer, intent(in) :: pass                         !< number of the pass
    type(work_t), intent(inout) :: work                 !< work of the step
    type(block_t), intent(inout) :: block               !< of this thread
    type(state_t), intent(inout) :: state               !< head and what follows from it
    type(balance_t), intent(inout) :: balance           !< what the step did to each column
    integer :: mine, first, last, i
    logical :: circle

    do
      !$omp atomic capture
      mine = work%next
      work%next = work%next + 1
      !$omp end atomic
      if (mine > work%last) exit
      first = work%order%start(mine)
      last = work%order%start(mine + 1) - 1
      circle = work%order%width(mine) <= last - first
      associate (columns => work%order%column(first:last))
        if (options%threads > 1) call await_donors(network, columns, circle, pass, work%solved)
        if (circle) then
          call solve_circle(soil, network, boundary, options, source, pass == 1, columns(1), columns(size(columns)), work, block, &
            state, balance)
        else
          call solve_columns(soil, network, boundary, options, source, pass == 1, columns, .false., work, block, state, balance)
        end if
      end associate
      do i = first, last
        !$omp atomic write seq_cst
        work%solved(work%order%column(i)) = pass
      end do
    end do
  end subroutine sweep

  !> Wait until the donors of columns have been solved in this pass. They precede them in the order, so another thread has them.
  subroutine await_donors(network, columns, circle, pass, solved)
    type(network_t), intent(in) :: network  !< neighbours and order of the columns
    integer, intent(in) :: columns(:)       !< their numbers
    logical, intent(in) :: circle           !< they feed each other
    integer, intent(in) :: pass             !< number of the pass
    integer, intent(in) :: solved(:)        !< last pass in which each column was solved
    integer :: i, side, donor, seen, looks
    integer(c_int) :: ignored

    do i = 1, size(columns)
      do side = 1, 4
        donor = network%donor(side, columns(i))
        if (donor == 0 .or. (circle .and. donor >= columns(1))) cycle
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

  !> Solve the columns of a cycle round and round until a round changes none of them.
  subroutine solve_circle(soil, network, boundary, options, source, starting, first, last, work, block, state, balance)
    type(soil_t), intent(in) :: soil                    !< properties of the cells
    type(network_t), intent(in) :: network              !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary         !< faces through which water comes from outside
    type(options_t), intent(in) :: options              !< choices of the step
    real(wp), intent(in) :: source(soil%nz, soil%ncol)  !< volume per bulk volume, into the soil positive [h-1]
    logical, intent(in) :: starting                     !< first pass of the step
    integer, intent(in) :: first                        !< first column of the cycle
    integer, intent(in) :: last                         !< last column of the cycle
    type(work_t), intent(inout) :: work                 !< work of the step
    type(block_t), intent(inout) :: block               !< of this thread
    type(state_t), intent(inout) :: state               !< head and what follows from it
    type(balance_t), intent(inout) :: balance           !< what the step did to each column
    real(wp) :: change(first:last)
    integer :: before(first:last), c, round
    logical :: predicted

    predicted = .false.
    change = 0.0_wp
    do round = 1, most_rounds
      before = balance%iterations(first:last)
      do c = first, last
        call solve_columns(soil, network, boundary, options, source, starting .and. round == 1, [c], .true., work, block, state, &
          balance)
        if (balance%failed_layer(c) > 0) return
        ! of all rounds together
        change(c) = max(change(c), balance%change(c))
        balance%change(c) = change(c)
      end do
      ! of flow that was predicted another round must show that it is the columns' own
      if (all(balance%iterations(first:last) == before) .and. .not. predicted) return
      predicted = .not. predicted .and. round > simple_rounds .and. last - first < most_together
      if (predicted) call predict_powers(network, first, last, options%dt, work%inflow, work%answer, work%power)
    end do
    balance%failed_layer(first) = soil%top(first)
    balance%residual(first) = balance%change(first)
  end subroutine solve_circle

  !> Gather the water that flows to columns and solve them.
  subroutine solve_columns(soil, network, boundary, options, source, starting, columns, circling, work, block, state, balance)
    type(soil_t), intent(in) :: soil                    !< properties of the cells
    type(network_t), intent(in) :: network              !< neighbours and order of the columns
    type(boundary_t), intent(inout) :: boundary         !< faces through which water comes from outside
    type(options_t), intent(in) :: options              !< choices of the step
    real(wp), intent(in) :: source(soil%nz, soil%ncol)  !< volume per bulk volume, into the soil positive [h-1]
    logical, intent(in) :: starting                     !< the state still is that at the start of the step
    integer, intent(in) :: columns(:)                   !< numbers of the columns
    logical, intent(in) :: circling                     !< it is one of a cycle
    type(work_t), intent(inout) :: work                 !< work of the step
    type(block_t), intent(inout) :: block               !< of this thread
    type(state_t), intent(inout) :: state               !< head and what follows from it
    type(balance_t), intent(inout) :: balance           !< what the step did to each column
    real(wp), dimension(lanes, soil%nz) :: head_before, saturation_before, water
    real(wp), dimension(lanes) :: overland, applied, unmet, drained, change, answer, root, power, worst
    integer, dimension(lanes) :: iterations, ways, failed_layer
    integer :: c, l, top

    top = soil%top(columns(1))
    call choose_columns(columns, top, block)
    call take_state(soil, network, options, state, block)
    call take(block, soil%nz*work_fields, soil%ncol, work%cells, block%work)
    call take(block, soil%nz, soil%ncol, source, block%source)
    if (starting) then
      call find_water(block, options, water)
      block%work(:, :top, work_water) = water(:, :top)
      do l = 1, block%live
        call put_lane(block, l, water, work%cells(:, work_water, block%column(l)))
      end do
    end if
    do l = 1, lanes
      overland(l) = overland_inflow(network, options, work%power, block%column(l))
      drained(l) = options%dt*work%drained(block%column(l))
    end do
    call give_water(block, soil, options, overland, drained, applied, unmet)
    if (boundary%faces > 0) call give_boundary(boundary, options, block)
    if (work%damped) then
      block%damped = .true.
      call take(block, soil%nz, soil%ncol, work%damping, block%damping)
      call take(block, soil%nz, soil%ncol, work%reference, block%reference)
    end if

    head_before(:, :top) = block%state(:, :top, state_head)
    saturation_before(:, :top) = block%state(:, :top, state_saturation)
    call solve_block(block, boundary, iterations, ways, failed_layer, worst)
    if (boundary%faces > 0) call take_held(boundary, block)
    if (circling) then
      call find_answers(block, boundary, answer)
      work%inflow(columns(1)) = overland(1)
      work%answer(columns(1)) = answer(1)
    end if
    call ponding_powers(lanes, block%state(:, top, state_head), root, power)
    call find_change(top, head_before, block%state(:, :, state_head), saturation_before, block%state(:, :, state_saturation), &
      change)
    call find_water(block, options, water)
    do l = 1, block%live
      c = block%column(l)
      ! what a lane without an iteration holds is that of its column
      if (iterations(l) > 0) call put_state(block, l, state)
      work%power(c) = power(l)
      balance%source(c) = applied(l)
      balance%unmet(c) = unmet(l)
      balance%drainage(c) = drained(l)
      balance%storage_change(c) = sum(water(l, :top) - block%work(l, :top, work_water))
      balance%iterations(c) = balance%iterations(c) + iterations(l)
      balance%ways(c) = max(balance%ways(c), ways(l))
      balance%failed_layer(c) = failed_layer(l)
      balance%residual(c) = worst(l)
      balance%change(c) = merge(change(l), 0.0_wp, iterations(l) > 0)
    end do
  end subroutine solve_columns

  !> Water of the cells of a block, dz (phi S + Ss h S) [m], with what stands on the ground in the topmost.
  pure subroutine find_water(block, options, water)
    type(block_t), intent(in) :: block                !< evaluated
    type(options_t), intent(in) :: options            !< choices of the step
    real(wp), intent(inout) :: water(lanes, block%top)  !< [m]
    integer :: k, l

    do k = 1, block%top
      !$omp simd
      do l = 1, lanes
        water(l, k) = (block%soil(l, k, soil_pore) + block%soil(l, k, soil_elastic)*block%state(l, k, state_head)) &
          *block%state(l, k, state_saturation)
      end do
    end do
    if (options%ground == ground_ponds) water(:, block%top) = water(:, block%top) &
      + max(block%state(:, block%top, state_head), 0.0_wp)
  end subroutine find_water

  !> Largest change of positive head [m] or saturation [-] of each lane.
  pure subroutine find_change(top, head_before, head, saturation_before, saturation, change)
    integer, intent(in) :: top                              !< layers
    real(wp), intent(in) :: head_before(lanes, top)         !< [m]
    real(wp), intent(in) :: head(lanes, top)                !< [m]
    real(wp), intent(in) :: saturation_before(lanes, top)   !< [-]
    real(wp), intent(in) :: saturation(lanes, top)          !< [-]
    real(wp), intent(out) :: change(lanes)                  !< [m] or [-]
    real(wp) :: of_head, of_saturation
    integer :: k, l

    change = 0.0_wp
    do k = 1, top
      !$omp simd private(of_head, of_saturation)
      do l = 1, lanes
        of_head = merge(head(l, k), 0.0_wp, head(l, k) > 0.0_wp) &
          - merge(head_before(l, k), 0.0_wp, head_before(l, k) > 0.0_wp)
        of_saturation = abs(saturation(l, k) - saturation_before(l, k))
        of_head = abs(of_head)
        change(l) = merge(of_head, change(l), of_head > change(l))
        change(l) = merge(of_saturation, change(l), of_saturation > change(l))
      end do
    end do
  end subroutine find_change

  !> Overland inflow of a column over the step [m].
  pure function overland_inflow(network, options, power, c) result(inflow)
    type(network_t), intent(in) :: network  !< neighbours and order of the columns
    type(options_t), intent(in) :: options  !< choices of the step
    real(wp), intent(in) :: power(:)        !< max(h, 0)^(5/3) of all columns [m5/3]
    integer, intent(in) :: c                !< number of the column
    real(wp) :: inflow
    integer :: side

    inflow = 0.0_wp
    do side = 1, 4
      if (network%donor(side, c) == 0) cycle
      inflow = inflow + options%dt*network%inflow(side, c)*power(network%donor(side, c))
    end do
  end function overland_inflow

  !> Water of the cells that does not depend on their new heads, but that of boundaries.
  pure subroutine give_water(block, soil, options, overland, drained, applied, unmet)
    type(block_t), intent(inout) :: block      !< its supply is set
    type(soil_t), intent(in) :: soil           !< thickness of the layers
    type(options_t), intent(in) :: options     !< choices of the step
    real(wp), intent(in) :: overland(lanes)    !< inflow over the ground [m]
    real(wp), intent(inout) :: drained(lanes)  !< through the bottom, as far as it is known in advance; then what there is of it [m]
    real(wp), intent(out) :: applied(lanes)    !< source [m]
    real(wp), intent(out) :: unmet(lanes)      !< sinks beyond the water that the cells can give [m]
    real(wp) :: available, given
    integer :: k, l

    applied = 0.0_wp
    unmet = 0.0_wp
    do k = 1, block%top
      !$omp simd
      do l = 1, lanes
        block%supply(l, k) = block%work(l, k, work_water) + options%dt*block%work(l, k, work_lateral)
      end do
      if (k == block%top) block%supply(:, k) = block%supply(:, k) + overland
      !$omp simd private(available, given)
      do l = 1, lanes
        given = options%dt*soil%dz(k)*block%source(l, k)
        ! a sink beyond the water that the cell can give would be "met" by a head of -1e9 m
        available = block%supply(l, k) - block%soil(l, k, soil_floor)
        available = merge(available, 0.0_wp, available > 0.0_wp)
        unmet(l) = unmet(l) - merge(given + available, 0.0_wp, given < -available)
        given = merge(-available, given, given < -available)
        block%supply(l, k) = block%supply(l, k) + given
        applied(l) = applied(l) + given
      end do
    end do
    if (options%drainage == drainage_lagged) drained = min(drained, &
      max(block%supply(:, 1) - block%soil(:, 1, soil_floor), 0.0_wp))
    block%supply(:, 1) = block%supply(:, 1) - drained
  end subroutine give_water

  !> Add the given fluxes through the faces of the columns to their supply. What flows out beyond the water that the cell can give
  !> is cut, as a sink is.
  subroutine give_boundary(boundary, options, block)
    type(boundary_t), intent(inout) :: boundary  !< faces through which water comes from outside
    type(options_t), intent(in) :: options       !< choices of the step
    type(block_t), intent(inout) :: block        !< with its supply
    real(wp) :: inflow
    integer :: face, k, l

    do l = 1, block%live
      do face = boundary%start(block%column(l)), boundary%start(block%column(l) + 1) - 1
        k = boundary%layer(face)
        inflow = options%dt*boundary%flux(face)
        if (inflow < 0.0_wp) inflow = max(inflow, min(block%soil(l, k, soil_floor) - block%supply(l, k), 0.0_wp))
        boundary%inflow(face) = inflow
        block%supply(l, k) = block%supply(l, k) + inflow
      end do
    end do
  end subroutine give_boundary

  !> Set the inflow to cells that are held at a head: what their balances lack.
  subroutine take_held(boundary, block)
    type(boundary_t), intent(inout) :: boundary  !< faces through which water comes from outside
    type(block_t), intent(in) :: block           !< solved
    real(wp), dimension(lanes, block%top) :: missing, lower, diagonal, upper
    integer :: face, l
    logical :: balanced

    balanced = .false.
    do l = 1, block%live
      do face = boundary%start(block%column(l)), boundary%start(block%column(l) + 1) - 1
        if (boundary%holds(face) == 0) cycle
        if (.not. balanced) call balance_cells(block, boundary, missing, lower, diagonal, upper)
        balanced = .true.
        boundary%inflow(face) = missing(l, boundary%layer(face))
      end do
    end do
  end subroutine take_held

  !> Complete the inflow through the faces of a column by that from boundaries at a head, which follows from the new heads.
  subroutine take_inflow(boundary, options, state, c)
    type(boundary_t), intent(inout) :: boundary  !< faces through which water comes from outside
    type(options_t), intent(in) :: options       !< choices of the step
    type(state_t), intent(in) :: state           !< head and what follows from it
    integer, intent(in) :: c                     !< number of the column
    integer :: face, k

    do face = boundary%start(c), boundary%start(c + 1) - 1
      if (boundary%conductance(face) <= 0.0_wp) cycle
      k = boundary%layer(face)
      boundary%inflow(face) = options%dt*boundary_inflow(boundary, face, state%cells(k, state_head, c), &
        state%cells(k, state_kr, c))
    end do
  end subroutine take_inflow

  !> max(h, 0)^(5/3) [m5/3], as of a lane.
  pure function ponding_power(head)
    real(wp), intent(in) :: head  !< [m]
    real(wp) :: ponding_power, root(lanes), power(lanes)

    call ponding_powers(lanes, spread(head, 1, lanes), root, power)
    ponding_power = power(1)
  end function ponding_power
end module richards_sweep
