!> Soil water as the fluxes see it: set from outside in every step, limiting roots and evaporation.
!>
!> Equations (35) to (38) of docs/theory.md.
module colm_soil_water
  use colm_constants, only: wp, lanes, freezing_point, density_water, latent_heat_fusion, heat_capacity_water, heat_capacity_ice, &
    vapour_gas_constant_over_gravity, no_evaporation_factor, cosine_evaporation_factor, stress_by_head, &
    stress_by_saturation
  use colm_types, only: n_snow, column_parameters, column_state, step_options
  use vector_math, only: exponential
  use colm_humidity, only: saturate
  use colm_layer_heat, only: water_capacity
  implicit none
  private
  public :: ground_vapour, root_supply, reset_soil_water, root_stress, limit_roots, take_up, uptake_of_layer, evaporation_factor, &
    ground_humidity, follow_air, vapour_exchange

  !> Specific humidity of air in contact with the ground [kg kg-1], and slopes to ground temperature [K-1].
  type :: ground_vapour
    real(wp) :: humidity(lanes)         !< in balance with the soil's water [kg kg-1]
    real(wp) :: slope(lanes)            !< its slope [kg kg-1 K-1]
    real(wp) :: saturated(lanes)        !< at saturation [kg kg-1]
    real(wp) :: saturated_slope(lanes)  !< its slope [kg kg-1 K-1]
  end type ground_vapour

  !> What the roots can bring to the leaves.
  type :: root_supply
    real(wp), pointer, contiguous :: share(:, :)  !< of each layer in a demand that all can meet (lanes, layers) [-]
    real(wp), pointer, contiguous :: limit(:, :)  !< that each layer can give (lanes, layers) [kg m-2 s-1]
    real(wp) :: unlimited(lanes) = huge(1.0_wp)   !< demand that all layers can meet [kg m-2 s-1]
  end type root_supply

  real(wp), parameter :: least_stress = 1.0e-10_wp  !< [-]

