!> Snow that reaches the ground: its density, and the layer or bulk that it joins.
!>
!> Equation (53) of docs/theory.md.
module colm_snowfall
  use colm_constants, only: wp, freezing_point
  use colm_types, only: n_snow, column_state
  implicit none
  private
  public :: new_snow_density, add_snow

  real(wp), parameter, public :: first_layer_depth = 0.01_wp   ! m, shallower snow has no layers of its own

contains

  !> Density of new snow [kg m-3] (van Kampenhout et al. 2017).
  pure real(wp) function new_snow_density(temperature, wind) result(density)
    real(wp), intent(in) :: temperature  !< of the air [K]
    real(wp), intent(in) :: wind         !< [m s-1]
    real(wp) :: celsius
    celsius = max(-57.55_wp, temperature - freezing_point)
    if (celsius > 2.0_wp) then
      density = 50.0_wp + 1.7_wp*17.0_wp**1.5_wp
    else if (celsius > -15.0_wp) then
      density = 50.0_wp + 1.7_wp*(celsius + 15.0_wp)**1.5_wp
    else
      density = -(50.0_wp/15.0_wp + 0.4995_wp)*celsius - 0.0333_wp*celsius**2
    end if
    if (wind > 0.1_wp) density = density + 266.861_wp*(0.5_wp*(1.0_wp + tanh(wind/5.0_wp)))**8.8_wp
  end function new_snow_density

  !> Snow takes on the temperature of the layer it joins; the heat for that is part of the surface energy balance.
  pure subroutine add_snow(amount, density, temperature, conserve, s)
    real(wp), intent(in) :: amount          !< new snow [kg m-2]
    real(wp), intent(in) :: density         !< of the new snow [kg m-3]
    real(wp), intent(in) :: temperature     !< of the new snow [K]
    logical, intent(in) :: conserve         !< water keeps its mass and heat
    type(column_state), intent(inout) :: s  !< state of the column
    real(wp) :: bulk
    integer :: top

    bulk = s%snow_water
    s%snow_water = s%snow_water + amount
    s%snow_depth = s%snow_depth + amount/density
    top = n_snow + 1 - s%snow_layers
    if (s%snow_layers > 0) then
      s%snow_fraction = 1.0_wp - (1.0_wp - tanh(0.1_wp*amount))*(1.0_wp - s%snow_fraction)
      s%ice(top) = s%ice(top) + amount
      s%snow_thickness(top) = s%snow_thickness(top) + amount/density
    else if (s%snow_depth >= first_layer_depth) then
      s%snow_layers = 1
      s%snow_age = 0.0_wp
      s%snow_thickness(n_snow) = s%snow_depth
      s%ice(n_snow) = s%snow_water
      s%liquid(n_snow) = 0.0_wp
      s%temperature(n_snow) = min(freezing_point, temperature)
      ! snow that lay there already has had the temperature of the soil
      if (conserve .and. bulk > 0.0_wp) s%temperature(n_snow) = min(freezing_point, s%temperature(n_snow + 1))
    end if
  end subroutine add_snow
end module colm_snowfall
