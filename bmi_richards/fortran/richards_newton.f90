!> New heads of the columns of a block, by Newton's method.
!>
!> Lanes are open until they are solved. A lane that is not open keeps its head, and what follows from a head is always the same,
!> so that it does not matter which columns lie side by side.
!>
!> Equation (10) of docs/theory.md.
module richards_newton
  use, intrinsic :: ieee_arithmetic, only: ieee_is_nan
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use ponding, only: depth_exponent, ponding_powers
  use richards_block, only: block_t, evaluate, assemble
  use richards_types, only: boundary_t, lanes, soil_alpha, soil_n, soil_pore, soil_elastic, state_head, state_saturation, work_start
  implicit none
  private
  public :: solve_block, take_step, find_answers

  !> Lower heads [m] than this (oven-dry soil) solve nothing: where S > 0 the compressible term S h could feed any sink.
  real(wp), parameter :: driest_head = -1.0e5_wp
  !> Solutions that the continuation tries before it gives up.
  integer, parameter :: most_stages = 200
  !> Depth of the pond that a wet start has [m].
  real(wp), parameter :: wet_depth = 0.01_wp
  !> -w of soil that has just ceased to be saturated [-], kr being 1 + 2 w.
  real(wp), parameter :: just_dry = 0.01_wp
  !> How heads take steps towards saturation and across it: as they come, whole ones in a coordinate in which kr is smooth, or by a
  !> factor of ten at a time.
  integer, parameter :: free_steps = 0, stretched_steps = 1, cautious_steps = 2

