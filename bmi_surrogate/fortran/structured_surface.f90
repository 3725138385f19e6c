!> How much water can stand on columns: what their surface gets and the soil below cannot take.
!>
!> Equation (15a) of docs/theory.md.
module structured_surface
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use ponding, only: depth_exponent, ponding_powers
  use structured_solve, only: outflow_slope
  use structured_types, only: columns_t, lanes
  use vector_math, only: powers
  implicit none
  private
  public :: surface_t, surface_of_block, bound_top

  !> The top layer of the columns of a block and what it gets in the hour.
  type :: surface_t
    real(wp) :: supply(lanes) = 0.0_wp    !< water of layer and surface beyond what fills it, less what gravity takes down [m]
    real(wp) :: coupling(lanes) = 0.0_wp  !< water through the saturated face below in an hour for a head of 1 m [-]
    real(wp) :: storage(lanes) = 0.0_wp   !< water that a pond of 1 m takes with what lies below it [-]
  end type surface_t

  !> Room below the top layer at which half of what goes beyond the limit stands nevertheless [m].
  real(wp), parameter :: room_scale = 1.0e-4_wp
  !> Newton's, from a depth at most twice the solution, without a pond's outflow or without anything else.
  integer, parameter :: steps = 6

contains

  !> Surface of a block, from the water that the top layer had and got, what stands on it and overland inflow included.
  pure function surface_of_block(columns, b, gained) result(surface)
    type(columns_t), intent(in) :: columns  !< soil and terrain
    integer, intent(in) :: b                !< block
    real(wp), intent(in) :: gained(lanes)   !< [m]
    type(surface_t) :: surface
    real(wp) :: holds
    integer :: l, top

    top = columns%layers
    !$omp simd private(holds)
    do l = 1, lanes
      holds = columns%dz(top)*columns%maximum(l, top, b)
      surface%supply(l) = gained(l) - holds*columns%porosity(l, top, b) - columns%vertical(l, top - 1, b)
      surface%coupling(l) = columns%vertical(l, top - 1, b)/columns%height(top - 1)
      surface%storage(l) = 1.0_wp + holds*columns%specific_storage(l, top, b) + surface%coupling(l)
    end do
  end function surface_of_block

  !> Keep the coordinate of the top layer within its limit.
  pure subroutine bound_top(surface, conveyance, below, below_rising, room, filling, weight, coordinate, rising, by_inflow)
    type(surface_t), intent(in) :: surface        !< of the block
    real(wp), intent(in) :: conveyance(lanes)     !< of all faces that a column feeds [h-1 m-2/3]
    real(wp), intent(in) :: below(lanes)          !< head of the layer below [m]
    real(wp), intent(in) :: below_rising(lanes)   !< its derivative by the shift [-]
    real(wp), intent(in) :: room(lanes)           !< for water below, in layers that the shift moves [m]
    real(wp), intent(in) :: filling(lanes)        !< decline of the room with the shift [-]
    real(wp), intent(in) :: weight(lanes)         !< share of the shift that the top layer takes [-]
    real(wp), intent(inout) :: coordinate(lanes)  !< of the top layer [m]
    real(wp), intent(out) :: rising(lanes)        !< its derivative by the shift [-]
    real(wp), intent(out) :: by_inflow(lanes)     !< its derivative by overland inflow, with the shift as it is [-]
    real(wp), dimension(lanes) :: surplus, ratio, depth, root, power
    real(wp) :: growth, deeper, held, fading
    integer :: l, step

    do l = 1, lanes
      rising(l) = weight(l)
      by_inflow(l) = 0.0_wp
    end do
    if (.not. any(coordinate > 0.0_wp)) return
    !$omp simd
    do l = 1, lanes
      surplus(l) = surface%supply(l) + surface%coupling(l)*below(l)
      surplus(l) = merge(0.0_wp, surplus(l), surplus(l) < 0.0_wp)
      ratio(l) = surplus(l)/merge(1.0e-30_wp, conveyance(l), conveyance(l) < 1.0e-30_wp)
      ratio(l) = merge(tiny(ratio), ratio(l), ratio(l) < tiny(ratio))
    end do
    call powers(lanes, ratio, 1.0_wp/depth_exponent, depth)
    !$omp simd
    do l = 1, lanes
      depth(l) = merge(surplus(l)/surface%storage(l), depth(l), surplus(l)/surface%storage(l) < depth(l))
    end do
    do step = 0, steps
      call ponding_powers(lanes, depth, root, power)
      !$omp simd private(growth)
      do l = 1, lanes
        growth = surface%storage(l) + outflow_slope(conveyance(l), root(l))
        depth(l) = depth(l) - (surface%storage(l)*depth(l) + conveyance(l)*power(l) - surplus(l))/growth
        depth(l) = merge(0.0_wp, depth(l), depth(l) < 0.0_wp)
      end do
    end do
    call ponding_powers(lanes, depth, root, power)
    !$omp simd private(growth, deeper, held, fading)
    do l = 1, lanes
      growth = surface%storage(l) + outflow_slope(conveyance(l), root(l))
      deeper = merge(1.0_wp, 0.0_wp, surplus(l) > 0.0_wp)/growth
      held = room(l)/(room_scale + room(l))
      fading = -filling(l)*room_scale/(room_scale + room(l))**2
      rising(l) = merge(held*surface%coupling(l)*deeper*below_rising(l) + (1.0_wp - held)*weight(l) &
        + fading*(depth(l) - coordinate(l)), weight(l), coordinate(l) > depth(l))
      by_inflow(l) = merge(held*deeper, 0.0_wp, coordinate(l) > depth(l))
      coordinate(l) = merge(held*depth(l) + (1.0_wp - held)*coordinate(l), coordinate(l), coordinate(l) > depth(l))
    end do
  end subroutine bound_top

end module structured_surface
