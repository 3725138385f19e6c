!> Heat capacity and conductivity of soil and snow layers.
!>
!> Equations (49) and (50) of docs/theory.md.
module colm_soil_thermal
  use colm_constants, only: wp, lanes, freezing_point, density_water, density_ice, heat_capacity_water, &
    heat_capacity_ice, land_ice, open_water
  use colm_types, only: n_snow, column_parameters, column_state
  use colm_layer_heat, only: water_capacity
  use vector_math, only: exponential, logarithm
  implicit none
  private
  public :: thermal_properties

  ! Jordan (1991); water as in the Common Land Model (Dai et al. 2003)
  real(wp), parameter :: conductivity_air = 0.023_wp   !< [W m-1 K-1]
  real(wp), parameter :: conductivity_ice = 2.290_wp   !< [W m-1 K-1]
  real(wp), parameter :: conductivity_water = 0.57_wp  !< [W m-1 K-1]

contains

  !> Thickness [m], heat capacity [J m-2 K-1] and conductivity [W m-1 K-1] of the layers of a block of columns. Layers of
  !> snow that a column does not have keep their values.
  pure subroutine thermal_properties(p, s, thickness, capacity, conductivity)
    type(column_parameters), intent(in) :: p(lanes)  !< constants of the columns
    type(column_state), intent(in) :: s(lanes)       !< states of the columns
    real(wp), intent(inout) :: thickness(:, :)       !< of the layers (lanes, layers) [m]
    real(wp), intent(inout) :: capacity(:, :)        !< heat capacity of the layers (lanes, layers) [J m-2 K-1]
    real(wp), intent(inout) :: conductivity(:, :)    !< thermal conductivity of the layers (lanes, layers) [W m-1 K-1]
    real(wp), dimension(lanes) :: liquid, ice, temperature, porosity, solids, dry, saturated, frozen, ice_share
    real(wp), dimension(lanes) :: exponent_wet, exponent_shape, exponent_frozen, beta
    logical :: body(lanes)
    integer :: j, k, l

    do l = 1, lanes
      do j = n_snow + 1 - s(l)%snow_layers, n_snow
        thickness(l, j) = s(l)%snow_thickness(j)
        capacity(l, j) = water_capacity(s(l)%liquid(j), s(l)%ice(j))
        conductivity(l, j) = snow_conductivity((s(l)%ice(j) + s(l)%liquid(j))/s(l)%snow_thickness(j))
      end do
    end do
    body = p%ground == land_ice .or. p%ground == open_water
    do k = 1, size(p(1)%thickness)
      j = n_snow + k
      do l = 1, lanes
        thickness(l, j) = p(l)%thickness(k)
        liquid(l) = s(l)%liquid(j)
        ice(l) = s(l)%ice(j)
        temperature(l) = s(l)%temperature(j)
        porosity(l) = p(l)%porosity(k)
        solids(l) = p(l)%heat_capacity_solids(k)
        dry(l) = p(l)%conductivity_dry(k)
        saturated(l) = p(l)%conductivity_saturated(k)
        frozen(l) = p(l)%conductivity_saturated_frozen(k)
        exponent_wet(l) = p(l)%kersten_exponent_wet(k)
        exponent_shape(l) = p(l)%kersten_exponent_shape(k)
        exponent_frozen(l) = p(l)%kersten_exponent_frozen(k)
        beta(l) = p(l)%kersten_beta(k)
      end do
      capacity(:, j) = solids*thickness(:, j) + (heat_capacity_water*liquid + heat_capacity_ice*ice)
      conductivity(:, j) = soil_conductivity(min(1.0_wp, (liquid/density_water + ice/density_ice)/(thickness(:, j)*porosity)))
      if (.not. any(body)) cycle
      ice_share = ice/merge(ice + liquid, 1.0_wp, body)
      capacity(:, j) = merge(heat_capacity_water*liquid + heat_capacity_ice*ice, capacity(:, j), body)
      conductivity(:, j) = merge(ice_share*conductivity_ice + (1.0_wp - ice_share)*conductivity_water, conductivity(:, j), body)
    end do
    ! bulk snow without layers belongs to the first soil layer
    do l = 1, lanes
      if (s(l)%snow_layers == 0) capacity(l, n_snow + 1) = capacity(l, n_snow + 1) + heat_capacity_ice*s(l)%snow_water
    end do

  contains

    !> Balland and Arp (2005): conductivity of the layer [W m-1 K-1].
    pure function soil_conductivity(saturation) result(y)
      real(wp), intent(in) :: saturation(lanes)   !< of the pores, with liquid and ice [-]
      real(wp) :: y(lanes)
      real(wp), dimension(lanes) :: wet, shape, exponent, kersten
      wet = logarithm(max(tiny(1.0_wp), saturation))
      exponent = exponent_frozen*wet
      if (any(temperature > freezing_point)) then
        shape = (1.0_wp/(1.0_wp + exponential(-beta*saturation)))**3 - (0.5_wp*(1.0_wp - saturation))**3
        shape = logarithm(max(tiny(1.0_wp), shape))
        exponent = merge(exponent_wet*wet + exponent_shape*shape, exponent, temperature > freezing_point)
      end if
      kersten = merge(min(1.0_wp, exponential(exponent)), 0.0_wp, saturation > 0.0_wp)
      y = dry + (merge(saturated, frozen, temperature > freezing_point) - dry)*kersten
    end function soil_conductivity
  end subroutine thermal_properties

  !> Jordan (1991).
  pure real(wp) function snow_conductivity(density)
    real(wp), intent(in) :: density  !< of the snow [kg m-3]
    snow_conductivity = conductivity_air &
      + (7.75e-5_wp*density + 1.105e-6_wp*density**2)*(conductivity_ice - conductivity_air)
  end function snow_conductivity
end module colm_soil_thermal
