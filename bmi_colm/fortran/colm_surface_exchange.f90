!> Heat and vapour between a surface without vegetation and the air, in the terms of the ground below a canopy.
!>
!> Equations (29) and (38) of docs/theory.md.
module colm_surface_exchange
  use colm_constants, only: wp, heat_capacity_air, stefan_boltzmann, dry_adiabatic_lapse, screen_height
  use colm_similarity, only: air_column, bare_exchange
  use colm_leaf_temperature, only: leaf_surroundings, leaf_fluxes
  use colm_soil_water, only: vapour_exchange
  implicit none
  private
  public :: exchange_without_canopy

contains

  !> Fluxes of ground without vegetation; those of leaves are zero.
  pure subroutine exchange_without_canopy(air, bare, around, f)
    type(air_column), intent(in) :: air            !< atmosphere
    type(bare_exchange), intent(in) :: bare        !< exchange of the ground if it were bare
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_fluxes), intent(out) :: f            !< fluxes of leaves and ground
    real(wp) :: humidity, slope, conductance, hindrance

    f%sensible = 0.0_wp
    f%evaporation = 0.0_wp
    f%transpiration = 0.0_wp
    f%demand = 0.0_wp
    f%precipitation_heat = 0.0_wp
    f%longwave_emission = stefan_boltzmann*air%temperature**4   ! of leaves that cover nothing
    f%ground_sensible_slope = air%density*heat_capacity_air*bare%heat_conductance
    f%ground_sensible = f%ground_sensible_slope*(around%ground_temperature - air%temperature)
    call vapour_exchange(around%ground, air%humidity, around%evaporation_factor, humidity, slope, hindrance)
    conductance = hindrance*bare%vapour_conductance
    f%ground_evaporation = air%density*conductance*(humidity - air%humidity)
    f%ground_evaporation_slope = air%density*conductance*slope
    f%dew_conductance = air%density*bare%vapour_conductance
    f%humidity_over_ground = air%humidity
    f%vapour_of_air = f%dew_conductance*air%humidity
    f%screen_temperature = around%ground_temperature + bare%screen_share*(air%temperature - around%ground_temperature) &
      - dry_adiabatic_lapse*screen_height
    f%screen_humidity = air%humidity + (1.0_wp - bare%screen_share)*hindrance*(humidity - air%humidity)
    if (around%ground_is_given) then
      f%ground_evaporation = around%ground_evaporation
      f%ground_evaporation_slope = 0.0_wp
      f%screen_humidity = air%humidity + (1.0_wp - bare%screen_share)*f%ground_evaporation/f%dew_conductance
    end if
  end subroutine exchange_without_canopy
end module colm_surface_exchange
