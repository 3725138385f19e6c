!> Phase and temperature of precipitation, and its interception by the canopy.
!>
!> Equations (25) to (27) of docs/theory.md.
module colm_precipitation
  use colm_constants, only: wp, freezing_point, latent_heat_vaporisation, heat_capacity_air, canopy_storage_per_area
  use colm_humidity, only: saturation
  use colm_two_stream, only: leaf_projection
  implicit none
  private
  public :: precipitation_phase, rain_temperature, intercept

  real(wp), parameter :: convective = 1.0_wp/3.0_wp   !< share of convective precipitation [-]
  real(wp), parameter :: large_scale = 2.0_wp/3.0_wp  !< share of large-scale precipitation [-]
  ! Area distribution of rain within a cell, share(x) = a exp(-b x) + c (Sellers et al. 1996).
  real(wp), parameter :: b = 20.0_wp                                       !< [-]
  real(wp), parameter :: a = 20.0_wp*convective + 0.206e-8_wp*large_scale  !< [-]
  real(wp), parameter :: c = 0.0001_wp*convective + 0.9999_wp*large_scale  !< [-]
  ! Lawrence et al. (2007)
  real(wp), parameter :: largest_intercepted_share = 0.25_wp  !< [-]

contains

  !> Split precipitation into rain and snow [kg m-2 s-1] and give its temperature [K].
  pure subroutine precipitation_phase(precipitation, temperature, pressure, humidity, published, &
    rain, snow, precipitation_temperature)
    real(wp), intent(in) :: precipitation               !< [kg m-2 s-1]
    real(wp), intent(in) :: temperature                 !< [K]
    real(wp), intent(in) :: pressure                    !< of the air [Pa]
    real(wp), intent(in) :: humidity                    !< specific humidity of the air [kg kg-1]
    logical, intent(in) :: published                    !< numerics of the published library
    real(wp), intent(out) :: rain                       !< [kg m-2 s-1]
    real(wp), intent(out) :: snow                       !< [kg m-2 s-1]
    real(wp), intent(out) :: precipitation_temperature  !< [K]
    real(wp) :: share, t

    share = min(1.0_wp, max(0.0_wp, (temperature - freezing_point)/2.0_wp))
    rain = precipitation*share
    snow = precipitation - rain
    precipitation_temperature = temperature
    if (precipitation <= 0.0_wp) return  ! its temperature is not used

    t = wet_bulb(temperature, pressure, humidity, published)
    if (temperature > freezing_point + 2.49_wp) then
      t = max(freezing_point, t)
    else if (share > 0.0_wp) then
      t = freezing_point - sqrt(1.0_wp/share - 1.0_wp)/100.0_wp
    else
      t = min(freezing_point, t)
    end if
    precipitation_temperature = t
  end subroutine precipitation_phase

  !> Temperature of water that falls as rain whatever the air is like [K]: the wet-bulb temperature, not below freezing.
  pure real(wp) function rain_temperature(temperature, pressure, humidity, published)
    real(wp), intent(in) :: temperature  !< of the air [K]
    real(wp), intent(in) :: pressure     !< of the air [Pa]
    real(wp), intent(in) :: humidity     !< specific humidity of the air [kg kg-1]
    logical, intent(in) :: published     !< numerics of the published library
    rain_temperature = max(freezing_point, wet_bulb(temperature, pressure, humidity, published))
  end function rain_temperature

  !> Wet-bulb temperature [K] from the psychrometer equation in mixing ratios.
  !>
  !> The published library takes six damped fixed-point steps, which diverge in warm air: above about 299 K its rain
  !> is too warm, by 1 K at 302 K.
  pure real(wp) function wet_bulb(temperature, pressure, humidity, published) result(t)
    real(wp), intent(in) :: temperature                                               !< [K]
    real(wp), intent(in) :: pressure                                                  !< of the air [Pa]
    real(wp), intent(in) :: humidity                                                  !< specific humidity of the air [kg kg-1]
    logical, intent(in) :: published                                                  !< numerics of the published library
    real(wp), parameter :: psychrometer = latent_heat_vaporisation/heat_capacity_air  !< [K]
    integer, parameter :: published_steps = 6, newton_steps = 10
    real(wp) :: e, e_slope, q, q_slope, mixing, mixing_slope, difference, step
    integer :: i

    mixing = humidity/(1.0_wp - humidity)
    t = temperature
    do i = 1, merge(published_steps, newton_steps, published)
      call saturation(t, pressure, e, e_slope, q, q_slope)
      difference = temperature - t - psychrometer*(0.622_wp*e/(pressure - e) - mixing)
      if (published) then
        t = t + 0.5_wp*difference
      else
        mixing_slope = 0.622_wp*pressure*e_slope/(pressure - e)**2
        step = difference/(1.0_wp + psychrometer*mixing_slope)
        t = t + step
        if (abs(step) < 1.0e-3_wp) exit
      end if
    end do
  end function wet_bulb

  !> Interception with a sub-grid distribution of rain; updates the canopy store, hands out throughfall and what drips
  !> from earlier storage [kg m-2 s-1].
  pure subroutine intercept(leaf_angle, area, leaf_temperature, rain, snow, time_step, canopy_water, through_rain, &
    through_snow, drip_rain, drip_snow)
    real(wp), intent(in) :: leaf_angle        !< departure from a spherical distribution [-]
    real(wp), intent(in) :: area              !< of leaves and stems [m2 m-2]
    real(wp), intent(in) :: leaf_temperature  !< [K]
    real(wp), intent(in) :: rain              !< [kg m-2 s-1]
    real(wp), intent(in) :: snow              !< [kg m-2 s-1]
    real(wp), intent(in) :: time_step         !< length of the step [s]
    real(wp), intent(inout) :: canopy_water   !< [kg m-2]
    real(wp), intent(out) :: through_rain     !< rain past the leaves [kg m-2 s-1]
    real(wp), intent(out) :: through_snow     !< snow past the leaves [kg m-2 s-1]
    real(wp), intent(out) :: drip_rain        !< liquid that drips from earlier storage [kg m-2 s-1]
    real(wp), intent(out) :: drip_snow        !< snow that falls from earlier storage [kg m-2 s-1]
    real(wp) :: capacity, excess, phi(2), share, fall, rain_on_leaves, x, arg, overflow, room

    capacity = canopy_storage_per_area*area
    excess = max(0.0_wp, canopy_water - capacity)
    canopy_water = canopy_water - excess
    through_rain = 0.0_wp
    through_snow = 0.0_wp
    fall = (rain + snow)*time_step
    if (fall > 0.0_wp) then
      phi = leaf_projection(leaf_angle)
      share = largest_intercepted_share*(1.0_wp - exp(-(phi(1) + phi(2))*area))
      room = capacity - canopy_water
      arg = room/(fall*share*a) - c/a
      if (arg > 0.0_wp) then
        x = min(1.0_wp, max(0.0_wp, -log(arg)/b))
      else
        x = 1.0_wp
      end if
      rain_on_leaves = rain*time_step*share
      overflow = max(0.0_wp, rain_on_leaves*(a/b*(1.0_wp - exp(-b*x)) + c*x) - room*x)
      through_rain = rain*(1.0_wp - share) + overflow/time_step
      through_snow = snow*(1.0_wp - share)
      canopy_water = canopy_water + (rain + snow - through_rain - through_snow)*time_step
    end if
    drip_rain = merge(excess/time_step, 0.0_wp, leaf_temperature > freezing_point)
    drip_snow = excess/time_step - drip_rain
  end subroutine intercept
end module colm_precipitation
