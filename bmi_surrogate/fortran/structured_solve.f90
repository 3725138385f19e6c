!> One linearised implicit solve of the columns of a block.
!>
!> Equations (5), (9), (10) and (14) of docs/theory.md.
module structured_solve
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use ponding, only: depth_exponent, ponding_powers
  use structured_retention, only: find_coordinates
  use structured_types, only: columns_t, lanes
  implicit none
  private
  public :: find_water, outflow_slope, solve_block

  !> Largest change of the coordinate by a solve, where the guess is unsaturated and saturated [m].
  real(wp), parameter :: largest_change_dry = 0.15_wp, largest_change_wet = 0.3_wp
  !> Of a layer [-].
  real(wp), parameter :: least_capacity = 1.0e-9_wp
  !> 1e-9 m to 2/3, below which the slope of the overland outflow does not go [m2/3].
  real(wp), parameter :: least_root = 1.0e-6_wp

contains

  !> Water in each layer and its derivative with respect to head.
  pure subroutine find_water(columns, b, head, saturation, slope, water, capacity)
    type(columns_t), intent(in) :: columns                     !< soil
    integer, intent(in) :: b                                   !< block
    real(wp), intent(in) :: head(lanes, columns%layers)        !< [m]
    real(wp), intent(in) :: saturation(lanes, columns%layers)  !< [-]
    real(wp), intent(in) :: slope(lanes, columns%layers)       !< dS/dh [m-1]
    real(wp), intent(out) :: water(lanes, columns%layers)      !< [m]
    real(wp), intent(out) :: capacity(lanes, columns%layers)   !< [-]
    real(wp) :: room
    integer :: k, l

    do k = 1, columns%layers
      !$omp simd private(room)
      do l = 1, lanes
        room = columns%porosity(l, k, b) + columns%specific_storage(l, k, b)*head(l, k)
        water(l, k) = columns%dz(k)*saturation(l, k)*room
        capacity(l, k) = columns%dz(k)*(slope(l, k)*room + columns%specific_storage(l, k, b)*saturation(l, k))
      end do
    end do
  end subroutine find_water

  !> Derivative of the overland outflow in an hour by the ponded depth.
  pure elemental function outflow_slope(conveyance, root) result(slope)
    !$omp declare simd(outflow_slope) notinbranch
    real(wp), intent(in) :: conveyance  !< [h-1 m-2/3]
    real(wp), intent(in) :: root        !< depth to 2/3 [m2/3]
    real(wp) :: slope
    slope = conveyance*depth_exponent*merge(least_root, root, root < least_root)
  end function outflow_slope

  !> Change of the coordinate that the solve linearised at a guess makes to it.
  pure subroutine solve_block(columns, b, head, coordinate, permeability, capacity, gain, ponded_before, inflow, change)
    type(columns_t), intent(in) :: columns                       !< soil and terrain
    integer, intent(in) :: b                                     !< block
    real(wp), intent(in) :: head(lanes, columns%layers)          !< of the guess [m]
    real(wp), intent(in) :: coordinate(lanes, columns%layers)    !< of the guess [m]
    real(wp), intent(in) :: permeability(lanes, columns%layers)  !< relative, of the guess [-]
    real(wp), intent(in) :: capacity(lanes, columns%layers)      !< of the guess [-]
    real(wp), intent(in) :: gain(lanes, columns%layers)          !< source and lateral flow less growth of the water [m]
    real(wp), intent(in) :: ponded_before(lanes)                 !< at the start of the hour [m]
    real(wp), intent(in) :: inflow(lanes)                        !< overland, of the hour [m]
    real(wp), intent(out) :: change(lanes, columns%layers)       !< of the coordinate [m]
    real(wp), dimension(lanes, columns%layers) :: coupling, right, diagonal, factor, moved
    real(wp), dimension(lanes) :: ponded, power, root
    real(wp) :: gradient, rise, inverse, limit
    integer :: k, l, top

    top = columns%layers
    !$omp simd
    do l = 1, lanes
      ponded(l) = merge(head(l, top), 0.0_wp, head(l, top) > 0.0_wp)
    end do
    call ponding_powers(lanes, ponded, root, power)
    do k = 1, top
      !$omp simd
      do l = 1, lanes
        right(l, k) = gain(l, k)
        diagonal(l, k) = merge(least_capacity, capacity(l, k), capacity(l, k) < least_capacity)
      end do
    end do
    do k = 1, top - 1
      !$omp simd private(gradient, rise)
      do l = 1, lanes
        gradient = (head(l, k) - head(l, k + 1))/columns%height(k) - 1.0_wp
        coupling(l, k) = columns%vertical(l, k, b)*merge(permeability(l, k), permeability(l, k + 1), gradient > 0.0_wp)
        rise = coupling(l, k)*gradient
        coupling(l, k) = coupling(l, k)/columns%height(k)
        right(l, k) = right(l, k) - rise
        right(l, k + 1) = right(l, k + 1) + rise
        diagonal(l, k) = diagonal(l, k) + coupling(l, k)
        diagonal(l, k + 1) = diagonal(l, k + 1) + coupling(l, k)
      end do
    end do
    !$omp simd
    do l = 1, lanes
      right(l, top) = right(l, top) - (ponded(l) - ponded_before(l) + columns%conveyance_out(l, b)*power(l) - inflow(l))
      diagonal(l, top) = diagonal(l, top) &
        + merge(1.0_wp + outflow_slope(columns%conveyance_out(l, b), root(l)), 0.0_wp, head(l, top) > 0.0_wp)
    end do

    ! tridiagonal elimination from the bottom; the matrix is symmetric, with -coupling beside the diagonal
    do k = 1, top - 1
      !$omp simd private(inverse)
      do l = 1, lanes
        inverse = 1.0_wp/diagonal(l, k)
        factor(l, k) = coupling(l, k)*inverse
        right(l, k) = right(l, k)*inverse
        diagonal(l, k + 1) = diagonal(l, k + 1) - coupling(l, k)*factor(l, k)
        right(l, k + 1) = right(l, k + 1) + coupling(l, k)*right(l, k)
      end do
    end do
    !$omp simd
    do l = 1, lanes
      right(l, top) = right(l, top)/diagonal(l, top)
      moved(l, top) = head(l, top) + right(l, top)
    end do
    do k = top - 1, 1, -1
      !$omp simd
      do l = 1, lanes
        right(l, k) = right(l, k) + factor(l, k)*right(l, k + 1)
        moved(l, k) = head(l, k) + right(l, k)
      end do
    end do

    call find_coordinates(lanes*top, columns%alpha(:, :, b), moved, change)
    do k = 1, top
      !$omp simd private(limit)
      do l = 1, lanes
        limit = merge(largest_change_dry, largest_change_wet, head(l, k) < 0.0_wp)
        change(l, k) = change(l, k) - coordinate(l, k)
        change(l, k) = merge(-limit, change(l, k), change(l, k) < -limit)
        change(l, k) = merge(limit, change(l, k), change(l, k) > limit)
      end do
    end do
  end subroutine solve_block

end module structured_solve
