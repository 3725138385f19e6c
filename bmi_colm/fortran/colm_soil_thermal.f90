!> Heat capacity and conductivity of soil and snow layers.
!>
!> Equations (49) and (50) of docs/theory.md.
module colm_soil_thermal
  use colm_constants, only: wp, freezing_point, density_water, density_ice, heat_capacity_ice, land_ice, open_water
  use colm_types, only: n_snow, column_parameters, column_state
  use colm_layer_heat, only: water_capacity
  implicit none
  private
  public :: thermal_properties

  ! Jordan (1991); water as in the Common Land Model (Dai et al. 2003)
  real(wp), parameter :: conductivity_air = 0.023_wp   !< [W m-1 K-1]
  real(wp), parameter :: conductivity_ice = 2.290_wp   !< [W m-1 K-1]
  real(wp), parameter :: conductivity_water = 0.57_wp  !< [W m-1 K-1]

contains

  !> Thickness [m], heat capacity [J m-2 K-1] and conductivity [W m-1 K-1] of the layers from top on.
  pure subroutine thermal_properties(p, s, top, thickness, capacity, conductivity)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(in) :: s       !< state of the column
    integer, intent(in) :: top                !< uppermost layer that exists
    real(wp), intent(out) :: thickness(:)     !< of the layers [m]
    real(wp), intent(out) :: capacity(:)      !< heat capacity of the layers [J m-2 K-1]
    real(wp), intent(out) :: conductivity(:)  !< thermal conductivity of the layers [W m-1 K-1]
    real(wp) :: density, ice_share
    integer :: j, k

    do j = top, n_snow
      thickness(j) = s%snow_thickness(j)
      capacity(j) = water_capacity(s%liquid(j), s%ice(j))
      density = (s%ice(j) + s%liquid(j))/s%snow_thickness(j)
      conductivity(j) = snow_conductivity(density)
    end do
    do k = 1, size(p%thickness)
      j = n_snow + k
      thickness(j) = p%thickness(k)
      if (p%ground == land_ice .or. p%ground == open_water) then
        capacity(j) = water_capacity(s%liquid(j), s%ice(j))
        ice_share = s%ice(j)/(s%ice(j) + s%liquid(j))
        conductivity(j) = ice_share*conductivity_ice + (1.0_wp - ice_share)*conductivity_water
        cycle
      end if
      capacity(j) = p%heat_capacity_solids(k)*p%thickness(k) + water_capacity(s%liquid(j), s%ice(j))
      conductivity(j) = soil_conductivity(p, k, s%temperature(j), &
        s%liquid(j)/(density_water*p%thickness(k)) + s%ice(j)/(density_ice*p%thickness(k)))
    end do
    ! bulk snow without layers belongs to the first soil layer
    if (top > n_snow) capacity(n_snow + 1) = capacity(n_snow + 1) + heat_capacity_ice*s%snow_water
  end subroutine thermal_properties

  !> Jordan (1991).
  pure real(wp) function snow_conductivity(density)
    real(wp), intent(in) :: density  !< of the snow [kg m-3]
    snow_conductivity = conductivity_air &
      + (7.75e-5_wp*density + 1.105e-6_wp*density**2)*(conductivity_ice - conductivity_air)
  end function snow_conductivity

  !> Balland and Arp (2005), water the volume fraction of liquid and ice.
  pure real(wp) function soil_conductivity(p, k, temperature, water) result(conductivity)
    type(column_parameters), intent(in) :: p  !< constants of the column
    integer, intent(in) :: k                  !< soil layer
    real(wp), intent(in) :: temperature       !< [K]
    real(wp), intent(in) :: water             !< volume fraction of liquid and ice [-]
    real(wp) :: s, kersten, saturated

    s = min(1.0_wp, water/p%porosity(k))
    if (s <= 0.0_wp) then
      conductivity = p%conductivity_dry(k)
      return
    end if
    if (temperature > freezing_point) then
      kersten = s**p%kersten_exponent_wet(k) &
        *((1.0_wp/(1.0_wp + exp(-p%kersten_beta(k)*s)))**3 - (0.5_wp*(1.0_wp - s))**3)**p%kersten_exponent_shape(k)
      saturated = p%conductivity_saturated(k)
    else
      kersten = s**p%kersten_exponent_frozen(k)
      saturated = p%conductivity_saturated_frozen(k)
    end if
    conductivity = p%conductivity_dry(k) + (saturated - p%conductivity_dry(k))*min(1.0_wp, max(0.0_wp, kersten))
  end function soil_conductivity
end module colm_soil_thermal