contains

  !> Liquid water from the given saturation. Where frozen water is conserved, ice is part of the water that saturation
  !> stands for; ice beyond it melts with heat of its layer. Otherwise ice comes on top, as in the published coupling.
  pure subroutine reset_soil_water(p, conserve, water_saturation, s, brought_heat)
    type(column_parameters), intent(in) :: p     !< constants of the column
    logical, intent(in) :: conserve              !< ice is part of the water that saturation stands for
    real(wp), intent(in) :: water_saturation(:)  !< saturation of the layers [-]
    type(column_state), intent(inout) :: s       !< state of the column
    real(wp), intent(out) :: brought_heat        !< of water that came or went at the temperature of its layer [J m-2]
    real(wp) :: water, excess, capacity
    integer :: j, k

    brought_heat = 0.0_wp
    do k = 1, size(p%thickness)
      j = n_snow + k
      water = water_saturation(k)*p%porosity(k)*p%thickness(k)*density_water
      if (conserve) then
        excess = max(0.0_wp, s%ice(j) - water)
        if (excess > 0.0_wp) then
          capacity = p%heat_capacity_solids(k)*p%thickness(k) + water_capacity(s%liquid(j), s%ice(j))
          s%liquid(j) = s%liquid(j) + excess
          s%ice(j) = s%ice(j) - excess
          s%temperature(j) = freezing_point + (capacity*(s%temperature(j) - freezing_point) - latent_heat_fusion*excess) &
            /(capacity + (heat_capacity_water - heat_capacity_ice)*excess)
        end if
        water = max(0.0_wp, water - s%ice(j))
      end if
      brought_heat = brought_heat + heat_capacity_water*(water - s%liquid(j))*(s%temperature(j) - freezing_point)
      s%liquid(j) = water
    end do
  end subroutine reset_soil_water

  !> Water available to the roots, 0..1, and each layer's share of the uptake.
  pure subroutine root_stress(p, s, o, head, stress, share)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(in) :: s       !< state of the column
    type(step_options), intent(in) :: o       !< choices and clock of the step
    real(wp), intent(in) :: head(:)           !< pressure head of the layers [m]
    real(wp), intent(out) :: stress           !< water available to the roots, 0 none to 1 unstressed [-]
    real(wp), intent(out) :: share(:)         !< of the layers in the uptake [-]
    real(wp) :: available, theta
    integer :: j, k, tested

    do k = 1, size(p%thickness)
      j = n_snow + k
      ! the published library looks for frost k layers down from the top of the snow
      tested = merge(j, j - s%snow_layers, o%conserve_frozen_water)
      available = 0.0_wp
      if (s%temperature(tested) > freezing_point) then
        select case (o%water_stress_type)
        case (stress_by_head)
          available = (o%wilting_point - head(k))/(o%wilting_point - o%field_capacity)
        case (stress_by_saturation)
          theta = s%liquid(j)/(p%thickness(k)*density_water)
          available = (theta - o%wilting_point*p%porosity(k))/((o%field_capacity - o%wilting_point)*p%porosity(k))
        case default
          available = 1.0_wp
        end select
      end if
      share(k) = p%root_fraction(k)*min(1.0_wp, max(0.0_wp, available))
    end do
    stress = sum(share) + least_stress
    if (.not. o%conserve_frozen_water) then
      share = share/stress
    else if (sum(share) > 0.0_wp) then
      share = share/sum(share)
    else
      share = p%root_fraction                      ! of the traces that least_stress leaves
    end if
  end subroutine root_stress

  !> Find the demand that all layers can meet.
  pure subroutine limit_roots(roots)
    type(root_supply), intent(inout) :: roots  !< what the roots can bring
    real(wp) :: of_layer(lanes)
    integer :: k
    roots%unlimited = huge(1.0_wp)
    do k = 1, size(roots%limit, 2)
      of_layer = roots%limit(:, k)/max(tiny(1.0_wp), roots%share(:, k))
      roots%unlimited = merge(min(roots%unlimited, of_layer), roots%unlimited, roots%share(:, k) > 0.0_wp)
    end do
  end subroutine limit_roots

  !> Water that the roots take up for a demand of the leaves: each layer gives its share, up to its limit.
  pure subroutine take_up(roots, demand, total, slope)
    type(root_supply), intent(in) :: roots  !< what the roots can bring
    real(wp), intent(in) :: demand(lanes)   !< transpiration that the air asks for [kg m-2 s-1]
    real(wp), intent(out) :: total(lanes)   !< water taken up [kg m-2 s-1]
    real(wp), intent(out) :: slope(lanes)   !< of the total to the demand [-]
    real(wp), dimension(lanes) :: limited, limited_slope
    integer :: k

    total = demand
    slope = 1.0_wp
    if (.not. any(demand > roots%unlimited)) return
    limited = 0.0_wp
    limited_slope = 0.0_wp
    do k = 1, size(roots%share, 2)
      limited = limited + min(demand*roots%share(:, k), roots%limit(:, k))
      limited_slope = limited_slope + merge(roots%share(:, k), 0.0_wp, demand*roots%share(:, k) < roots%limit(:, k))
    end do
    total = merge(limited, total, demand > roots%unlimited)
    slope = merge(limited_slope, slope, demand > roots%unlimited)
  end subroutine take_up

  !> What one layer of one column gives for a demand of the leaves [kg m-2 s-1].
  pure real(wp) function uptake_of_layer(roots, demand, l, k) result(uptake)
    type(root_supply), intent(in) :: roots  !< what the roots can bring
    real(wp), intent(in) :: demand          !< transpiration that the air asks for [kg m-2 s-1]
    integer, intent(in) :: l                !< lane of the column
    integer, intent(in) :: k                !< soil layer
    ! not max, whose zero may have either sign
    uptake = merge(demand, 0.0_wp, demand > 0.0_wp)*roots%share(l, k)
    if (demand > roots%unlimited(l)) uptake = min(uptake, roots%limit(l, k))
  end function uptake_of_layer

  !> Factor on the vapour conductance between the top layer and the air, 0..1; snow evaporates freely.
  pure real(wp) function evaporation_factor(p, s, o) result(beta)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(in) :: s       !< state of the column
    type(step_options), intent(in) :: o       !< choices and clock of the step
    real(wp) :: theta, residual

    beta = 1.0_wp
    if (o%evaporation_factor_type == no_evaporation_factor .or. (o%first_step .and. o%published_numerics)) return
    theta = s%liquid(n_snow + 1)/(p%thickness(1)*density_water)
    residual = o%residual_saturation*p%porosity(1)
    beta = (theta - residual)/(p%porosity(1) - residual)
    beta = min(1.0_wp, max(0.0_wp, beta))
    if (o%evaporation_factor_type == cosine_evaporation_factor) beta = 0.5_wp*(1.0_wp - cos(3.141_wp*beta))
    beta = (1.0_wp - s%snow_fraction)*beta + s%snow_fraction
  end function evaporation_factor

  !> Specific humidity at the ground surface, of the soil and at saturation, with slopes to ground temperature.
  pure subroutine ground_humidity(temperature, pressure, head, snow_fraction, h)
    real(wp), intent(in) :: temperature(lanes)    !< of the ground [K]
    real(wp), intent(in) :: pressure(lanes)       !< of the air [Pa]
    real(wp), intent(in) :: head(lanes)           !< pressure head of the top layer [m]
    real(wp), intent(in) :: snow_fraction(lanes)  !< share of the ground under snow [-]
    type(ground_vapour), intent(out) :: h         !< humidity of air in contact with the ground
    real(wp), dimension(lanes) :: e, moisture

    call saturate(temperature, pressure, e, h%saturated, h%saturated_slope)
    moisture = exponential(min(0.0_wp, 1000.0_wp*head)/(vapour_gas_constant_over_gravity*temperature))
    moisture = (1.0_wp - snow_fraction)*moisture + snow_fraction
    h%humidity = h%saturated*moisture
    h%slope = h%saturated_slope*moisture
  end subroutine ground_humidity

  !> The same as the published library has it: ground that is drier than the air above the canopy takes on its humidity,
  !> and dew falls towards the humidity of the soil.
  pure subroutine follow_air(air_humidity, h)
    real(wp), intent(in) :: air_humidity(lanes)  !< specific humidity of the air [kg kg-1]
    type(ground_vapour), intent(inout) :: h      !< humidity of air in contact with the ground
    logical :: follows(lanes)
    follows = h%saturated > air_humidity .and. air_humidity > h%humidity
    h%humidity = merge(air_humidity, h%humidity, follows)
    h%slope = merge(0.0_wp, h%slope, follows)
    h%saturated = h%humidity
    h%saturated_slope = h%slope
  end subroutine follow_air

  !> What the ground exchanges with air of a given humidity: it evaporates into drier air, hindered by the factor, and
  !> takes dew from air above saturation; in between nothing happens.
  pure subroutine vapour_exchange(h, air_humidity, factor, humidity, slope, hindrance)
    type(ground_vapour), intent(in) :: h         !< humidity of air in contact with the ground
    real(wp), intent(in) :: air_humidity(lanes)  !< specific humidity of the air [kg kg-1]
    real(wp), intent(in) :: factor(lanes)        !< evaporation factor [-]
    real(wp), intent(out) :: humidity(lanes)     !< specific humidity that the ground shows the air [kg kg-1]
    real(wp), intent(out) :: slope(lanes)        !< its slope to ground temperature [kg kg-1 K-1]
    real(wp), intent(out) :: hindrance(lanes)    !< factor on the conductance [-]
    real(wp) :: dew(lanes)
    dew = merge(1.0_wp, 0.0_wp, air_humidity > h%saturated)
    hindrance = merge(factor, dew, h%humidity >= air_humidity)
    humidity = merge(h%humidity, h%saturated, h%humidity >= air_humidity .or. air_humidity <= h%saturated)
    slope = merge(h%slope, h%saturated_slope, h%humidity >= air_humidity .or. air_humidity <= h%saturated)
  end subroutine vapour_exchange
end module colm_soil_water
