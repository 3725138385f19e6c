!> Open water of the root zone's depth, well mixed where it is free of ice: a slab that freezes from the top.
module colm_water_body
  use colm_constants, only: wp, n_snow, n_soil, n_layer
  use colm_types, only: column_state
  implicit none
  private
  public :: first_mixed_layer, mix_open_water, raise_ice

contains

  !> The layers from first on share their heat; inertia is the heat they take up per kelvin.
  pure subroutine mix_open_water(s, first, inertia)
    type(column_state), intent(inout) :: s
    integer, intent(in) :: first
    real(wp), intent(in) :: inertia(n_soil)            ! of the ten layers below the surface, W m-2 K-1

    if (first > n_layer) return
    s%temperature(first:) = sum(inertia(first - n_snow:)*s%temperature(first:)) &
      /sum(inertia(first - n_snow:))
  end subroutine mix_open_water

  !> Ice that has formed in the mixed layers rises; it and the water that it displaces are at the freezing point.
  pure subroutine raise_ice(s, first)
    type(column_state), intent(inout) :: s
    integer, intent(in) :: first                   ! uppermost layer that was mixed before it froze
    real(wp) :: ice, water
    integer :: j

    if (first > n_layer) return
    ice = sum(s%ice(first:))
    if (ice <= 0.0_wp .or. sum(s%liquid(first:)) <= 0.0_wp) return
    do j = first, n_layer
      water = s%ice(j) + s%liquid(j)
      s%ice(j) = min(ice, water)
      s%liquid(j) = water - s%ice(j)
      ice = ice - s%ice(j)
    end do
  end subroutine raise_ice

  !> Uppermost layer that is free of ice as all below it are; n_layer + 1 without any.
  pure integer function first_mixed_layer(s)
    type(column_state), intent(in) :: s
    first_mixed_layer = n_layer + 1
    do while (first_mixed_layer > n_snow + 1)
      if (s%ice(first_mixed_layer - 1) > 0.0_wp) exit
      first_mixed_layer = first_mixed_layer - 1
    end do
  end function first_mixed_layer
end module colm_water_body
