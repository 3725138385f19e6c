!> What falls on the ground: precipitation and irrigation past the canopy, what drips from it, and irrigation below it.
!>
!> Equations (27) and (27a) of docs/theory.md.
module colm_throughfall
  use colm_constants, only: wp, freezing_point, heat_capacity_water, heat_capacity_ice, latent_heat_fusion, &
    least_canopy_area, open_water
  use colm_types, only: n_snow, step_options, column_parameters, column_state, column_inputs
  use colm_precipitation, only: precipitation_phase, rain_temperature, intercept
  implicit none
  private
  public :: falling_water, receive_precipitation

  type :: falling_water
    real(wp) :: rain                       !< that reaches the ground [kg m-2 s-1]
    real(wp) :: snow                       !< that reaches the ground [kg m-2 s-1]
    real(wp) :: temperature                !< of both [K]
    real(wp) :: heat_capacity              !< of both [W m-2 K-1]
    real(wp) :: melt_heat                  !< taken by snow that melts as it reaches open water [W m-2]
    real(wp) :: intercepted                !< negative when more drips than is caught [kg m-2 s-1]
    real(wp) :: interception_capacity      !< heat capacity of what the canopy catches [W m-2 K-1]
    real(wp) :: precipitation_temperature  !< above the canopy [K]
    real(wp) :: canopy_phase_heat          !< of snow that the canopy keeps as water [W m-2]
  end type falling_water

contains

  !> Split the hour's precipitation between canopy and ground; advances the canopy store.
  pure subroutine receive_precipitation(o, p, forcing, air_temperature, area, s, f)
    type(step_options), intent(in) :: o         !< choices and clock of the step
    type(column_parameters), intent(in) :: p    !< constants of the column
    type(column_inputs), intent(in) :: forcing  !< atmosphere and soil water of the step
    real(wp), intent(in) :: air_temperature     !< [K]
    real(wp), intent(in) :: area                !< of leaves and stems [m2 m-2]
    type(column_state), intent(inout) :: s      !< state of the column
    type(falling_water), intent(out) :: f       !< what reaches the ground
    real(wp) :: rain, snow, through_rain, through_snow, drip_rain, drip_snow, drip_capacity, irrigation_temperature

    call precipitation_phase(forcing%precipitation, air_temperature, forcing%pressure, forcing%humidity, &
      o%published_numerics, rain, snow, f%precipitation_temperature)
    irrigation_temperature = freezing_point
    if (forcing%canopy_irrigation + forcing%ground_irrigation > 0.0_wp) irrigation_temperature &
      = rain_temperature(air_temperature, forcing%pressure, forcing%humidity, o%published_numerics)
    if (forcing%canopy_irrigation > 0.0_wp) then
      f%precipitation_temperature = mixed(capacity(rain, snow), f%precipitation_temperature, &
        capacity(forcing%canopy_irrigation, 0.0_wp), irrigation_temperature)
      rain = rain + forcing%canopy_irrigation
    end if
    if (area >= least_canopy_area) then
      call intercept(p%leaf_angle, area, s%leaf_temperature, rain, snow, o%time_step, s%canopy_water, through_rain, &
        through_snow, drip_rain, drip_snow)
    else
      through_rain = rain
      through_snow = snow
      drip_rain = s%canopy_water/o%time_step
      drip_snow = 0.0_wp
      s%canopy_water = 0.0_wp
    end if

    drip_capacity = capacity(drip_rain, drip_snow)
    f%interception_capacity = capacity(rain - through_rain, snow - through_snow)
    f%heat_capacity = capacity(through_rain + drip_rain, through_snow + drip_snow)
    f%temperature = f%precipitation_temperature
    if (o%published_numerics) then
      ! drip, too, has the temperature of the precipitation, at the cost of the leaves
      f%interception_capacity = f%interception_capacity - drip_capacity
    else if (f%heat_capacity > 0.0_wp) then
      f%temperature = f%temperature + (s%leaf_temperature - f%temperature)*drip_capacity/f%heat_capacity
    end if
    f%rain = through_rain + drip_rain
    f%snow = through_snow + drip_snow
    f%intercepted = rain + snow - f%rain - f%snow
    f%canopy_phase_heat = latent_heat_fusion*(snow - f%snow)
    if (forcing%ground_irrigation > 0.0_wp) then
      f%temperature = mixed(f%heat_capacity, f%temperature, capacity(forcing%ground_irrigation, 0.0_wp), irrigation_temperature)
      f%heat_capacity = f%heat_capacity + capacity(forcing%ground_irrigation, 0.0_wp)
      f%rain = f%rain + forcing%ground_irrigation
    end if

    f%melt_heat = 0.0_wp
    if (p%ground == open_water .and. s%ice(n_snow + 1) <= 0.0_wp .and. s%snow_layers == 0) then
      f%melt_heat = latent_heat_fusion*f%snow
      f%rain = f%rain + f%snow
      f%snow = 0.0_wp
      f%heat_capacity = heat_capacity_water*f%rain
    end if
  end subroutine receive_precipitation

  !> Temperature of two waters together [K].
  pure real(wp) function mixed(capacity_1, temperature_1, capacity_2, temperature_2)
    real(wp), intent(in) :: capacity_1     !< of the first [W m-2 K-1]
    real(wp), intent(in) :: temperature_1  !< of the first [K]
    real(wp), intent(in) :: capacity_2     !< of the second, above 0 [W m-2 K-1]
    real(wp), intent(in) :: temperature_2  !< of the second [K]
    mixed = temperature_1 + (temperature_2 - temperature_1)*capacity_2/(capacity_1 + capacity_2)
  end function mixed

  !> Heat capacity of falling water [W m-2 K-1].
  pure real(wp) function capacity(rain, snow)
    real(wp), intent(in) :: rain  !< [kg m-2 s-1]
    real(wp), intent(in) :: snow  !< [kg m-2 s-1]
    capacity = heat_capacity_water*rain + heat_capacity_ice*snow
  end function capacity
end module colm_throughfall
