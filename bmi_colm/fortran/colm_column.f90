!> One step of one column.
!>
!> Equation (59) of docs/theory.md.
module colm_column
  use colm_constants, only: wp, visible, freezing_point, density_water, density_ice, heat_capacity_water, heat_capacity_ice, &
    heat_capacity_air, latent_heat_fusion, latent_heat_vaporisation, latent_heat_sublimation, &
    stefan_boltzmann, gas_constant_dry_air, roughness_soil, roughness_snow, roughness_ice, &
    roughness_water, minimum_wind, dry_adiabatic_lapse, least_canopy_area, wetland, land_ice, &
    open_water
  use colm_types, only: n_snow, step_options, column_parameters, column_state, column_inputs, column_fluxes
  use colm_humidity, only: vapour_pressure
  use colm_solar, only: cosine_of_zenith, split_shortwave
  use colm_two_stream, only: radiative_properties, longwave_gap, lowest_sun
  use colm_throughfall, only: falling_water, receive_precipitation
  use colm_similarity, only: air_column, bare_exchange, bare_ground_exchange
  use colm_canopy_air, only: canopy_geometry, describe_canopy
  use colm_leaf_temperature, only: leaf_surroundings
  use colm_surface_balance, only: surface_limits, surface_fluxes, find_limits, balance_surface
  use colm_soil_water, only: reset_soil_water, root_stress, uptake_of_layer, evaporation_factor, ground_humidity, &
    follow_air
  use colm_layer_heat, only: water_capacity, water_heat
  use colm_snowfall, only: new_snow_density, add_snow
  use colm_snow_water, only: percolate
  use colm_snow_compaction, only: compact_snow
  use colm_snow_layers, only: merge_snow_layers, divide_snow_layers
  use colm_phenology, only: update_leaf_area, update_snow_cover
  implicit none
  private
  public :: advance_column

  integer, parameter, public :: ok = 0, not_finite = 1

  ! empirical, as in the Common Land Model (Dai et al. 2003)
  real(wp), parameter :: emissivity_soil = 0.96_wp  !< [-]
  real(wp), parameter :: emissivity_snow = 0.97_wp  !< also of water and ice [-]
  real(wp), parameter :: least_ice = 1.0e-9_wp      !< [kg m-2]
  real(wp), parameter :: coldest = 180.0_wp         !< of the air [K]
  real(wp), parameter :: warmest = 326.0_wp         !< of the air [K]

