!> Overland flow onto columns: from the depths of their donors, and how a change runs downstream.
!>
!> Equations (9) and (10) of docs/theory.md.
module structured_routing
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use structured_types, only: columns_t, lanes, sides
  implicit none
  private
  public :: inflow_of_block, route, begin_route, route_levels, end_route

contains

  !> Overland inflow of the columns of a block in an hour.
  pure subroutine inflow_of_block(columns, b, flow, inflow)
    type(columns_t), intent(in) :: columns              !< terrain
    integer, intent(in) :: b                            !< block
    real(wp), intent(in) :: flow(lanes*columns%blocks)  !< ponded depth to 5/3, of all columns [m5/3]
    real(wp), intent(out) :: inflow(lanes)              !< [m]
    integer :: c, l, side

    do l = 1, lanes
      c = (b - 1)*lanes + l
      inflow(l) = 0.0_wp
      do side = 1, sides
        inflow(l) = inflow(l) + columns%conveyance_in(side, c)*flow(columns%donor(side, c))
      end do
    end do
  end subroutine inflow_of_block

  !> Better overland inflow than that with which balances were closed: that of the depths found, and what its change does on the
  !> way downstream. Newton's method on the inflow, whose Jacobian is triangular in flow order.
  pure subroutine route(columns, found, response, inflow, better, change, passed)
    type(columns_t), intent(in) :: columns                   !< terrain
    real(wp), intent(in) :: found(lanes*columns%blocks)      !< inflow by the depths after the closure [m]
    real(wp), intent(in) :: response(lanes*columns%blocks)   !< of depth to 5/3 to the inflow of a column [m2/3]
    real(wp), intent(in) :: inflow(lanes*columns%blocks)     !< that balances were closed with [m]
    real(wp), intent(out) :: better(lanes*columns%blocks)    !< [m]
    real(wp), intent(inout) :: change(lanes*columns%blocks)  !< memory [m]
    real(wp), intent(inout) :: passed(lanes*columns%blocks)  !< memory [m]

    call begin_route(columns, found, inflow, change)
    if (.not. all(change == 0.0_wp)) &
      call route_levels(columns, 2, size(columns%level_start) - 1, response, change, passed)
    call end_route(columns, inflow, change, better)
  end subroutine route

  !> Change of overland inflow by the depths that were found.
  pure subroutine begin_route(columns, found, inflow, change)
    type(columns_t), intent(in) :: columns                 !< terrain
    real(wp), intent(in) :: found(lanes*columns%blocks)    !< inflow by the depths after the closure [m]
    real(wp), intent(in) :: inflow(lanes*columns%blocks)   !< that balances were closed with [m]
    real(wp), intent(out) :: change(lanes*columns%blocks)  !< [m]
    integer :: c

    do c = 1, lanes*columns%blocks
      change(c) = found(c) - inflow(c)
    end do
  end subroutine begin_route

  !> Pass changes on to the columns of some levels.
  pure subroutine route_levels(columns, first_level, last_level, response, change, passed)
    type(columns_t), intent(in) :: columns                   !< terrain
    integer, intent(in) :: first_level                       !< number of the first
    integer, intent(in) :: last_level                        !< number of the last
    real(wp), intent(in) :: response(lanes*columns%blocks)   !< of depth to 5/3 to the inflow of a column [m2/3]
    real(wp), intent(inout) :: change(lanes*columns%blocks)  !< of overland inflow [m]
    real(wp), intent(inout) :: passed(lanes*columns%blocks)  !< memory [m]
    integer :: c, d, first, last, level, side

    do level = first_level, last_level
      first = columns%level_start(level)
      last = columns%level_start(level + 1) - 1
      ! all of a level before any is changed: columns of a cycle share a level
      do c = first, last
        passed(c) = 0.0_wp
        do side = 1, sides
          d = columns%donor(side, c)
          passed(c) = passed(c) + columns%conveyance_in(side, c)*response(d)*change(d)
        end do
      end do
      do c = first, last
        change(c) = change(c) + passed(c)
      end do
    end do
  end subroutine route_levels

  !> Better overland inflow by its change.
  pure subroutine end_route(columns, inflow, change, better)
    type(columns_t), intent(in) :: columns                 !< terrain
    real(wp), intent(in) :: inflow(lanes*columns%blocks)   !< that balances were closed with [m]
    real(wp), intent(in) :: change(lanes*columns%blocks)   !< [m]
    real(wp), intent(out) :: better(lanes*columns%blocks)  !< [m]
    integer :: c

    do c = 1, lanes*columns%blocks
      better(c) = max(inflow(c) + change(c), 0.0_wp)
    end do
  end subroutine end_route

end module structured_routing
