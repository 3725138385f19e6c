!> Columns side by side: residual and Jacobian of backward Euler of Richards' equation with a kinematic-wave top.
!>
!> Residual of cell k [m]:  W(h) + dt (F_top - F_bottom) - supply, where W = dz (phi S + Ss h S) is the water of the cell,
!> F the upward flux through its faces, and the supply gathers what does not depend on the column's own new heads: the water at
!> the start, sources, lateral flow and overland inflow. Under an open ground the top cell adds max(h, 0) + dt c max(h, 0)^(5/3).
!>
!> A cell that is held at a head has h = H in the place of its balance.
!>
!> The columns of a block have the same number of layers; lanes without a column repeat the last one. What becomes of a lane
!> depends on no other lane: loops over lanes become vector instructions, which treat all alike.
!>
!> Equations (4) to (6), (8) to (10), (8b) and (8e) of docs/theory.md.
module richards_block
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use ponding, only: depth_exponent, ponding_powers
  use richards_constitutive, only: evaluate_analytic, evaluate_permeability, evaluate_table
  use richards_types, only: soil_t, network_t, boundary_t, options_t, state_t, drainage_implicit, ground_closed, lanes, &
    soil_alpha, soil_n, soil_residual, soil_span, soil_pore, soil_elastic, soil_vertical, soil_properties, &
    state_head, state_saturation, state_kr, state_dsaturation, state_dkr, state_variables, work_fields
  implicit none
  private
  public :: block_t, allocate_block, choose_columns, take, take_soil, take_state, put_state, put_lane
  public :: evaluate, assemble, balance_cells, boundary_inflow

  !> Arrays are (lane, layer).
  type :: block_t
    integer :: live = 0                                     !< lanes that have a column of their own
    integer :: column(lanes) = 0                            !< numbers of the columns
    integer :: top = 0                                      !< layers
    integer :: table_points = 0                             !< nodes of the kr table, 0: analytic
    logical :: own_permeability = .false.                   !< kr has its own alpha and n
    logical :: closed = .false.                             !< no water stands on the ground, whatever the head below it
    logical :: damped = .false.                             !< the lateral flow answers to the columns' own heads
    real(wp) :: tolerance = 0.0_wp                          !< largest residual of a cell [m]
    real(wp) :: dt(lanes) = 0.0_wp                          !< [h]
    real(wp) :: runoff(lanes) = 0.0_wp                      !< dt * coefficient of the overland faces a column feeds [m-2/3]
    real(wp) :: drainage(lanes) = 0.0_wp                    !< dt * vertical conductivity of a freely draining bottom, or 0 [m]
    real(wp), allocatable :: gap(:)                         !< distance of the centres of layers k and k+1 [m]
    real(wp), allocatable :: inverse_gap(:)                 !< its inverse [m-1]
    real(wp), allocatable :: soil(:, :, :)                  !< (lane, layer, property) of the columns [any]
    real(wp), allocatable :: state(:, :, :)                 !< (lane, layer, variable) of the columns [any]
    real(wp), allocatable :: half_m(:, :)                   !< (1 - 1/n)/2 [-]
    real(wp), allocatable :: kr_alpha(:, :)                 !< alpha of relative permeability, if it has its own [m-1]
    real(wp), allocatable :: kr_n(:, :)                     !< n of relative permeability [-]
    real(wp), allocatable :: kr_half_m(:, :)                !< (1 - 1/n)/2 of it [-]
    real(wp), allocatable :: minimum_head(:, :)             !< lowest head of the kr table [m]
    real(wp), allocatable :: damping(:, :)                  !< dt * response of lateral flow to the own head [-]
    real(wp), allocatable :: reference(:, :)                !< heads that the lateral flow was taken from [m]
    real(wp), allocatable :: work(:, :, :)                  !< (lane, layer, field) what the step keeps of the columns [any]
    real(wp), allocatable :: source(:, :)                   !< volume per bulk volume, into the soil positive [h-1]
    real(wp), allocatable :: supply(:, :)                   !< water of the cells that does not depend on their new heads [m]
  end type block_t

