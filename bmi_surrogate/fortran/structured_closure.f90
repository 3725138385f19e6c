!> The shift of each column of a block that closes its water balance: Newton's method within a bracket.
!>
!> Equations (15) and (15a) of docs/theory.md.
module structured_closure
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use ponding, only: ponding_powers
  use structured_retention, only: find_heads, find_saturations, knee
  use structured_solve, only: find_water, outflow_slope
  use structured_surface, only: bound_top, surface_t
  use structured_types, only: columns_t, lanes
  implicit none
  private
  public :: close_block

  !> Of the balance of a column in an hour [m].
  real(wp), parameter :: tolerance = 1.0e-12_wp
  !> Of a balance by the shift [-]; that of a dry column which has nothing more to give.
  real(wp), parameter :: least_slope = 1.0e-6_wp
  !> Of a step [m], but up and down through a pond.
  real(wp), parameter :: largest_shift = 0.5_wp

contains

  !> Water that columns hold and give away beyond what is available, and its derivative by the shift.
  pure subroutine find_excess(columns, b, surface, guess, weights, shift, available, excess, growth, surface_level, rising, &
    by_inflow)
    type(columns_t), intent(in) :: columns                  !< soil and terrain
    integer, intent(in) :: b                                !< block
    type(surface_t), intent(in) :: surface                  !< of the block
    real(wp), intent(in) :: guess(lanes, columns%layers)    !< u [m]
    real(wp), intent(in) :: weights(lanes, columns%layers)  !< share of the shift that each layer takes [-]
    real(wp), intent(in) :: shift(lanes)                    !< [m]
    real(wp), intent(in) :: available(lanes)                !< water that the column had and got [m]
    real(wp), intent(out) :: excess(lanes)                  !< [m]
    real(wp), intent(out) :: growth(lanes)                  !< [-]
    real(wp), intent(out) :: surface_level(lanes)           !< u of the top layer [m]
    real(wp), intent(out) :: rising(lanes)                  !< its derivative by the shift [-]
    real(wp), intent(out) :: by_inflow(lanes)               !< its derivative by overland inflow, with the shift as it is [-]
    real(wp), dimension(lanes, columns%layers) :: coordinate, head, stretch, saturation, slope, power, water, capacity
    real(wp), dimension(lanes) :: ponded, outflow, root, room, filling, below_rising
    real(wp) :: pores
    integer :: elements, k, l, top

    top = columns%layers
    elements = lanes*top
    do k = 1, top
      !$omp simd
      do l = 1, lanes
        coordinate(l, k) = guess(l, k) + shift(l)*weights(l, k)
      end do
    end do
    call find_heads(elements, columns%alpha(:, :, b), coordinate, head, stretch)
    call find_saturations(elements, columns%alpha(:, :, b), columns%n(:, :, b), columns%m(:, :, b), &
      columns%residual(:, :, b), columns%maximum(:, :, b), head, saturation, slope, power)

    !$omp simd
    do l = 1, lanes
      room(l) = 0.0_wp
      filling(l) = 0.0_wp
      surface_level(l) = coordinate(l, top)
      below_rising(l) = stretch(l, top - 1)*weights(l, top - 1)
    end do
    do k = 1, top - 1
      !$omp simd private(pores)
      do l = 1, lanes
        pores = columns%dz(k)*columns%porosity(l, k, b)
        room(l) = room(l) + merge(pores*(columns%maximum(l, k, b) - saturation(l, k)), 0.0_wp, weights(l, k) > 0.0_wp)
        filling(l) = filling(l) + pores*slope(l, k)*stretch(l, k)*weights(l, k)
      end do
    end do
    call bound_top(surface, columns%conveyance_out(:, b), head(:, top - 1), below_rising, room, filling, weights(:, top), &
      surface_level, rising, by_inflow)
    ! what is bounded is saturated, with and without its limit
    !$omp simd
    do l = 1, lanes
      head(l, top) = merge(surface_level(l), head(l, top), coordinate(l, top) > 0.0_wp)
    end do

    call find_water(columns, b, head, saturation, slope, water, capacity)
    !$omp simd
    do l = 1, lanes
      ponded(l) = merge(head(l, top), 0.0_wp, head(l, top) > 0.0_wp)
      excess(l) = 0.0_wp
      growth(l) = 0.0_wp
    end do
    call ponding_powers(lanes, ponded, root, outflow)
    do k = 1, top - 1
      !$omp simd
      do l = 1, lanes
        excess(l) = excess(l) + water(l, k)
        growth(l) = growth(l) + capacity(l, k)*stretch(l, k)*weights(l, k)
      end do
    end do
    !$omp simd
    do l = 1, lanes
      excess(l) = excess(l) + water(l, top) + ponded(l) + columns%conveyance_out(l, b)*outflow(l) - available(l)
      growth(l) = growth(l) + capacity(l, top)*stretch(l, top)*rising(l) + rising(l) &
        *merge(1.0_wp + outflow_slope(columns%conveyance_out(l, b), root(l)), 0.0_wp, head(l, top) > 0.0_wp)
      growth(l) = merge(least_slope, growth(l), growth(l) < least_slope)
    end do
  end subroutine find_excess

  !> Search for the shifts of the columns that are open, from those given. A column that is closed keeps its shift, so that it
  !> does not matter which others lie in its block; neither does it go on where a sink has left it nothing to give.
  pure subroutine close_block(columns, b, surface, sweeps, guess, weights, available, open, shift, growth, surface_level, rising, &
    by_inflow)
    type(columns_t), intent(in) :: columns                  !< soil and terrain
    integer, intent(in) :: b                                !< block
    type(surface_t), intent(in) :: surface                  !< of the block
    integer, intent(in) :: sweeps                           !< at most
    real(wp), intent(in) :: guess(lanes, columns%layers)    !< u [m]
    real(wp), intent(in) :: weights(lanes, columns%layers)  !< share of the shift that each layer takes [-]
    real(wp), intent(in) :: available(lanes)                !< water that the column had and got [m]
    real(wp), intent(inout) :: open(lanes)                  !< 1: to be searched, then: still open; else 0 [-]
    real(wp), intent(inout) :: shift(lanes)                 !< [m]
    real(wp), intent(inout) :: growth(lanes)                !< of the balance with the shift, where searched [-]
    real(wp), intent(out) :: surface_level(lanes)           !< u of the top layer after the shift [m]
    real(wp), intent(out) :: rising(lanes)                  !< its derivative by the shift [-]
    real(wp), intent(out) :: by_inflow(lanes)               !< its derivative by overland inflow, with the shift as it is [-]
    real(wp), dimension(lanes) :: low, high, excess, slope, pond
    real(wp) :: step, next, lowest
    integer :: l, sweep, top

    top = columns%layers
    low = -huge(low)
    high = huge(high)
    do sweep = 1, sweeps
      call find_excess(columns, b, surface, guess, weights, shift, available, excess, slope, surface_level, rising, by_inflow)
      !$omp simd private(step, next, lowest)
      do l = 1, lanes
        growth(l) = merge(slope(l), growth(l), open(l) > 0.0_wp)
        open(l) = merge(open(l), 0.0_wp, abs(excess(l)) > tolerance)
        open(l) = merge(0.0_wp, open(l), excess(l) > 0.0_wp .and. slope(l) <= least_slope &
          .and. surface_level(l)*columns%alpha(l, top, b) < -knee)
        high(l) = merge(shift(l), high(l), excess(l) > 0.0_wp)
        low(l) = merge(shift(l), low(l), excess(l) < 0.0_wp)
        ! steps up and down through a pond, in units of the shift, have no limit: the balance is convex there
        pond(l) = merge(surface_level(l), 0.0_wp, surface_level(l) > 0.0_wp)/weights(l, top)
        step = -excess(l)/slope(l)
        lowest = -largest_shift - pond(l)
        step = merge(lowest, step, step < lowest)
        step = merge(largest_shift, step, step > largest_shift .and. pond(l) <= 0.0_wp)
        next = shift(l) + step
        ! the middle of the bracket where the step would leave it
        next = merge(0.5_wp*(low(l) + high(l)), next, (next <= low(l) .or. next >= high(l)) &
          .and. low(l) > -huge(low) .and. high(l) < huge(high))
        shift(l) = merge(next, shift(l), open(l) > 0.0_wp)
      end do
      if (all(open <= 0.0_wp)) return
    end do
    call find_excess(columns, b, surface, guess, weights, shift, available, excess, slope, surface_level, rising, by_inflow)
  end subroutine close_block

end module structured_closure