contains

  !> Advance one column by one step.
  pure subroutine advance_column(o, p, forcing, s, out)
    type(step_options), intent(in) :: o         !< choices and clock of the step
    type(column_parameters), intent(in) :: p    !< constants of the column
    type(column_inputs), intent(in) :: forcing  !< atmosphere and soil water of the step
    type(column_state), intent(inout) :: s      !< state of the column
    type(column_fluxes), intent(inout) :: out   !< results of the step
    type(air_column) :: air
    type(bare_exchange) :: bare
    type(falling_water) :: fall
    type(canopy_geometry) :: canopy
    type(leaf_surroundings) :: around
    type(surface_limits) :: limits
    type(surface_fluxes) :: surface
    real(wp), dimension(size(p%thickness)), target :: root_share, root_limit
    real(wp) :: parts(2, 2), suction(size(p%thickness)), ice_share(n_snow)
    real(wp) :: temperature, snow_before, water_before, ground_solar, area, roughness_ground, t0, change
    real(wp) :: ground_sensible, ground_evaporation, excess, liquid, evaporated, sublimated, dew, frost
    real(wp) :: ground_longwave, ground_latent
    logical :: conserve, body
    integer :: top, k

    out%status = ok
    body = has_body(p)
    conserve = o%conserve_frozen_water .or. body
    temperature = min(warmest, max(coldest, forcing%air_temperature))
    suction = max(forcing%head, o%lowest_head)
    out%clamped_heads = count(forcing%head < o%lowest_head .and. .not. body)

    ! --- water of the soil, air, radiation of the step
    out%groundwater_heat = 0.0_wp
    if (.not. body) call reset_soil_water(p, conserve, forcing%saturation, s, out%groundwater_heat)
    out%groundwater_heat = out%groundwater_heat/o%time_step
    if (o%first_step) then
      out%groundwater_heat = 0.0_wp                ! the column had no water before
      call start_cold(o, p, forcing, s)
    end if
    water_before = s%canopy_water + s%snow_water
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
    do k = n_snow + 1 - s%snow_layers, n_snow
      ice_share(k) = s%ice(k)/(s%ice(k) + s%liquid(k))
    end do
    area = s%leaf_area + s%stem_area*s%exposed_fraction
    if (area < least_canopy_area) s%longwave_gap = 1.0_wp
    call receive_precipitation(o, p, forcing, temperature, area, s, fall)
    out%interception = fall%intercepted
    out%canopy_phase_heat = fall%canopy_phase_heat
    if (fall%snow > 0.0_wp) then
      k = s%snow_layers
      call add_snow(fall%snow*o%time_step, new_snow_density(temperature, air%wind), fall%temperature, conserve, s)
      if (s%snow_layers > k) ice_share(n_snow) = 1.0_wp
    end if
    out%evaporation_factor = 1.0_wp
    if (.not. body) out%evaporation_factor = evaporation_factor(p, s, o)

    ! --- the ground as a source of vapour, and its exchange if it were bare
    top = n_snow + 1 - s%snow_layers
    t0 = s%temperature(top)
    roughness_ground = (1.0_wp - s%snow_fraction)*bare_roughness(p, s) + s%snow_fraction*roughness_snow
    call ground_humidity(t0, forcing%pressure, merge(0.0_wp, suction(1), body), s%snow_fraction, around%ground)
    if (o%published_numerics) call follow_air(forcing%humidity, around%ground)
    call bare_ground_exchange(air, roughness_ground, t0, around%ground%humidity, bare)

    ! --- leaves and ground
    call root_stress(p, s, o, suction, out%root_stress, root_share)
    root_limit = huge(1.0_wp)
    around%roots%share => root_share
    around%roots%limit => root_limit
    around%ground_obukhov = bare%obukhov
    around%longwave = forcing%longwave
    around%emissivity = merge(emissivity_snow, emissivity_soil, body .or. s%snow_water > 0.0_wp)
    around%ground_temperature = t0
    around%evaporation_factor = out%evaporation_factor
    around%stress = out%root_stress
    around%interception_capacity = fall%interception_capacity
    around%precipitation_temperature = fall%precipitation_temperature
    around%carbon_dioxide = o%carbon_dioxide*forcing%pressure
    if (area >= least_canopy_area) then
      call describe_canopy(p%canopy_height, area, roughness_ground, p%inverse_root_leaf_size, canopy)
    else
      s%leaf_temperature = temperature
      s%roughness_length = roughness_ground
    end if
    if (.not. o%published_numerics) call find_limits(forcing%available_water, body, conserve, o%time_step, s, &
      root_limit, limits)
    call balance_surface(p, air, bare, canopy, area >= least_canopy_area, fall, ground_solar, limits, o%time_step, conserve, &
      around, s, surface)
    change = surface%warming
    ground_sensible = surface%ground_sensible
    ground_evaporation = surface%ground_evaporation

    ! --- water that changes its phase at the surface
    excess = max(0.0_wp, ground_evaporation - (s%liquid(top) + s%ice(top))/o%time_step)
    ground_evaporation = ground_evaporation - excess
    ground_sensible = ground_sensible + surface%latent_heat*excess
    liquid = min(s%liquid(top)/o%time_step, max(0.0_wp, limits%liquid - uptake_of_layer(around%roots, surface%leaf%demand, 1)))
    call partition_ground_evaporation(ground_evaporation, s%temperature(top), liquid, evaporated, sublimated, dew, frost)
    ground_latent = surface%latent_heat*ground_evaporation
    if (conserve) then
      ! what changes its phase takes the heat for it; the sum of both heat fluxes is that of the surface balance
      ground_sensible = ground_sensible + ground_latent
      ground_latent = latent_heat_vaporisation*(evaporated - dew) + latent_heat_sublimation*(sublimated - frost)
      ground_sensible = ground_sensible - ground_latent
    end if
    ground_longwave = around%emissivity*(surface%longwave_below - stefan_boltzmann*(t0**4 + 4.0_wp*t0**3*change))
    out%ground_heat = ground_solar + ground_longwave - ground_sensible - ground_latent &
      + fall%heat_capacity*(fall%temperature - s%temperature(top))

    out%sensible_heat = surface%leaf%sensible + ground_sensible
    out%latent_heat = latent_heat_vaporisation*surface%leaf%evaporation + ground_latent
    out%evapotranspiration = surface%leaf%evaporation + ground_evaporation
    out%ground_evaporation = ground_evaporation
    out%canopy_evaporation = surface%leaf%evaporation
    out%liquid_evaporation = evaporated
    out%transpiration = surface%leaf%transpiration
    out%precipitation_heat = surface%leaf%precipitation_heat + fall%heat_capacity*(fall%temperature - s%temperature(top))
    out%outgoing_longwave = (1.0_wp - s%longwave_gap)*surface%leaf%longwave_emission + s%longwave_gap &
      *((1.0_wp - around%emissivity)*surface%longwave_below + around%emissivity*stefan_boltzmann*t0**4) &
      + 4.0_wp*around%emissivity*stefan_boltzmann*t0**3*change
    ! the linear response of a far too warm ground may take more than there is
    out%radiative_temperature = max(coldest, (max(0.0_wp, out%outgoing_longwave)/stefan_boltzmann)**0.25_wp)
    out%screen_temperature = surface%leaf%screen_temperature
    out%screen_humidity = surface%leaf%screen_humidity
    out%energy_residual = sum(parts) - out%reflected_shortwave + forcing%longwave - out%outgoing_longwave &
      - out%sensible_heat - out%latent_heat + out%precipitation_heat - surface%phase_heat - fall%melt_heat &
      - surface%stored_heat

    ! --- water of snow and surface, for the soil or off it
    call route_water(o, p, conserve, air%wind, fall%rain, surface%bulk_melt, evaporated, sublimated, dew, frost, ice_share, &
      surface%snow_melts, s, out)
    do k = 1, size(p%thickness)
      out%source(k) = -uptake_of_layer(around%roots, surface%leaf%demand, k)
    end do
    out%source(1) = out%source(1) + out%infiltration
    out%source(:) = out%source*3.6_wp/p%thickness
    out%water_residual = forcing%precipitation + (forcing%canopy_irrigation + forcing%ground_irrigation) &
      - (out%evapotranspiration - max(0.0_wp, surface%leaf%transpiration)) &
      - out%infiltration - out%runoff - out%body_gain - (s%canopy_water + s%snow_water - water_before)/o%time_step

    ! --- vegetation, snow cover and radiation for the coming step
    call update_snow_cover(s)
    if (o%first_step .or. o%update_phenology) call update_leaf_area(p, forcing, s)
    call radiative_properties(p, s, cosine_of_zenith(o%calendar_day_end, p%latitude, p%longitude), &
      s%liquid(n_snow + 1)/(density_water*p%thickness(1)), s%snow_water - snow_before, o%time_step)
    out%ground_temperature = s%temperature(n_snow + 1 - s%snow_layers)
    if (.not. (abs(out%energy_residual) < huge(1.0_wp) .and. abs(out%water_residual) < huge(1.0_wp))) &
      out%status = not_finite
  end subroutine advance_column

  !> Let rain, melt and what the surface exchanged with the air pass through the snow, into the soil or off the column.
  pure subroutine route_water(o, p, conserve, wind, rain, bulk_melt, evaporated, sublimated, dew, frost, ice_share, &
    melting, s, out)
    type(step_options), intent(in) :: o        !< choices and clock of the step
    type(column_parameters), intent(in) :: p   !< constants of the column
    logical, intent(in) :: conserve            !< water keeps its mass and heat
    real(wp), intent(in) :: wind               !< [m s-1]
    real(wp), intent(in) :: rain               !< [kg m-2 s-1]
    real(wp), intent(in) :: bulk_melt          !< melt of snow that has no layers [kg m-2 s-1]
    real(wp), intent(in) :: evaporated         !< evaporation of liquid water [kg m-2 s-1]
    real(wp), intent(in) :: sublimated         !< sublimation of ice [kg m-2 s-1]
    real(wp), intent(in) :: dew                !< [kg m-2 s-1]
    real(wp), intent(in) :: frost              !< [kg m-2 s-1]
    real(wp), intent(in) :: ice_share(n_snow)  !< ice over all water of the snow layers at the start of the step [-]
    logical, intent(in) :: melting(n_snow)     !< layers that melt
    type(column_state), intent(inout) :: s     !< state of the column
    type(column_fluxes), intent(inout) :: out  !< results of the step
    real(wp) :: surface_water, lost_heat, ice_melt
    logical :: snow_covered, body

    body = has_body(p)
    snow_covered = s%snow_layers > 0
    if (snow_covered) then
      call advance_snow(o, p, conserve, wind, ice_share, melting, rain + dew - evaporated, frost - sublimated, s, &
        surface_water, lost_heat)
      out%energy_residual = out%energy_residual + lost_heat
    else
      surface_water = rain + bulk_melt - evaporated + dew
      if (conserve .and. p%ground /= land_ice) surface_water = surface_water + frost - sublimated
      if (.not. body) s%ice(n_snow + 1) = max(0.0_wp, s%ice(n_snow + 1) + (frost - sublimated)*o%time_step)
    end if

    out%body_gain = 0.0_wp
    out%runoff = 0.0_wp
    out%infiltration = surface_water
    if (body .or. (p%ground == wetland .and. .not. conserve)) then
      out%runoff = surface_water
      out%infiltration = 0.0_wp
    end if
    if (p%ground == land_ice) then
      ice_melt = sum(s%liquid(n_snow + 1:))/o%time_step
      out%runoff = out%runoff + ice_melt
      if (.not. snow_covered) out%body_gain = frost - sublimated
      out%body_gain = out%body_gain - ice_melt
    end if
    if (body) call fill_body(p, s)
  end subroutine route_water

  !> Whether ice or water lies below the surface, with which groundwater has nothing to do.
  pure logical function has_body(p)
    type(column_parameters), intent(in) :: p  !< constants of the column
    has_body = p%ground == land_ice .or. p%ground == open_water
  end function has_body

  !> Percolation, settling and layering of snow; what leaves it at the bottom [kg m-2 s-1].
  pure subroutine advance_snow(o, p, conserve, wind, ice_share, melting, gain_liquid, gain_ice, s, leaving, lost_heat)
    type(step_options), intent(in) :: o        !< choices and clock of the step
    type(column_parameters), intent(in) :: p   !< constants of the column
    logical, intent(in) :: conserve            !< water keeps its mass and heat
    logical, intent(in) :: melting(n_snow)     !< layers that melt
    real(wp), intent(in) :: wind               !< [m s-1]
    real(wp), intent(in) :: ice_share(n_snow)  !< ice over all water of the snow layers at the start of the step [-]
    real(wp), intent(in) :: gain_liquid        !< rain and dew less evaporation [kg m-2 s-1]
    real(wp), intent(in) :: gain_ice           !< frost less sublimation [kg m-2 s-1]
    type(column_state), intent(inout) :: s     !< state of the column
    real(wp), intent(out) :: leaving           !< water that leaves the snow at the bottom [kg m-2 s-1]
    real(wp), intent(out) :: lost_heat         !< heat that mixing has not kept, told only where it should [W m-2]
    real(wp) :: heat, warm, released, released_heat
    integer :: top

    top = n_snow + 1 - s%snow_layers
    warm = s%temperature(top) - freezing_point
    heat = upper_heat(p, s) + o%time_step*(heat_capacity_water*gain_liquid*warm &
      + gain_ice*(heat_capacity_ice*warm - latent_heat_fusion))
    call percolate(s, gain_liquid, gain_ice, o%time_step, conserve, leaving)
    heat = heat - o%time_step*heat_capacity_water*leaving*(s%temperature(n_snow) - freezing_point)
    call compact_snow(s, wind, ice_share, melting, o%time_step)
    call merge_snow_layers(p, s, conserve, released, released_heat)
    heat = heat - released_heat
    call divide_snow_layers(s, conserve)
    leaving = leaving + released/o%time_step
    lost_heat = 0.0_wp
    if (conserve) lost_heat = (heat - upper_heat(p, s))/o%time_step
  end subroutine advance_snow

  !> Heat of snow and the first layer below it [J m-2].
  pure real(wp) function upper_heat(p, s) result(heat)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(in) :: s       !< state of the column
    integer :: j
    heat = 0.0_wp
    do j = n_snow + 1 - s%snow_layers, n_snow + 1
      heat = heat + water_heat(s%liquid(j), s%ice(j), s%temperature(j))
    end do
    heat = heat + p%heat_capacity_solids(1)*p%thickness(1)*(s%temperature(n_snow + 1) - freezing_point)
    if (s%snow_layers == 0) heat = heat + water_heat(0.0_wp, s%snow_water, s%temperature(n_snow + 1))
  end function upper_heat

  !> Layers of ice and open water keep their mass; what is missing or too much is in the water balance already.
  pure subroutine fill_body(p, s)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(inout) :: s    !< state of the column
    integer :: j, k
    do k = 1, size(p%thickness)
      j = n_snow + k
      if (p%ground == land_ice) then
        s%ice(j) = density_ice*p%thickness(k)
        s%liquid(j) = 0.0_wp
      else
        s%ice(j) = min(s%ice(j), density_water*p%thickness(k))
        if (s%ice(j) < least_ice) s%ice(j) = 0.0_wp    ! rounding must not keep water from mixing
        s%liquid(j) = density_water*p%thickness(k) - s%ice(j)
      end if
    end do
  end subroutine fill_body

  !> Roughness length of ground without snow and vegetation [m].
  pure real(wp) function bare_roughness(p, s) result(z0)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(in) :: s       !< state of the column
    z0 = roughness_soil
    if (p%ground == land_ice) z0 = roughness_ice
    if (p%ground == open_water) z0 = merge(roughness_ice, roughness_water, s%ice(n_snow + 1) > 0.0_wp)
  end function bare_roughness

  !> Vegetation and radiation for the very first step; ice is at most at the freezing point.
  pure subroutine start_cold(o, p, f, s)
    type(step_options), intent(in) :: o       !< choices and clock of the step
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_inputs), intent(in) :: f      !< atmosphere and soil water of the step
    type(column_state), intent(inout) :: s    !< state of the column
    real(wp) :: area, mu

    if (p%ground == land_ice) s%temperature(n_snow + 1:) = min(freezing_point, s%temperature(n_snow + 1:))
    if (has_body(p)) call fill_body(p, s)
    s%roughness_length = p%initial_roughness_ratio*p%canopy_height
    call update_snow_cover(s)
    call update_leaf_area(p, f, s)
    area = s%leaf_area + s%stem_area*s%exposed_fraction
    s%longwave_gap = 1.0_wp
    if (area >= least_canopy_area) s%longwave_gap = longwave_gap(p%leaf_angle, area)
    mu = cosine_of_zenith(o%calendar_day, p%latitude, p%longitude)
    if (o%published_numerics) then
      ! the published library's first albedo is that of dry ground, at night under a sun on the horizon
      call radiative_properties(p, s, max(lowest_sun, mu), 0.0_wp, 0.0_wp, o%time_step)
      s%cosine_zenith = mu
    else
      call radiative_properties(p, s, mu, s%liquid(n_snow + 1)/(density_water*p%thickness(1)), 0.0_wp, o%time_step)
    end if
  end subroutine start_cold

  !> The atmosphere at the reference heights, as the surface layer needs it.
  pure subroutine describe_air(o, f, temperature, air)
    type(step_options), intent(in) :: o   !< choices and clock of the step
    type(column_inputs), intent(in) :: f  !< atmosphere and soil water of the step
    real(wp), intent(in) :: temperature   !< of the air at the reference height [K]
    type(air_column), intent(out) :: air  !< atmosphere
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
    real(wp), intent(in) :: flux         !< vapour from the ground [kg m-2 s-1]
    real(wp), intent(in) :: temperature  !< of the top layer [K]
    real(wp), intent(in) :: liquid       !< largest evaporation of liquid water [kg m-2 s-1]
    real(wp), intent(out) :: evaporated  !< evaporation of liquid water [kg m-2 s-1]
    real(wp), intent(out) :: sublimated  !< sublimation of ice [kg m-2 s-1]
    real(wp), intent(out) :: dew         !< [kg m-2 s-1]
    real(wp), intent(out) :: frost       !< [kg m-2 s-1]
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
end module colm_column