contains

  !> Room for a block of the domain's columns.
  subroutine allocate_block(soil, options, block)
    type(soil_t), intent(in) :: soil        !< properties of the cells
    type(options_t), intent(in) :: options  !< choices of the step
    type(block_t), intent(out) :: block     !< with arrays of that size
    integer :: nz

    nz = soil%nz
    block%table_points = options%table_points
    block%own_permeability = options%own_permeability
    block%closed = options%ground == ground_closed
    block%tolerance = options%tolerance
    allocate (block%soil(lanes, nz, soil_properties), block%state(lanes, nz, state_variables))
    allocate (block%work(lanes, nz, work_fields), block%source(lanes, nz))
    allocate (block%half_m(lanes, nz), block%supply(lanes, nz))
    allocate (block%damping(lanes, nz), block%reference(lanes, nz))
    if (block%own_permeability .or. block%table_points > 0) then
      allocate (block%kr_alpha(lanes, nz), block%kr_n(lanes, nz), block%kr_half_m(lanes, nz), block%minimum_head(lanes, nz))
    end if
    if (associated(soil%gap)) then
      block%gap = soil%gap
      allocate (block%inverse_gap(nz), source=0.0_wp)
      block%inverse_gap(:nz - 1) = 1.0_wp/soil%gap(:nz - 1)
    end if
  end subroutine allocate_block

  !> Let the lanes stand for columns, which have the same number of layers.
  pure subroutine choose_columns(columns, top, block)
    integer, intent(in) :: columns(:)       !< their numbers
    integer, intent(in) :: top              !< layers to work on
    type(block_t), intent(inout) :: block   !< its lanes are set

    block%live = size(columns)
    block%column(:block%live) = columns
    block%column(block%live + 1:) = columns(block%live)
    block%top = top
  end subroutine choose_columns

  !> Values of the columns of a block: `size` of each, which become (lane, layer), or (lane, layer, property).
  pure subroutine take(block, size, columns, values, field)
    type(block_t), intent(in) :: block              !< whose columns
    integer, intent(in) :: size                     !< values of a column
    integer, intent(in) :: columns                  !< of the domain
    real(wp), intent(in) :: values(size, columns)   !< of all columns [any]
    real(wp), intent(inout) :: field(lanes, size)   !< of the block [any]
    integer :: i, l

    do l = 1, lanes
      do i = 1, size
        field(l, i) = values(i, block%column(l))
      end do
    end do
  end subroutine take

  !> Values of one lane.
  pure subroutine put_lane(block, l, field, values)
    type(block_t), intent(in) :: block               !< whose lanes
    integer, intent(in) :: l                         !< lane
    real(wp), intent(in) :: field(lanes, block%top)  !< of the block [any]
    real(wp), intent(inout) :: values(block%top)     !< of the column [any]
    integer :: k

    do k = 1, block%top
      values(k) = field(l, k)
    end do
  end subroutine put_lane

  !> Properties of the soil.
  subroutine take_soil(soil, block)
    type(soil_t), intent(in) :: soil       !< properties of the cells
    type(block_t), intent(inout) :: block  !< with its columns

    call take(block, soil%nz*soil_properties, soil%ncol, soil%cells, block%soil)
    call halve(lanes*block%top, block%soil(:, :, soil_n), block%half_m)
    if (.not. block%own_permeability .and. block%table_points == 0) return
    call take(block, soil%nz, soil%ncol, soil%kr_alpha, block%kr_alpha)
    call take(block, soil%nz, soil%ncol, soil%kr_n, block%kr_n)
    call take(block, soil%nz, soil%ncol, soil%minimum_head, block%minimum_head)
    call halve(lanes*block%top, block%kr_n, block%kr_half_m)

  contains

    !> m/2.
    pure subroutine halve(elements, n, half_m)
      integer, intent(in) :: elements            !< of the arrays
      real(wp), intent(in) :: n(elements)        !< [-]
      real(wp), intent(out) :: half_m(elements)  !< [-]
      integer :: i

      !$omp simd
      do i = 1, elements
        half_m(i) = 0.5_wp - 0.5_wp/n(i)
      end do
    end subroutine halve
  end subroutine take_soil

  !> Everything that residual and Jacobian need but the supply.
  subroutine take_state(soil, network, options, state, block)
    type(soil_t), intent(in) :: soil        !< properties of the cells
    type(network_t), intent(in) :: network  !< what runs off
    type(options_t), intent(in) :: options  !< choices of the step
    type(state_t), intent(in) :: state      !< head and what follows from it
    type(block_t), intent(inout) :: block   !< with its columns

    call take_soil(soil, block)
    call take(block, soil%nz*state_variables, soil%ncol, state%cells, block%state)
    block%damped = .false.
    block%dt = options%dt
    block%runoff = options%dt*network%outflow(block%column)
    block%drainage = 0.0_wp
    if (options%drainage == drainage_implicit) block%drainage = options%dt*soil%bottom(block%column)
  end subroutine take_state

  !> Write the head of a lane, and what follows from it, to its column.
  pure subroutine put_state(block, l, state)
    type(block_t), intent(in) :: block      !< evaluated
    integer, intent(in) :: l                !< lane
    type(state_t), intent(inout) :: state   !< of the domain
    integer :: i, k

    do i = 1, state_variables
      do k = 1, block%top
        state%cells(k, i, block%column(l)) = block%state(l, k, i)
      end do
    end do
  end subroutine put_state

  !> Constitutive relations at the present head.
  pure subroutine evaluate(block)
    type(block_t), intent(inout) :: block  !< its saturation, kr and their derivatives are set
    integer :: elements, first, k

    ! below the water table there is nothing to compute
    do first = 1, block%top
      if (any(block%state(:, first, state_head) < 0.0_wp)) exit
    end do
    do k = 1, first - 1
      block%state(:, k, state_saturation) = block%soil(:, k, soil_residual) + block%soil(:, k, soil_span)
      block%state(:, k, state_kr) = 1.0_wp
      block%state(:, k, state_dsaturation) = 0.0_wp
      block%state(:, k, state_dkr) = 0.0_wp
    end do
    if (first > block%top) return
    elements = lanes*(block%top - first + 1)
    call evaluate_analytic(elements, block%state(1, first, state_head), block%soil(1, first, soil_alpha), &
      block%soil(1, first, soil_n), block%half_m(1, first), block%soil(1, first, soil_residual), &
      block%soil(1, first, soil_span), block%state(1, first, state_saturation), block%state(1, first, state_kr), &
      block%state(1, first, state_dsaturation), block%state(1, first, state_dkr))
    if (block%table_points > 0) then
      call evaluate_table(elements, block%state(1, first, state_head), block%kr_alpha(1, first), block%kr_n(1, first), &
        block%kr_half_m(1, first), block%table_points, block%minimum_head(1, first), block%state(1, first, state_kr), &
        block%state(1, first, state_dkr))
    else if (block%own_permeability) then
      call evaluate_permeability(elements, block%state(1, first, state_head), block%kr_alpha(1, first), block%kr_n(1, first), &
        block%kr_half_m(1, first), block%state(1, first, state_kr), block%state(1, first, state_dkr))
    end if
  end subroutine evaluate

  !> Residual and Jacobian at the evaluated state.
  pure subroutine assemble(block, boundary, residual, lower, diagonal, upper)
    type(block_t), intent(in) :: block                     !< evaluated
    type(boundary_t), intent(in) :: boundary               !< faces through which water comes from outside
    real(wp), intent(out) :: residual(lanes, block%top)    !< of the cells [m]
    real(wp), intent(out) :: lower(lanes, block%top)       !< lower diagonal of the Jacobian [-]
    real(wp), intent(out) :: diagonal(lanes, block%top)    !< main diagonal of the Jacobian [-]
    real(wp), intent(out) :: upper(lanes, block%top)       !< upper diagonal of the Jacobian [-]
    integer :: face, k, l

    call balance_cells(block, boundary, residual, lower, diagonal, upper)
    if (boundary%faces == 0) return
    do l = 1, block%live
      do face = boundary%start(block%column(l)), boundary%start(block%column(l) + 1) - 1
        if (boundary%holds(face) == 0) cycle
        k = boundary%layer(face)
        residual(l, k) = block%state(l, k, state_head) - boundary%head(face)
        lower(l, k) = 0.0_wp
        diagonal(l, k) = 1.0_wp
        upper(l, k) = 0.0_wp
      end do
    end do
  end subroutine assemble

  !> Balances of all cells, as if none were held at a head, and their derivatives.
  pure subroutine balance_cells(block, boundary, residual, lower, diagonal, upper)
    type(block_t), intent(in) :: block                     !< evaluated
    type(boundary_t), intent(in) :: boundary               !< faces through which water comes from outside
    real(wp), intent(out) :: residual(lanes, block%top)    !< of the cells [m]
    real(wp), intent(out) :: lower(lanes, block%top)       !< lower diagonal of the Jacobian [-]
    real(wp), intent(out) :: diagonal(lanes, block%top)    !< main diagonal of the Jacobian [-]
    real(wp), intent(out) :: upper(lanes, block%top)       !< upper diagonal of the Jacobian [-]
    real(wp) :: gradient, conductance, flux, by_gradient, by_kr, by_lower, by_upper, inverse_gap, room
    real(wp), dimension(lanes) :: root, power
    integer :: k, l, top
    logical :: upwards

    top = block%top
    do k = 1, top
      !$omp simd private(room)
      do l = 1, lanes
        room = block%soil(l, k, soil_pore) + block%soil(l, k, soil_elastic)*block%state(l, k, state_head)
        residual(l, k) = room*block%state(l, k, state_saturation) - block%supply(l, k)
        diagonal(l, k) = room*block%state(l, k, state_dsaturation) &
          + block%soil(l, k, soil_elastic)*block%state(l, k, state_saturation)
      end do
    end do
    if (block%damped) then
      do k = 1, top
        !$omp simd
        do l = 1, lanes
          residual(l, k) = residual(l, k) + block%damping(l, k)*(block%state(l, k, state_head) - block%reference(l, k))
          diagonal(l, k) = diagonal(l, k) + block%damping(l, k)
        end do
      end do
    end if
    lower(:, 1) = 0.0_wp
    upper(:, top) = 0.0_wp
    do k = 1, top - 1
      inverse_gap = block%inverse_gap(k)
      !$omp simd private(gradient, conductance, flux, by_gradient, by_kr, by_lower, by_upper, upwards)
      do l = 1, lanes
        gradient = (block%state(l, k, state_head) - block%state(l, k + 1, state_head))*inverse_gap - 1.0_wp
        upwards = gradient > 0.0_wp
        conductance = block%dt(l)*block%soil(l, k, soil_vertical)
        by_gradient = conductance*merge(block%state(l, k, state_kr), block%state(l, k + 1, state_kr), upwards)
        by_kr = conductance*merge(block%state(l, k, state_dkr), block%state(l, k + 1, state_dkr), upwards)*gradient
        flux = by_gradient*gradient
        by_gradient = by_gradient*inverse_gap
        by_lower = by_gradient + merge(by_kr, 0.0_wp, upwards)
        by_upper = merge(0.0_wp, by_kr, upwards) - by_gradient
        residual(l, k) = residual(l, k) + flux
        residual(l, k + 1) = residual(l, k + 1) - flux
        diagonal(l, k) = diagonal(l, k) + by_lower
        diagonal(l, k + 1) = diagonal(l, k + 1) - by_upper
        upper(l, k) = by_upper
        lower(l, k + 1) = -by_lower
      end do
    end do
    !$omp simd
    do l = 1, lanes
      residual(l, 1) = residual(l, 1) + block%drainage(l)*block%state(l, 1, state_kr)
      diagonal(l, 1) = diagonal(l, 1) + block%drainage(l)*block%state(l, 1, state_dkr)
    end do
    if (boundary%faces > 0) call add_boundary_inflow(block, boundary, residual, diagonal)
    if (.not. block%closed .and. any(block%state(:, top, state_head) > 0.0_wp)) then
      call ponding_powers(lanes, block%state(:, top, state_head), root, power)
      !$omp simd
      do l = 1, lanes
        residual(l, top) = residual(l, top) + (max(block%state(l, top, state_head), 0.0_wp) + block%runoff(l)*power(l))
        diagonal(l, top) = diagonal(l, top) &
          + merge(1.0_wp + depth_exponent*(block%runoff(l)*root(l)), 0.0_wp, block%state(l, top, state_head) > 0.0_wp)
      end do
    end if
  end subroutine balance_cells

  !> Inflow through the faces towards boundaries at a head, in residual and Jacobian.
  pure subroutine add_boundary_inflow(block, boundary, residual, diagonal)
    type(block_t), intent(in) :: block                     !< evaluated
    type(boundary_t), intent(in) :: boundary               !< faces through which water comes from outside
    real(wp), intent(inout) :: residual(lanes, block%top)  !< of the cells [m]
    real(wp), intent(inout) :: diagonal(lanes, block%top)  !< main diagonal of the Jacobian [-]
    real(wp) :: drop, conductance
    integer :: face, k, l

    do l = 1, block%live
      do face = boundary%start(block%column(l)), boundary%start(block%column(l) + 1) - 1
        conductance = block%dt(l)*boundary%conductance(face)
        if (conductance == 0.0_wp) cycle  ! its flux is given, or its cell is held
        k = boundary%layer(face)
        drop = boundary%head(face) - boundary%lift(face) - block%state(l, k, state_head)
        residual(l, k) = residual(l, k) &
          - block%dt(l)*boundary_inflow(boundary, face, block%state(l, k, state_head), block%state(l, k, state_kr))
        diagonal(l, k) = diagonal(l, k) &
          + conductance*merge(boundary%kr(face), block%state(l, k, state_kr) - block%state(l, k, state_dkr)*drop, drop > 0.0_wp)
      end do
    end do
  end subroutine add_boundary_inflow

  !> Inflow [m h-1] through a face towards a boundary at a head, kr taken upstream.
  pure function boundary_inflow(boundary, face, head, kr) result(inflow)
    type(boundary_t), intent(in) :: boundary  !< faces through which water comes from outside
    integer, intent(in) :: face               !< number of the face
    real(wp), intent(in) :: head              !< of the cell [m]
    real(wp), intent(in) :: kr                !< of the cell [-]
    real(wp) :: inflow, drop

    drop = boundary%head(face) - boundary%lift(face) - head
    inflow = boundary%conductance(face)*merge(boundary%kr(face), kr, drop > 0.0_wp)*drop
  end function boundary_inflow
end module richards_block