contains

  !> New heads of a block; it must be evaluated at its heads, which are the first guess, and is so on return.
  !>
  !> Seven ways are tried in turn. `iterations` counts those of all, 0 if the guess already was the solution; `ways` is how many
  !> were needed; `failed_layer` is 0, or the layer whose residual `worst` [m] is largest when all have failed.
  subroutine solve_block(block, boundary, iterations, ways, failed_layer, worst)
    type(block_t), intent(inout) :: block        !< with its supply
    type(boundary_t), intent(in) :: boundary     !< faces through which water comes from outside
    integer, intent(out) :: iterations(lanes)    !< of Newton's method
    integer, intent(out) :: ways(lanes)          !< ways that were needed
    integer, intent(out) :: failed_layer(lanes)  !< 0, or the layer with the largest residual
    real(wp), intent(out) :: worst(lanes)        !< largest residual [m]
    real(wp), dimension(lanes, block%top) :: residual, lower, diagonal, upper
    real(wp) :: open(lanes)
    integer :: k, l

    iterations = 0
    ways = 1
    failed_layer = 0
    worst = 0.0_wp
    open = 0.0_wp
    open(:block%live) = 1.0_wp
    call newton(block, boundary, 12, 12, .false., free_steps, open, iterations)
    if (all(open <= 0.0_wp)) return

    ! wet start: infiltration into a dry column is a hard front, drainage of a wet one is not
    call begin_way(2)
    call newton(block, boundary, 25, 10, .false., free_steps, open, iterations)
    if (any(open > 0.0_wp)) then
      call begin_way(3)
      call newton(block, boundary, 60, 60, .true., free_steps, open, iterations)
    end if
    if (any(open > 0.0_wp)) then
      call begin_way(4)
      call newton(block, boundary, 60, 60, .true., free_steps, open, iterations)
    end if
    if (any(open > 0.0_wp)) then
      call begin_way(5)
      call newton(block, boundary, 60, 60, .false., stretched_steps, open, iterations)
    end if
    if (any(open > 0.0_wp)) then
      call begin_way(6)
      call continue_from_start(block, boundary, stretched_steps, open, iterations)
    end if
    if (any(open > 0.0_wp)) then
      call begin_way(7)
      call continue_from_start(block, boundary, cautious_steps, open, iterations)
    end if
    if (all(open <= 0.0_wp)) return

    call assemble(block, boundary, residual, lower, diagonal, upper)
    do l = 1, block%live
      if (open(l) <= 0.0_wp) cycle
      do k = 1, block%top
        if (ieee_is_nan(residual(l, k))) residual(l, k) = huge(1.0_wp)
      end do
      failed_layer(l) = maxloc(abs(residual(l, :)), 1)
      worst(l) = residual(l, failed_layer(l))
    end do

  contains

    !> Where the open lanes start from in the next way.
    subroutine begin_way(way)
      integer, intent(in) :: way  !< its number
      real(wp) :: first, wet
      integer :: k, l

      where (open > 0.0_wp) ways = way
      wet = wet_depth
      do k = block%top, 1, -1
        if (k < block%top) wet = wet + block%gap(k)
        do l = 1, lanes
          first = block%work(l, k, work_start)
          if (way == 2) first = max(first, wet)
          if (way == 4) first = min(first, -0.3_wp/block%soil(l, k, soil_alpha))
          block%state(l, k, state_head) = merge(first, block%state(l, k, state_head), open(l) > 0.0_wp)
        end do
      end do
      call evaluate(block)
    end subroutine begin_way
  end subroutine solve_block

  !> Newton's method from the present heads: full steps, halved after `full_steps`, or with backtracking on sum |R|.
  subroutine newton(block, boundary, most, full_steps, backtracking, steps, open, iterations)
    type(block_t), intent(inout) :: block        !< evaluated
    type(boundary_t), intent(in) :: boundary     !< faces through which water comes from outside
    integer, intent(in) :: most                  !< largest number of iterations
    integer, intent(in) :: full_steps            !< iterations with full steps
    logical, intent(in) :: backtracking          !< steps are halved until sum |R| falls
    integer, intent(in) :: steps                 !< how heads take them towards saturation
    real(wp), intent(inout) :: open(lanes)       !< 1 where a lane is to be solved, then where it is not, else 0 [-]
    integer, intent(inout) :: iterations(lanes)  !< of each lane
    real(wp), dimension(lanes, block%top) :: residual, lower, diagonal, upper, previous, step, n
    real(wp), dimension(lanes) :: going, searching, fraction, norm, new_norm
    integer :: halving, iteration, l

    call assemble(block, boundary, residual, lower, diagonal, upper)
    going = open
    call close_solved(block, residual, diagonal, going, open)
    norm = 0.0_wp
    if (steps == stretched_steps) then
      n = block%soil(:, :block%top, soil_n)
      if (block%own_permeability .or. block%table_points > 0) n = block%kr_n(:, :block%top)
    end if
    do iteration = 1, most
      if (all(going <= 0.0_wp)) return
      iterations = iterations + nint(going)
      if (backtracking) call sum_sizes(block%top, residual, norm)
      call solve_tridiagonal(block%top, lower, diagonal, upper, residual, step)
      call stop_without_step(block%top, step, going)
      previous = block%state(:, :block%top, state_head)
      fraction = merge(1.0_wp, 0.5_wp, iteration <= full_steps)
      searching = going
      do halving = 1, 12
        call take_step(block%top, block%soil(:, :, soil_alpha), previous, step, fraction, searching, &
          block%state(:, :, state_head))
        if (steps == cautious_steps) call hold_back(block%top, block%soil(:, :, soil_alpha), previous, searching, &
          block%state(:, :, state_head))
        if (steps == stretched_steps) call stretch_step(block%top, block%soil(:, :, soil_alpha), n, previous, step, searching, &
          block%state(:, :, state_head))
        call evaluate(block)
        call assemble(block, boundary, residual, lower, diagonal, upper)
        if (.not. backtracking) exit
        call sum_sizes(block%top, residual, new_norm)
        !$omp simd
        do l = 1, lanes
          searching(l) = merge(0.0_wp, searching(l), new_norm(l) < norm(l))
          fraction(l) = merge(0.5_wp*fraction(l), fraction(l), searching(l) > 0.0_wp)
        end do
        if (all(searching <= 0.0_wp)) exit
      end do
      call close_solved(block, residual, diagonal, going, open)
    end do
  end subroutine newton

  !> Continuation: fluxes and sources are scaled by a share that grows from 0, where the solution is the start, to 1.
  subroutine continue_from_start(block, boundary, steps, open, iterations)
    type(block_t), intent(inout) :: block        !< evaluated at the start of the step in the lanes that are open
    type(boundary_t), intent(in) :: boundary     !< faces through which water comes from outside
    integer, intent(in) :: steps                 !< how heads take them towards saturation, cautious ones with backtracking
    real(wp), intent(inout) :: open(lanes)       !< 1 where a lane is to be solved, then where it is not, else 0 [-]
    integer, intent(inout) :: iterations(lanes)  !< of each lane
    real(wp), dimension(lanes, block%top) :: water, supply, damping, good
    real(wp), dimension(lanes) :: dt, runoff, drainage, reached, increment, share, going
    integer :: k, l, most, stage, top

    most = merge(150, 60, steps == cautious_steps)
    top = block%top
    dt = block%dt
    runoff = block%runoff
    drainage = block%drainage
    supply = block%supply(:, :top)
    if (block%damped) damping = block%damping(:, :top)
    ! the supply of which the start is the solution
    water = (block%soil(:, :top, soil_pore) + block%soil(:, :top, soil_elastic)*block%work(:, :top, work_start)) &
      *block%state(:, :top, state_saturation)
    if (.not. block%closed) water(:, top) = water(:, top) + max(block%work(:, top, work_start), 0.0_wp)
    good = block%work(:, :top, work_start)
    reached = 0.0_wp
    increment = 0.125_wp
    do stage = 1, most_stages
      share = merge(reached + increment, 1.0_wp, open > 0.0_wp)
      block%dt = share*dt
      block%runoff = share*runoff
      block%drainage = share*drainage
      do k = 1, top
        if (block%damped) block%damping(:, k) = share*damping(:, k)
        block%supply(:, k) = merge(water(:, k) + share*(supply(:, k) - water(:, k)), supply(:, k), open > 0.0_wp)
      end do
      going = open
      call newton(block, boundary, most, most, steps == cautious_steps, steps, going, iterations)
      do l = 1, lanes
        if (open(l) <= 0.0_wp) cycle
        if (going(l) <= 0.0_wp) then
          reached(l) = share(l)
          if (reached(l) >= 1.0_wp) open(l) = 0.0_wp
          good(l, :) = block%state(l, :top, state_head)
          increment(l) = min(2.0_wp*increment(l), 1.0_wp - reached(l))
        else
          increment(l) = 0.25_wp*increment(l)
          block%state(l, :top, state_head) = good(l, :)
        end if
      end do
      if (all(open <= 0.0_wp)) exit
      call evaluate(block)
    end do
    block%dt = dt
    block%runoff = runoff
    block%drainage = drainage
    block%supply(:, :top) = supply
    if (block%damped) block%damping(:, :top) = damping
  end subroutine continue_from_start

  !> Close the lanes in which every residual is within the tolerance, or within what rounding of head and water makes of it (thin,
  !> permeable or deep cells).
  pure subroutine close_solved(block, residual, diagonal, going, open)
    type(block_t), intent(in) :: block                   !< evaluated
    real(wp), intent(in) :: residual(lanes, block%top)   !< of the cells [m]
    real(wp), intent(in) :: diagonal(lanes, block%top)   !< main diagonal of the Jacobian [-]
    real(wp), intent(inout) :: going(lanes)              !< 1 where Newton's method goes on, else 0 [-]
    real(wp), intent(inout) :: open(lanes)               !< 1 where a lane is not solved, else 0 [-]
    real(wp) :: solved(lanes), limit
    integer :: k, l

    solved = going
    do k = 1, block%top
      !$omp simd private(limit)
      do l = 1, lanes
        ! written so that NaN is no solution
        limit = block%tolerance &
          + 8.0_wp*epsilon(1.0_wp)*(abs(diagonal(l, k)*block%state(l, k, state_head)) + abs(block%supply(l, k)))
        solved(l) = merge(solved(l), 0.0_wp, block%state(l, k, state_head) > driest_head .and. abs(residual(l, k)) <= limit)
      end do
    end do
    going = merge(0.0_wp, going, solved > 0.0_wp)
    open = merge(0.0_wp, open, solved > 0.0_wp)
  end subroutine close_solved

  !> Stop the lanes whose step is not a number.
  pure subroutine stop_without_step(top, step, going)
    integer, intent(in) :: top               !< layers
    real(wp), intent(in) :: step(lanes, top) !< Newton step [m]
    real(wp), intent(inout) :: going(lanes)  !< 1 where Newton's method goes on, else 0 [-]
    integer :: k, l

    do k = 1, top
      !$omp simd
      do l = 1, lanes
        going(l) = merge(going(l), 0.0_wp, abs(step(l, k)) >= 0.0_wp)
      end do
    end do
  end subroutine stop_without_step

  !> Sum of |values| of each lane.
  pure subroutine sum_sizes(top, values, total)
    integer, intent(in) :: top                  !< layers
    real(wp), intent(in) :: values(lanes, top)  !< [m]
    real(wp), intent(out) :: total(lanes)       !< [m]
    integer :: k, l

    total = 0.0_wp
    do k = 1, top
      !$omp simd
      do l = 1, lanes
        total(l) = total(l) + abs(values(l, k))
      end do
    end do
  end subroutine sum_sizes

  !> head = previous - fraction*step, where a decrease is limited: unsaturated by 2 (|h| + 0.5/alpha), saturated to
  !> -0.5/alpha.
  !>
  !> Increases are free: limiting them stalls infiltration fronts.
  pure subroutine take_step(top, alpha, previous, step, fraction, going, head)
    integer, intent(in) :: top                      !< layers
    real(wp), intent(in) :: alpha(lanes, top)       !< [m-1]
    real(wp), intent(in) :: previous(lanes, top)    !< heads before the step [m]
    real(wp), intent(in) :: step(lanes, top)        !< Newton step [m]
    real(wp), intent(in) :: fraction(lanes)         !< of the step to take [-]
    real(wp), intent(in) :: going(lanes)            !< 1 in lanes that take it, else 0 [-]
    real(wp), intent(inout) :: head(lanes, top)     !< heads after the step [m]
    real(wp) :: lowest, next
    integer :: k, l

    do k = 1, top
      !$omp simd private(lowest, next)
      do l = 1, lanes
        lowest = -0.5_wp/alpha(l, k)
        lowest = merge(previous(l, k) + 2.0_wp*(previous(l, k) + lowest), lowest, previous(l, k) < 0.0_wp)
        next = previous(l, k) - fraction(l)*step(l, k)
        next = merge(lowest, next, next < lowest)
        head(l, k) = merge(next, head(l, k), going(l) > 0.0_wp)
      end do
    end do
  end subroutine take_step

  !> Heads that come no nearer to saturation than by a factor of ten.
  pure subroutine hold_back(top, alpha, previous, going, head)
    integer, intent(in) :: top                    !< layers
    real(wp), intent(in) :: alpha(lanes, top)     !< [m-1]
    real(wp), intent(in) :: previous(lanes, top)  !< heads before the step [m]
    real(wp), intent(in) :: going(lanes)          !< 1 in lanes that take it, else 0 [-]
    real(wp), intent(inout) :: head(lanes, top)   !< heads after the step [m]
    real(wp) :: next
    integer :: k, l

    do k = 1, top
      !$omp simd private(next)
      do l = 1, lanes
        next = 0.1_wp*previous(l, k)
        next = merge(next, head(l, k), next < head(l, k) .and. previous(l, k)*alpha(l, k) < -1.0e-100_wp)
        head(l, k) = merge(next, head(l, k), going(l) > 0.0_wp)
      end do
    end do
  end subroutine hold_back

  !> Heads near saturation after a whole step in the coordinate w = -(-alpha h)^p, p = min(n - 1, 1), others as `take_step` gave them.
  !>
  !> Where n < 2, the slope of kr is infinite just below saturation, and free steps jump to and fro across the solution; in w it is
  !> smooth. A step across saturation, from either side, ends just beyond it, where the next one begins with the slopes of that side.
  pure subroutine stretch_step(top, alpha, n, previous, step, going, head)
    integer, intent(in) :: top                    !< layers
    real(wp), intent(in) :: alpha(lanes, top)     !< [m-1]
    real(wp), intent(in) :: n(lanes, top)         !< of the relative permeability [-]
    real(wp), intent(in) :: previous(lanes, top)  !< heads before the step [m]
    real(wp), intent(in) :: step(lanes, top)      !< Newton step [m]
    real(wp), intent(in) :: going(lanes)          !< 1 in lanes that take it, else 0 [-]
    real(wp), intent(inout) :: head(lanes, top)   !< heads after the step [m]
    real(wp) :: suction, exponent, next
    integer :: k, l

    do k = 1, top
      do l = 1, lanes
        suction = -alpha(l, k)*previous(l, k)
        if (going(l) <= 0.0_wp .or. .not. suction < 1.0_wp) cycle
        exponent = min(n(l, k) - 1.0_wp, 1.0_wp)
        if (suction <= 0.0_wp) then
          if (head(l, k) < 0.0_wp) head(l, k) = -just_dry**(1.0_wp/exponent)/alpha(l, k)
          cycle
        end if
        next = 1.0_wp - exponent*step(l, k)/previous(l, k)
        if (next > 0.0_wp) then
          next = previous(l, k)*next**(1.0_wp/exponent)
          head(l, k) = max(next, previous(l, k) + 2.0_wp*(previous(l, k) - 0.5_wp/alpha(l, k)))
        else
          head(l, k) = 0.0_wp
        end if
      end do
    end do
  end subroutine stretch_step

  !> Thomas' algorithm; the diagonal is overwritten by the inverse of the pivots.
  pure subroutine solve_tridiagonal(top, lower, diagonal, upper, right, solution)
    integer, intent(in) :: top                       !< layers
    real(wp), intent(in) :: lower(lanes, top)        !< lower diagonal of the Jacobian [-]
    real(wp), intent(inout) :: diagonal(lanes, top)  !< main diagonal of the Jacobian [-]
    real(wp), intent(in) :: upper(lanes, top)        !< upper diagonal of the Jacobian [-]
    real(wp), intent(in) :: right(lanes, top)        !< right-hand side [m]
    real(wp), intent(out) :: solution(lanes, top)    !< [m]
    real(wp) :: factor
    integer :: k, l

    !$omp simd
    do l = 1, lanes
      diagonal(l, 1) = 1.0_wp/diagonal(l, 1)
      solution(l, 1) = right(l, 1)
    end do
    do k = 2, top
      !$omp simd private(factor)
      do l = 1, lanes
        factor = lower(l, k)*diagonal(l, k - 1)
        diagonal(l, k) = 1.0_wp/(diagonal(l, k) - factor*upper(l, k - 1))
        solution(l, k) = right(l, k) - factor*solution(l, k - 1)
      end do
    end do
    !$omp simd
    do l = 1, lanes
      solution(l, top) = solution(l, top)*diagonal(l, top)
    end do
    do k = top - 1, 1, -1
      !$omp simd
      do l = 1, lanes
        solution(l, k) = (solution(l, k) - upper(l, k)*solution(l, k + 1))*diagonal(l, k)
      end do
    end do
  end subroutine solve_tridiagonal

  !> Derivative [m2/3] of max(h, 0)^(5/3) of the top cells by the water that the cells are given, at the solution.
  subroutine find_answers(block, boundary, answer)
    type(block_t), intent(in) :: block        !< evaluated
    type(boundary_t), intent(in) :: boundary  !< faces through which water comes from outside
    real(wp), intent(out) :: answer(lanes)    !< [m2/3]
    real(wp), dimension(lanes, block%top) :: residual, lower, diagonal, upper, step
    real(wp), dimension(lanes) :: root, power

    answer = 0.0_wp
    if (block%closed) return
    call assemble(block, boundary, residual, lower, diagonal, upper)
    call solve_tridiagonal(block%top, lower, diagonal, upper, residual, step)
    call ponding_powers(lanes, block%state(:, block%top, state_head), root, power)
    answer = depth_exponent*root*diagonal(:, block%top)
  end subroutine find_answers
end module richards_newton
