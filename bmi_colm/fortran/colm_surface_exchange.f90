!> Heat and vapour between a surface without vegetation and the air, in the terms of the ground below a canopy.
!>
!> Equations (29) and (38) of docs/theory.md.
module colm_surface_exchange
  use colm_constants, only: wp, lanes, heat_capacity_air, stefan_boltzmann, dry_adiabatic_lapse, screen_height
  use colm_similarity, only: air_block, bare_exchange
  use colm_leaf_temperature, only: leaf_surroundings, leaf_fluxes
  use colm_soil_water, only: vapour_exchange
  implicit none
  private
  public :: exchange_without_canopy

contains

  !> Fluxes of ground without vegetation; those of leaves are zero.
  pure subroutine exchange_without_canopy(air, bare, around, wanted, f)
    type(air_block), intent(in) :: air             !< atmosphere
    type(bare_exchange), intent(in) :: bare        !< exchange of the ground if it were bare
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    logical, intent(in) :: wanted(lanes)           !< columns without vegetation; nothing of the others is changed
    type(leaf_fluxes), intent(inout) :: f          !< fluxes of leaves and ground
    real(wp), dimension(lanes) :: humidity, slope, conductance, hindrance
    integer :: l

    call vapour_exchange(around%ground, air%humidity, around%evaporation_factor, humidity, slope, hindrance)
    conductance = hindrance*bare%vapour_conductance
    do l = 1, lanes
      if (.not. wanted(l)) cycle
      f%sensible(l) = 0.0_wp
      f%evaporation(l) = 0.0_wp
      f%transpiration(l) = 0.0_wp
      f%demand(l) = 0.0_wp
      f%precipitation_heat(l) = 0.0_wp
      f%longwave_emission(l) = stefan_boltzmann*air%temperature(l)**4   ! of leaves that cover nothing
      f%ground_sensible_slope(l) = air%density(l)*heat_capacity_air*bare%heat_conductance(l)
      f%ground_sensible(l) = f%ground_sensible_slope(l)*(around%ground_temperature(l) - air%temperature(l))
      f%ground_evaporation(l) = air%density(l)*conductance(l)*(humidity(l) - air%humidity(l))
      f%ground_evaporation_slope(l) = air%density(l)*conductance(l)*slope(l)
      f%dew_conductance(l) = air%density(l)*bare%vapour_conductance(l)
      f%humidity_over_ground(l) = air%humidity(l)
      f%vapour_of_air(l) = f%dew_conductance(l)*air%humidity(l)
      f%screen_temperature(l) = around%ground_temperature(l) &
        + bare%screen_share(l)*(air%temperature(l) - around%ground_temperature(l)) - dry_adiabatic_lapse*screen_height
      f%screen_humidity(l) = air%humidity(l) + (1.0_wp - bare%screen_share(l))*hindrance(l)*(humidity(l) - air%humidity(l))
      if (around%ground_is_given(l) > 0.0_wp) then
        f%ground_evaporation(l) = around%ground_evaporation(l)
        f%ground_evaporation_slope(l) = 0.0_wp
        f%screen_humidity(l) = air%humidity(l) + (1.0_wp - bare%screen_share(l))*f%ground_evaporation(l)/f%dew_conductance(l)
      end if
    end do
  end subroutine exchange_without_canopy
end module colm_surface_exchange
