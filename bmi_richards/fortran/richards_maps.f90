!> Between maps of the domain and columns in flow order. Maps are (cell, layer), x fastest and layer 1 at the bottom; `number` is the
!> column of each cell, 0 where there is none; of columns after the `last`, which belong to other parts of the domain, maps show
!> nothing and sources are none. Cells are taken as they lie in the maps, because a column lies together in memory and
!> the layers of a map do not.
module richards_maps
  use, intrinsic :: ieee_arithmetic, only: ieee_is_finite, ieee_is_nan, ieee_quiet_nan, ieee_value
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use richards_types, only: state_head, state_saturation
  implicit none
  private
  public :: fill_maps, take_map, is_head_of

contains

  !> Head and saturation as maps; NaN where there is no column, and above the ground.
  subroutine fill_maps(number, last, top, cells, threads, head, saturation)
    integer, intent(in) :: number(:)               !< column of each cell, 0 for none
    integer, intent(in) :: last                    !< column that takes part
    integer, intent(in) :: top(:)                  !< topmost layer of each column
    real(wp), intent(in) :: cells(:, :, :)         !< (layer, variable, column) state [any]
    integer, intent(in) :: threads                 !< of this call
    real(wp), intent(inout) :: head(:, :)          !< [m]
    real(wp), intent(inout) :: saturation(:, :)    !< [-]
    real(wp) :: none
    integer :: i, k, c, reached

    none = ieee_value(none, ieee_quiet_nan)
    !$omp parallel do num_threads(threads) schedule(static) private(k, c, reached)
    do i = 1, size(number)
      c = number(i)
      reached = 0
      if (c > 0 .and. c <= last) reached = top(c)
      do k = 1, reached
        head(i, k) = cells(k, state_head, c)
        saturation(i, k) = cells(k, state_saturation, c)
      end do
      do k = reached + 1, size(head, 2)
        head(i, k) = none
        saturation(i, k) = none
      end do
    end do
  end subroutine fill_maps

  !> The uppermost layers of columns from a map, and 0 below them; in cells above the ground, the value of the topmost cell.
  subroutine take_map(number, last, top, map, threads, columns, finite)
    integer, intent(in) :: number(:)           !< column of each cell, 0 for none
    integer, intent(in) :: last                !< column that takes part
    integer, intent(in) :: top(:)              !< topmost layer of each column
    real(wp), intent(in) :: map(:, :)          !< uppermost layers [any]
    integer, intent(in) :: threads             !< of this call
    real(wp), intent(inout) :: columns(:, :)   !< (layer, column) [any]
    logical, intent(out) :: finite             !< whether all values are
    integer :: i, k, c, below

    below = size(columns, 1) - size(map, 2)
    finite = .true.
    !$omp parallel do num_threads(threads) schedule(static) private(k, c) reduction(.and.: finite)
    do i = 1, size(number)
      c = number(i)
      if (c == 0 .or. c > last) cycle
      columns(:below, c) = 0.0_wp
      do k = 1, size(map, 2)
        columns(below + k, c) = map(i, k)
      end do
      columns(top(c) + 1:, c) = columns(top(c), c)
      finite = finite .and. all(ieee_is_finite(columns(:, c)))
    end do
  end subroutine take_map

  !> Whether a map is what `fill_maps` makes of the head.
  function is_head_of(number, last, top, cells, threads, map) result(same)
    integer, intent(in) :: number(:)         !< column of each cell, 0 for none
    integer, intent(in) :: last              !< column that takes part
    integer, intent(in) :: top(:)            !< topmost layer of each column
    real(wp), intent(in) :: cells(:, :, :)   !< (layer, variable, column) state [any]
    integer, intent(in) :: threads           !< of this call
    real(wp), intent(in) :: map(:, :)        !< [m]
    logical :: same
    integer :: i, k, c, reached

    same = .true.
    !$omp parallel do num_threads(threads) schedule(static) private(k, c, reached) reduction(.and.: same)
    do i = 1, size(number)
      c = number(i)
      reached = 0
      if (c > 0 .and. c <= last) reached = top(c)
      do k = 1, reached
        same = same .and. map(i, k) == cells(k, state_head, c)
      end do
      do k = reached + 1, size(map, 2)
        same = same .and. ieee_is_nan(map(i, k))
      end do
    end do
  end function is_head_of

end module richards_maps
