!> Open water of the root zone's depth: a slab that is well mixed where it is free of ice, and freezes from the top.
!>
!> Equation (52) of docs/theory.md.
module colm_water_body
  use colm_constants, only: wp, freezing_point
  use colm_types, only: n_snow, column_state
  implicit none
  private
  public :: mix_open_water, raise_ice

contains

  !> Water under the ice shares its heat among itself; water above it with the ice.
  pure subroutine mix_open_water(s, inertia)
    type(column_state), intent(inout) :: s  !< state of the column
    real(wp), intent(in) :: inertia(:)      !< heat that the layers take up [W m-2 K-1]
    integer :: highest, lowest

    lowest = size(inertia)
    do while (lowest > 0)
      if (s%ice(n_snow + lowest) > 0.0_wp) exit
      lowest = lowest - 1
    end do
    if (lowest == 0) then
      call mix(s%temperature(n_snow + 1:), inertia)
      return
    end if
    highest = 1
    do while (.not. s%ice(n_snow + highest) > 0.0_wp)
      highest = highest + 1
    end do
    if (lowest < size(inertia)) call mix(s%temperature(n_snow + lowest + 1:), inertia(lowest + 1:))
    if (highest > 1) call mix(s%temperature(n_snow + 1:n_snow + highest), inertia(:highest))
  end subroutine mix_open_water

  !> Layers take their mean temperature.
  pure subroutine mix(temperature, inertia)
    real(wp), intent(inout) :: temperature(:)  !< [K]
    real(wp), intent(in) :: inertia(:)         !< heat that the layers take up [W m-2 K-1]
    temperature = sum(inertia*temperature)/sum(inertia)
  end subroutine mix

  !> Ice rises to the top of what is at the freezing point; the water that it displaces is at the freezing point, too.
  pure subroutine raise_ice(s)
    type(column_state), intent(inout) :: s  !< state of the column
    real(wp) :: ice, water
    integer :: first, j, n_layer

    n_layer = size(s%temperature)
    first = n_layer + 1
    do while (first > n_snow + 1)
      if (abs(s%temperature(first - 1) - freezing_point) > 0.0_wp .or. s%liquid(first - 1) <= 0.0_wp) exit
      first = first - 1
    end do
    if (first > n_layer) return
    ice = sum(s%ice(first:))
    do j = first, n_layer
      water = s%ice(j) + s%liquid(j)
      s%ice(j) = min(ice, water)
      s%liquid(j) = water - s%ice(j)
      ice = ice - s%ice(j)
    end do
  end subroutine raise_ice
end module colm_water_body
