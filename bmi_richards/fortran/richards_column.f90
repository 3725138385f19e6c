!> One column, one step: backward Euler of Richards' equation with a kinematic-wave top, by Newton's method.
!>
!> Residual of cell k [m]:  W(h) + dt (F_top - F_bottom) - supply, where W = dz (phi S + Ss h S) is the water of the cell,
!> F the upward flux through its faces, and the supply gathers what does not depend on the column's own new heads: the water at
!> the start, sources, lateral flow and overland inflow. Under an open ground the top cell adds max(h, 0) + dt c max(h, 0)^(5/3).
!>
!> A cell that is held at a head has h = H in the place of its balance.
!>
!> Equations (4) to (6), (8) to (10), (8b) and (8e) of docs/theory.md.
module richards_column
  use, intrinsic :: ieee_arithmetic, only: ieee_is_nan
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use richards_constitutive, only: evaluate_analytic, evaluate_permeability, evaluate_table
  implicit none
  private
  public :: column_t, column_state_t, solve_column, jacobian, take_step, evaluate, ponding_power, ponding_answer
  public :: boundary_inflow, balance_cells

  !> Lower heads [m] than this (oven-dry soil) solve nothing: where S > 0 the compressible term S h could feed any sink.
  real(wp), parameter :: driest_head = -1.0e5_wp
  !> Ways to solve a column that are tried in turn.
  integer, parameter, public :: most_ways = 5
  !> Solutions that the continuation tries before it gives up.
  integer, parameter :: most_stages = 200

  type :: column_t
    integer :: nz = 0                                           !< layers
    integer :: table_points = 0                                 !< nodes of the kr table, 0: analytic
    real(wp) :: dt = 0.0_wp                                     !< [h]
    real(wp) :: tolerance = 0.0_wp                              !< largest residual of a cell [m]
    logical :: closed = .false.                                 !< no water stands on the ground, whatever the head below it
    real(wp) :: runoff = 0.0_wp                                 !< dt * coefficient of the overland faces the column feeds [m-2/3]
    real(wp) :: drainage = 0.0_wp                               !< dt * vertical conductivity of a freely draining bottom, or 0 [m]
    real(wp), pointer, contiguous :: gap(:) => null()           !< distance of the centres of layers k and k+1 [m]
    real(wp), pointer, contiguous :: alpha(:) => null()         !< [m-1]
    real(wp), pointer, contiguous :: n(:) => null()             !< exponent of van Genuchten [-]
    logical :: own_permeability = .false.                       !< kr has its own alpha and n
    real(wp), pointer, contiguous :: kr_alpha(:) => null()      !< alpha of relative permeability [m-1]
    real(wp), pointer, contiguous :: kr_n(:) => null()          !< n of relative permeability [-]
    real(wp), pointer, contiguous :: residual(:) => null()      !< residual saturation [-]
    real(wp), pointer, contiguous :: span(:) => null()          !< maximum less residual saturation [-]
    real(wp), pointer, contiguous :: pore(:) => null()          !< porosity*dz [m]
    real(wp), pointer, contiguous :: elastic(:) => null()       !< specific storage*dz [-]
    real(wp), pointer, contiguous :: vertical(:) => null()      !< conductivity of the face k | k+1 [m h-1]
    real(wp), pointer, contiguous :: minimum_head(:) => null()  !< lowest head of the kr table [m]
    logical :: damped = .false.                                 !< the lateral flow answers to the column's own heads
    real(wp), pointer, contiguous :: damping(:) => null()       !< dt * response of lateral flow to the own head [-]
    real(wp), pointer, contiguous :: reference(:) => null()     !< heads that the lateral flow was taken from [m]
    integer :: faces = 0                                        !< faces through which water comes from outside
    integer, pointer, contiguous :: face_layer(:) => null()     !< layer that a face belongs to
    real(wp), pointer, contiguous :: conductance(:) => null()   !< flux through a face per head at kr = 1 [h-1]
    integer, pointer, contiguous :: holds(:) => null()          !< 1 where the cell is held at the head, otherwise 0
    real(wp), pointer, contiguous :: face_head(:) => null()     !< pressure head of the boundary, or of the cell [m]
    real(wp), pointer, contiguous :: face_kr(:) => null()       !< relative permeability at it [-]
    real(wp), pointer, contiguous :: lift(:) => null()          !< height of the cell above the face [m]
  end type column_t

  type :: column_state_t
    real(wp), pointer, contiguous :: head(:) => null()         !< [m]
    real(wp), pointer, contiguous :: saturation(:) => null()   !< [-]
    real(wp), pointer, contiguous :: kr(:) => null()           !< relative permeability [-]
    real(wp), pointer, contiguous :: dsaturation(:) => null()  !< derivative of saturation by head [m-1]
    real(wp), pointer, contiguous :: dkr(:) => null()          !< derivative of kr by head [m-1]
  end type column_state_t

