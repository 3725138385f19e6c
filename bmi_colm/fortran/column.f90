!> One step of one column.
module colm_column
  use colm_constants, only: wp, n_snow, n_soil, n_layer, visible, freezing_point, density_water, heat_capacity_water, &
    heat_capacity_air, latent_heat_vaporisation, latent_heat_sublimation, stefan_boltzmann, gas_constant_dry_air, &
    roughness_soil, roughness_snow, minimum_wind
  use colm_types, only: model_options, column_parameters, column_state, column_forcing, column_fluxes
  use colm_humidity, only: vapour_pressure
  use colm_solar, only: cosine_of_zenith, split_shortwave
  use colm_two_stream, only: radiative_properties, longwave_gap
  use colm_precipitation, only: precipitation_phase, intercept
  use colm_similarity, only: air_column, bare_ground_exchange
  use colm_canopy_air, only: canopy_geometry, describe_canopy
  use colm_leaf_temperature, only: leaf_surroundings, leaf_fluxes, solve_leaf
  use colm_ground_temperature, only: advance_ground_temperature
  use colm_soil_water, only: reset_soil_water, root_stress, evaporation_factor, ground_humidity
  use colm_phenology, only: update_leaf_area, update_snow_cover
  implicit none
  private
  public :: advance_column

  integer, parameter, public :: ok = 0, snowfall_not_supported = 1, snow_layer_not_supported = 2, not_finite = 3

  real(wp), parameter :: emissivity_soil = 0.96_wp, emissivity_snow = 0.97_wp
  real(wp), parameter :: first_layer_depth = 0.01_wp                 ! m, deeper snow has layers of its own
  real(wp), parameter :: dry_adiabatic_lapse = 0.0098_wp             ! K m-1
  real(wp), parameter :: coldest = 180.0_wp, warmest = 326.0_wp      ! K, of air