contains

  !> Constitutive relations at the present head.
  subroutine evaluate(column, state)
    type(column_t), intent(in) :: column          !< properties of the column
    type(column_state_t), intent(inout) :: state  !< head of the column and what follows from it

    call evaluate_analytic(column%nz, state%head, column%alpha, column%n, column%residual, column%span, &
      state%saturation, state%kr, state%dsaturation, state%dkr)
    if (column%table_points > 0) then
      call evaluate_table(column%nz, state%head, column%kr_alpha, column%kr_n, column%table_points, column%minimum_head, &
        state%kr, state%dkr)
    else if (column%own_permeability) then
      call evaluate_permeability(column%nz, state%head, column%kr_alpha, column%kr_n, state%kr, state%dkr)
    end if
  end subroutine evaluate

  !> max(h, 0)^(5/3) of the kinematic wave.
  pure function ponding_power(head) result(power)
    real(wp), intent(in) :: head  !< pressure head [m]
    real(wp) :: power

    power = 0.0_wp
    if (head > 0.0_wp) power = head*head**(2.0_wp/3.0_wp)
  end function ponding_power

  !> Derivative [m2/3] of max(h, 0)^(5/3) of the top cell by the water that the cell is given, at the solution.
  pure function ponding_answer(column, state) result(answer)
    type(column_t), intent(in) :: column       !< properties of the column
    type(column_state_t), intent(in) :: state  !< head of the column and what follows from it
    real(wp) :: answer
    real(wp) :: lower(column%nz), diagonal(column%nz), upper(column%nz)
    integer :: k

    answer = 0.0_wp
    if (column%closed .or. state%head(column%nz) <= 0.0_wp) return
    call jacobian(column, state, lower, diagonal, upper)
    do k = 2, column%nz
      diagonal(k) = diagonal(k) - lower(k)*upper(k - 1)/diagonal(k - 1)
    end do
    answer = 5.0_wp/3.0_wp*state%head(column%nz)**(2.0_wp/3.0_wp)/diagonal(column%nz)
  end function ponding_answer

  !> New heads of the column; the state must be evaluated at its head, which is the first guess, and is so on return.
  !>
  !> Five ways are tried in turn. `iterations` counts those of all, 0 if the guess already was the solution; `ways` is how many
  !> were needed; `failed_layer` is 0, or the layer whose residual `worst` [m] is largest when all have failed.
  subroutine solve_column(column, supply, start, state, iterations, ways, failed_layer, worst)
    type(column_t), intent(in) :: column          !< properties of the column
    real(wp), intent(in) :: supply(column%nz)     !< [m]
    real(wp), intent(in) :: start(column%nz)      !< heads at the start of the step [m]
    type(column_state_t), intent(inout) :: state  !< head of the column and what follows from it
    integer, intent(out) :: iterations            !< of Newton's method
    integer, intent(out) :: ways                  !< ways that were needed
    integer, intent(out) :: failed_layer          !< 0, or the layer with the largest residual
    real(wp), intent(out) :: worst                !< largest residual [m]
    real(wp) :: residual(column%nz), lower(column%nz), diagonal(column%nz), upper(column%nz)
    logical :: converged

    iterations = 0
    ways = 1
    call newton(column, supply, 12, 12, .false., .false.)
    if (.not. converged) then
      ways = 2
      ! wet start: infiltration into a dry column is a hard front, drainage of a wet one is not
      state%head(:) = max(start, wet_profile(column))
      call evaluate(column, state)
      call newton(column, supply, 25, 10, .false., .false.)
    end if
    if (.not. converged) then
      ways = 3
      state%head(:) = start
      call evaluate(column, state)
      call newton(column, supply, 60, 60, .true., .false.)
    end if
    if (.not. converged) then
      ways = 4
      state%head(:) = min(start, -0.3_wp/column%alpha)
      call evaluate(column, state)
      call newton(column, supply, 60, 60, .true., .false.)
    end if
    if (.not. converged) then
      ways = most_ways
      call continue_from_start()
    end if
    failed_layer = 0
    worst = 0.0_wp
    if (.not. converged) then
      where (ieee_is_nan(residual)) residual = huge(1.0_wp)
      failed_layer = maxloc(abs(residual), 1)
      worst = residual(failed_layer)
    end if

  contains

    !> Newton's method from the present head: full steps, halved after `full_steps`, or with backtracking on sum |R|.
    subroutine newton(column, supply, most, full_steps, backtracking, cautious)
      type(column_t), intent(in) :: column       !< properties of the column
      real(wp), intent(in) :: supply(column%nz)  !< water of the cells that does not depend on their new heads [m]
      integer, intent(in) :: most                !< largest number of iterations
      integer, intent(in) :: full_steps          !< iterations with full steps
      logical, intent(in) :: backtracking        !< steps are halved until sum |R| falls
      logical, intent(in) :: cautious            !< saturation is approached by a factor of ten at a time
      real(wp) :: step(column%nz), previous(column%nz), norm, fraction
      integer :: iteration, halving

      call assemble(column, supply, state, residual, lower, diagonal, upper)
      converged = is_solution(column, supply, state, residual, diagonal)
      do iteration = 1, most
        if (converged) return
        iterations = iterations + 1
        call solve_tridiagonal(column%nz, lower, diagonal, upper, residual, step)
        if (any(ieee_is_nan(step))) return
        previous = state%head
        norm = sum(abs(residual))
        fraction = merge(1.0_wp, 0.5_wp, iteration <= full_steps)
        do halving = 1, 12
          call take_step(column%nz, column%alpha, previous, step, fraction, cautious, state%head)
          call evaluate(column, state)
          call assemble(column, supply, state, residual, lower, diagonal, upper)
          if (.not. backtracking) exit
          if (sum(abs(residual)) < norm) exit
          fraction = 0.5_wp*fraction
        end do
        converged = is_solution(column, supply, state, residual, diagonal)
      end do
    end subroutine newton

    !> Continuation: fluxes and sources are scaled by a fraction that grows from 0, where the solution is the start, to 1.
    subroutine continue_from_start()
      type(column_t) :: partial
      real(wp), target :: damping(column%nz)
      real(wp) :: water(column%nz), good(column%nz), reached, increment
      integer :: stage

      partial = column
      if (column%damped) partial%damping => damping
      state%head(:) = start
      call evaluate(column, state)
      water = (column%pore + column%elastic*start)*state%saturation
      if (.not. column%closed) water(column%nz) = water(column%nz) + max(start(column%nz), 0.0_wp)
      good = start
      reached = 0.0_wp
      increment = 0.125_wp
      do stage = 1, most_stages
        partial%dt = (reached + increment)*column%dt
        partial%runoff = (reached + increment)*column%runoff
        partial%drainage = (reached + increment)*column%drainage
        if (column%damped) damping = (reached + increment)*column%damping
        call newton(partial, water + (reached + increment)*(supply - water), 150, 150, .true., .true.)
        if (converged) then
          reached = reached + increment
          if (reached >= 1.0_wp) return
          good = state%head
          increment = min(2.0_wp*increment, 1.0_wp - reached)
        else
          increment = 0.25_wp*increment
          state%head(:) = good
          call evaluate(column, state)
        end if
      end do
      converged = .false.
      call assemble(column, supply, state, residual, lower, diagonal, upper)
    end subroutine continue_from_start
  end subroutine solve_column

  !> Every residual within the tolerance, or within what rounding of head and water makes of it (thin, permeable or deep cells).
  pure function is_solution(column, supply, state, residual, diagonal) result(yes)
    type(column_t), intent(in) :: column         !< properties of the column
    real(wp), intent(in) :: supply(column%nz)    !< water of the cells that does not depend on their new heads [m]
    type(column_state_t), intent(in) :: state    !< head of the column and what follows from it
    real(wp), intent(in) :: residual(column%nz)  !< of the cells [m]
    real(wp), intent(in) :: diagonal(column%nz)  !< main diagonal of the Jacobian [-]
    logical :: yes
    integer :: k

    yes = .true.
    do k = 1, column%nz
      ! written so that NaN is no solution
      yes = yes .and. state%head(k) > driest_head &
        .and. abs(residual(k)) <= column%tolerance &
        + 8.0_wp*epsilon(1.0_wp)*(abs(diagonal(k)*state%head(k)) + abs(supply(k)))
    end do
  end function is_solution

  !> head = previous - fraction*step, where a decrease is limited: unsaturated by 2 (|h| + 0.5/alpha), saturated to
  !> -0.5/alpha.
  !>
  !> Increases are free: limiting them stalls infiltration fronts. Only a cautious step approaches saturation by a factor of ten at
  !> a time: where n < 2, the slope of kr is infinite at saturation, and a free step jumps to and fro across the solution.
  pure subroutine take_step(nz, alpha, previous, step, fraction, cautious, head)
    integer, intent(in) :: nz             !< layers
    logical, intent(in) :: cautious       !< saturation is approached by a factor of ten at a time
    real(wp), intent(in) :: alpha(nz)     !< [m-1]
    real(wp), intent(in) :: previous(nz)  !< heads before the step [m]
    real(wp), intent(in) :: step(nz)      !< Newton step [m]
    real(wp), intent(in) :: fraction      !< of the step to take [-]
    real(wp), intent(out) :: head(nz)     !< heads after the step [m]
    real(wp) :: lowest
    integer :: k

    do k = 1, nz
      lowest = -0.5_wp/alpha(k)
      if (previous(k) < 0.0_wp) lowest = previous(k) + 2.0_wp*(previous(k) + lowest)
      head(k) = max(previous(k) - fraction*step(k), lowest)
      if (cautious .and. previous(k)*alpha(k) < -1.0e-100_wp) head(k) = min(head(k), 0.1_wp*previous(k))
    end do
  end subroutine take_step

  !> Hydrostatic heads under 1 cm of ponded water.
  pure function wet_profile(column) result(head)
    type(column_t), intent(in) :: column  !< properties of the column
    real(wp) :: head(column%nz)
    integer :: k

    head(column%nz) = 0.01_wp
    do k = column%nz - 1, 1, -1
      head(k) = head(k + 1) + column%gap(k)
    end do
  end function wet_profile

  !> Residual and Jacobian at the evaluated state.
  pure subroutine assemble(column, supply, state, residual, lower, diagonal, upper)
    type(column_t), intent(in) :: column          !< properties of the column
    real(wp), intent(in) :: supply(column%nz)     !< water of the cells that does not depend on their new heads [m]
    type(column_state_t), intent(in) :: state     !< head of the column and what follows from it
    real(wp), intent(out) :: residual(column%nz)  !< of the cells [m]
    real(wp), intent(out) :: lower(column%nz)     !< lower diagonal of the Jacobian [-]
    real(wp), intent(out) :: diagonal(column%nz)  !< main diagonal of the Jacobian [-]
    real(wp), intent(out) :: upper(column%nz)     !< upper diagonal of the Jacobian [-]
    integer :: face, k

    call balance_cells(column, supply, state, residual, lower, diagonal, upper)
    do face = 1, column%faces
      if (column%holds(face) == 0) cycle
      k = column%face_layer(face)
      residual(k) = state%head(k) - column%face_head(face)
      lower(k) = 0.0_wp
      diagonal(k) = 1.0_wp
      upper(k) = 0.0_wp
    end do
  end subroutine assemble

  !> Balances of all cells, as if none were held at a head, and their derivatives.
  pure subroutine balance_cells(column, supply, state, residual, lower, diagonal, upper)
    type(column_t), intent(in) :: column          !< properties of the column
    real(wp), intent(in) :: supply(column%nz)     !< water of the cells that does not depend on their new heads [m]
    type(column_state_t), intent(in) :: state     !< head of the column and what follows from it
    real(wp), intent(out) :: residual(column%nz)  !< of the cells [m]
    real(wp), intent(out) :: lower(column%nz)     !< lower diagonal of the Jacobian [-]
    real(wp), intent(out) :: diagonal(column%nz)  !< main diagonal of the Jacobian [-]
    real(wp), intent(out) :: upper(column%nz)     !< upper diagonal of the Jacobian [-]
    real(wp) :: gradient, conductance, flux, by_lower, by_upper, power
    integer :: k, nz

    nz = column%nz
    do k = 1, nz
      residual(k) = (column%pore(k) + column%elastic(k)*state%head(k))*state%saturation(k) - supply(k)
      diagonal(k) = (column%pore(k) + column%elastic(k)*state%head(k))*state%dsaturation(k) &
        + column%elastic(k)*state%saturation(k)
    end do
    if (column%damped) then
      residual = residual + column%damping*(state%head - column%reference)
      diagonal = diagonal + column%damping
    end if
    lower(1) = 0.0_wp
    upper(nz) = 0.0_wp
    do k = 1, nz - 1
      gradient = (state%head(k) - state%head(k + 1))/column%gap(k) - 1.0_wp
      conductance = column%dt*column%vertical(k)
      if (gradient > 0.0_wp) then
        flux = conductance*state%kr(k)*gradient
        by_upper = -conductance*state%kr(k)/column%gap(k)
        by_lower = conductance*state%dkr(k)*gradient - by_upper
      else
        flux = conductance*state%kr(k + 1)*gradient
        by_lower = conductance*state%kr(k + 1)/column%gap(k)
        by_upper = conductance*state%dkr(k + 1)*gradient - by_lower
      end if
      residual(k) = residual(k) + flux
      residual(k + 1) = residual(k + 1) - flux
      diagonal(k) = diagonal(k) + by_lower
      diagonal(k + 1) = diagonal(k + 1) - by_upper
      upper(k) = by_upper
      lower(k + 1) = -by_lower
    end do
    if (column%drainage > 0.0_wp) then
      residual(1) = residual(1) + column%drainage*state%kr(1)
      diagonal(1) = diagonal(1) + column%drainage*state%dkr(1)
    end if
    if (column%faces > 0) call add_boundary_inflow(column, state, residual, diagonal)
    if (state%head(nz) > 0.0_wp .and. .not. column%closed) then
      power = column%runoff*state%head(nz)**(2.0_wp/3.0_wp)
      residual(nz) = residual(nz) + state%head(nz)*(1.0_wp + power)
      diagonal(nz) = diagonal(nz) + 1.0_wp + 5.0_wp/3.0_wp*power
    end if
  end subroutine balance_cells

  !> Derivatives of the water balances of a column by its heads, without lateral flow.
  pure subroutine jacobian(column, state, lower, diagonal, upper)
    type(column_t), intent(in) :: column          !< properties of the column
    type(column_state_t), intent(in) :: state     !< head of the column and what follows from it
    real(wp), intent(out) :: lower(column%nz)     !< lower diagonal [-]
    real(wp), intent(out) :: diagonal(column%nz)  !< main diagonal [-]
    real(wp), intent(out) :: upper(column%nz)     !< upper diagonal [-]
    real(wp) :: supply(column%nz), residual(column%nz)

    supply = 0.0_wp
    call assemble(column, supply, state, residual, lower, diagonal, upper)
  end subroutine jacobian

  !> Inflow through the faces towards boundaries at a head, in residual and Jacobian.
  pure subroutine add_boundary_inflow(column, state, residual, diagonal)
    type(column_t), intent(in) :: column            !< properties of the column
    type(column_state_t), intent(in) :: state       !< head of the column and what follows from it
    real(wp), intent(inout) :: residual(column%nz)  !< of the cells [m]
    real(wp), intent(inout) :: diagonal(column%nz)  !< main diagonal of the Jacobian [-]
    real(wp) :: drop, conductance
    integer :: face, k

    do face = 1, column%faces
      conductance = column%dt*column%conductance(face)
      if (conductance == 0.0_wp) cycle  ! its flux is given, or its cell is held
      k = column%face_layer(face)
      drop = column%face_head(face) - column%lift(face) - state%head(k)
      residual(k) = residual(k) - column%dt*boundary_inflow(column, state, face)
      if (drop > 0.0_wp) then
        diagonal(k) = diagonal(k) + conductance*column%face_kr(face)
      else
        diagonal(k) = diagonal(k) + conductance*(state%kr(k) - state%dkr(k)*drop)
      end if
    end do
  end subroutine add_boundary_inflow

  !> Inflow [m h-1] through a face towards a boundary at a head, kr taken upstream.
  pure function boundary_inflow(column, state, face) result(inflow)
    type(column_t), intent(in) :: column       !< properties of the column
    type(column_state_t), intent(in) :: state  !< head of the column and what follows from it
    integer, intent(in) :: face                !< number of the face in the column
    real(wp) :: inflow, drop
    integer :: k

    k = column%face_layer(face)
    drop = column%face_head(face) - column%lift(face) - state%head(k)
    inflow = column%conductance(face)*merge(column%face_kr(face), state%kr(k), drop > 0.0_wp)*drop
  end function boundary_inflow

  !> Thomas' algorithm; the diagonal is overwritten.
  pure subroutine solve_tridiagonal(nz, lower, diagonal, upper, right, solution)
    integer, intent(in) :: nz                !< layers
    real(wp), intent(in) :: lower(nz)        !< lower diagonal of the Jacobian [-]
    real(wp), intent(in) :: upper(nz)        !< upper diagonal of the Jacobian [-]
    real(wp), intent(in) :: right(nz)        !< right-hand side [m]
    real(wp), intent(inout) :: diagonal(nz)  !< main diagonal of the Jacobian [-]
    real(wp), intent(out) :: solution(nz)    !< [m]
    real(wp) :: factor
    integer :: k

    solution(1) = right(1)
    do k = 2, nz
      factor = lower(k)/diagonal(k - 1)
      diagonal(k) = diagonal(k) - factor*upper(k - 1)
      solution(k) = right(k) - factor*solution(k - 1)
    end do
    solution(nz) = solution(nz)/diagonal(nz)
    do k = nz - 1, 1, -1
      solution(k) = (solution(k) - upper(k)*solution(k + 1))/diagonal(k)
    end do
  end subroutine solve_tridiagonal
end module richards_column