contains

  !> Advance one column by one step. Forcing acts over the step; water_saturation and head hold at its start.
  pure subroutine advance_column(o, p, forcing, head, water_saturation, s, out, status)
    type(model_options), intent(in) :: o
    type(column_parameters), intent(in) :: p
    type(column_forcing), intent(in) :: forcing
    real(wp), intent(in) :: head(n_soil), water_saturation(n_soil)
    type(column_state), intent(inout) :: s
    type(column_fluxes), intent(out) :: out
    integer, intent(out) :: status
    type(air_column) :: air
    type(canopy_geometry) :: canopy
    type(leaf_surroundings) :: around
    type(leaf_fluxes) :: leaf
    real(wp) :: parts(2, 2), suction(n_soil), share(n_soil)
    real(wp) :: temperature, rain, snow, rain_temperature, through_rain, through_snow, snow_before
    real(wp) :: ground_solar, area, roughness_ground, ground_ustar, latent_heat, t0, change, below
    real(wp) :: ground_sensible, ground_evaporation, hs, hs_slope, excess, evaporated, sublimated, dew, frost
    real(wp) :: bulk_melt, phase_heat, stored_heat, ground_longwave
    integer :: top, k

    status = ok
    top = n_snow + 1 - s%snow_layers
    temperature = min(warmest, max(coldest, forcing%temperature))
    suction = max(head, o%lowest_head)
    out%clamped_heads = count(head < o%lowest_head)

    ! --- water of the soil, air, radiation of the step
    call reset_soil_water(p, o%conserve_frozen_water, water_saturation, s)
    if (o%first_step) call start_cold(o, p, forcing, s)
    call describe_air(o, forcing, temperature, air)
    call split_shortwave(forcing%shortwave, s%cosine_zenith, parts)
    around%sunlit_radiation = sum(s%sunlit_absorption*parts)
    around%shaded_radiation = sum(s%shaded_absorption*parts)
    around%sunlit_light = sum(s%sunlit_absorption(:, visible)*parts(:, visible))
    around%shaded_light = sum(s%shaded_absorption(:, visible)*parts(:, visible))
    out%reflected_shortwave = sum(s%albedo*parts)
    ground_solar = sum(parts) - out%reflected_shortwave - around%sunlit_radiation - around%shaded_radiation

    ! --- precipitation
    snow_before = s%snow_water
    call precipitation_phase(forcing%precipitation, temperature, forcing%pressure, forcing%humidity, &
      o%published_numerics, rain, snow, rain_temperature)
    if (snow > 0.0_wp) then
      status = snowfall_not_supported
      return
    end if
    area = s%leaf_area + s%stem_area*s%exposed_fraction
    call intercept(p%leaf_angle, area, s%leaf_temperature, rain, snow, o%time_step, s%canopy_water, through_rain, through_snow)
    if (through_snow > 0.0_wp) call add_bulk_snow(through_snow*o%time_step, new_snow_density(temperature, air%wind), s)
    if (s%snow_depth >= first_layer_depth) then
      status = snow_layer_not_supported
      return
    end if

    ! --- the ground as a source of vapour, and its exchange if it were bare
    roughness_ground = (1.0_wp - s%snow_fraction)*roughness_soil + s%snow_fraction*roughness_snow
    t0 = s%temperature(top)
    out%evaporation_factor = evaporation_factor(p, s, o)
    call ground_humidity(t0, forcing%pressure, suction(1), s%snow_fraction, forcing%humidity, &
      around%ground_humidity, around%ground_humidity_slope)
    call bare_ground_exchange(air, roughness_ground, t0, around%ground_humidity, ground_ustar, around%ground_obukhov)

    ! --- leaves
    call root_stress(p, s, o, suction, out%root_stress, share)
    around%longwave = forcing%longwave
    around%emissivity = merge(emissivity_snow, emissivity_soil, s%snow_water > 0.0_wp)
    around%ground_temperature = t0
    around%evaporation_factor = out%evaporation_factor
    around%stress = out%root_stress
    around%intercepted = rain + snow - through_rain - through_snow
    around%precipitation_temperature = rain_temperature
    around%carbon_dioxide = o%carbon_dioxide*forcing%pressure
    call describe_canopy(p%canopy_height, area, roughness_ground, p%inverse_root_leaf_size, canopy)
    call solve_leaf(p, s, air, canopy, around, o%time_step, leaf)

    ! --- ground
    latent_heat = latent_heat_vaporisation
    if (s%liquid(top) <= 0.0_wp .and. s%ice(top) > 0.0_wp) latent_heat = latent_heat_sublimation
    below = s%longwave_gap*forcing%longwave + (1.0_wp - s%longwave_gap)*leaf%longwave_emission
    hs = ground_solar + around%emissivity*(below - stefan_boltzmann*t0**4) - leaf%ground_sensible &
      - latent_heat*leaf%ground_evaporation + heat_capacity_water*through_rain*(rain_temperature - t0)
    hs_slope = -(leaf%ground_sensible_slope + latent_heat*leaf%ground_evaporation_slope) &
      - 4.0_wp*around%emissivity*stefan_boltzmann*t0**3 - heat_capacity_water*through_rain
    call advance_ground_temperature(p, s, top, hs, hs_slope, o%time_step, bulk_melt, phase_heat, stored_heat)
    change = s%temperature(top) - t0

    ! --- fluxes at the new ground temperature
    ground_sensible = leaf%ground_sensible + leaf%ground_sensible_slope*change
    ground_evaporation = leaf%ground_evaporation + leaf%ground_evaporation_slope*change
    excess = max(0.0_wp, ground_evaporation - (s%liquid(top) + s%ice(top))/o%time_step)
    ground_evaporation = ground_evaporation - excess
    ground_sensible = ground_sensible + latent_heat*excess
    ground_longwave = around%emissivity*(below - stefan_boltzmann*(t0**4 + 4.0_wp*t0**3*change))
    out%ground_heat = ground_solar + ground_longwave - ground_sensible - latent_heat*ground_evaporation &
      + heat_capacity_water*through_rain*(rain_temperature - s%temperature(top))
    call partition_ground_evaporation(ground_evaporation, s%temperature(top), s%liquid(top)/o%time_step, &
      evaporated, sublimated, dew, frost)
    s%ice(top) = max(0.0_wp, s%ice(top) + (frost - sublimated)*o%time_step)

    out%sensible_heat = leaf%sensible + ground_sensible
    out%latent_heat = latent_heat_vaporisation*leaf%evaporation + latent_heat*ground_evaporation
    out%evapotranspiration = leaf%evaporation + ground_evaporation
    out%ground_evaporation = ground_evaporation
    out%canopy_evaporation = leaf%evaporation
    out%liquid_evaporation = evaporated
    out%transpiration = leaf%transpiration
    out%precipitation_heat = leaf%precipitation_heat &
      + heat_capacity_water*through_rain*(rain_temperature - s%temperature(top))
    out%outgoing_longwave = (1.0_wp - s%longwave_gap)*leaf%longwave_emission + s%longwave_gap &
      *((1.0_wp - around%emissivity)*below + around%emissivity*stefan_boltzmann*t0**4) &
      + 4.0_wp*around%emissivity*stefan_boltzmann*t0**3*change
    out%radiative_temperature = (out%outgoing_longwave/stefan_boltzmann)**0.25_wp
    out%ground_temperature = s%temperature(top)
    out%energy_residual = sum(parts) - out%reflected_shortwave + forcing%longwave - out%outgoing_longwave &
      - out%sensible_heat - out%latent_heat + out%precipitation_heat - phase_heat - stored_heat

    ! --- water for the soil
    out%infiltration = through_rain + bulk_melt - evaporated + dew
    do k = 1, n_soil
      out%source(k) = -max(0.0_wp, leaf%transpiration)*share(k)
    end do
    out%source(1) = out%source(1) + out%infiltration
    out%source = out%source*3.6_wp/p%thickness

    ! --- vegetation, snow cover and radiation for the coming step
    call update_snow_cover(s)
    if (o%first_step .or. o%update_phenology) call update_leaf_area(p, forcing, s)
    call radiative_properties(p, s, cosine_of_zenith(o%calendar_day_end, p%latitude, p%longitude), &
      s%liquid(n_snow + 1)/(density_water*p%thickness(1)), s%snow_water - snow_before, o%time_step)
    if (.not. (abs(out%energy_residual) < huge(1.0_wp))) status = not_finite
  end subroutine advance_column

  !> Vegetation and radiation for the very first step.
  pure subroutine start_cold(o, p, f, s)
    type(model_options), intent(in) :: o
    type(column_parameters), intent(in) :: p
    type(column_forcing), intent(in) :: f
    type(column_state), intent(inout) :: s
    s%roughness_length = p%initial_roughness_ratio*p%canopy_height
    call update_snow_cover(s)
    call update_leaf_area(p, f, s)
    s%longwave_gap = longwave_gap(p%leaf_angle, s%leaf_area + s%stem_area*s%exposed_fraction)
    call radiative_properties(p, s, cosine_of_zenith(o%calendar_day, p%latitude, p%longitude), &
      s%liquid(n_snow + 1)/(density_water*p%thickness(1)), 0.0_wp, o%time_step)
  end subroutine start_cold

  pure subroutine describe_air(o, f, temperature, air)
    type(model_options), intent(in) :: o
    type(column_forcing), intent(in) :: f
    real(wp), intent(in) :: temperature
    type(air_column), intent(out) :: air
    air%height_wind = o%height_wind
    air%height_temperature = o%height_temperature
    air%height_humidity = o%height_humidity
    air%wind = max(minimum_wind, sqrt(f%wind_x**2 + f%wind_y**2))
    air%temperature = temperature + dry_adiabatic_lapse*o%height_temperature
    air%potential_temperature = temperature*(1.0e5_wp/f%pressure)**(gas_constant_dry_air/heat_capacity_air)
    air%virtual_potential_temperature = air%potential_temperature*(1.0_wp + 0.61_wp*f%humidity)
    air%humidity = f%humidity
    air%pressure = f%pressure
    air%density = (f%pressure - 0.378_wp*vapour_pressure(f%humidity, f%pressure))/(gas_constant_dry_air*temperature)
  end subroutine describe_air

  !> Evaporation takes liquid water first; the remainder is sublimation. Condensation is dew, or frost below freezing.
  pure subroutine partition_ground_evaporation(flux, temperature, liquid, evaporated, sublimated, dew, frost)
    real(wp), intent(in) :: flux, temperature, liquid
    real(wp), intent(out) :: evaporated, sublimated, dew, frost
    evaporated = 0.0_wp
    sublimated = 0.0_wp
    dew = 0.0_wp
    frost = 0.0_wp
    if (flux >= 0.0_wp) then
      evaporated = min(liquid, flux)
      sublimated = flux - evaporated
    else if (temperature < freezing_point) then
      frost = -flux
    else
      dew = -flux
    end if
  end subroutine partition_ground_evaporation

  !> Snow on the ground without a layer of its own (drip from a frozen canopy).
  pure subroutine add_bulk_snow(amount, density, s)
    real(wp), intent(in) :: amount                 ! kg m-2
    real(wp), intent(in) :: density                ! kg m-3
    type(column_state), intent(inout) :: s
    s%snow_water = s%snow_water + amount
    s%snow_depth = s%snow_depth + amount/density
    s%snow_fraction = 1.0_wp - (1.0_wp - tanh(0.1_wp*amount))*(1.0_wp - s%snow_fraction)
  end subroutine add_bulk_snow

  !> Density of new snow [kg m-3] (van Kampenhout et al. 2017).
  pure real(wp) function new_snow_density(temperature, wind) result(density)
    real(wp), intent(in) :: temperature, wind
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
end module colm_column
