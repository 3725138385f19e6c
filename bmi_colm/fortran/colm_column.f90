!> One step of a group of blocks of columns: what their leaves, the air and the heat of the ground do is computed side by
!> side, the rest column by column.
!>
!> Equation (59) of docs/theory.md.
module colm_column
  use colm_constants, only: wp, lanes, visible, freezing_point, density_water, density_ice, heat_capacity_water, &
    heat_capacity_ice, heat_capacity_air, latent_heat_fusion, latent_heat_vaporisation, latent_heat_sublimation, &
    stefan_boltzmann, gas_constant_dry_air, roughness_soil, roughness_snow, roughness_ice, &
    roughness_water, minimum_wind, dry_adiabatic_lapse, least_canopy_area, wetland, land_ice, &
    open_water
  use colm_types, only: n_snow, step_options, column_parameters, column_state, column_inputs, column_fluxes
  use vector_math, only: power
  use colm_humidity, only: vapour_pressure
  use colm_solar, only: sun_position, position_of_sun, cosine_of_zenith, split_shortwave
  use colm_two_stream, only: radiative_properties, longwave_gap, lowest_sun
  use colm_throughfall, only: receive_precipitation
  use colm_similarity, only: air_block, bare_ground_exchange
  use colm_canopy_air, only: describe_canopies
  use colm_surface_balance, only: surface_block, find_limits, balance_surfaces
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
  public :: advance_group

  integer, parameter, public :: ok = 0, not_finite = 1

  ! empirical, as in the Common Land Model (Dai et al. 2003)
  real(wp), parameter :: emissivity_soil = 0.96_wp  !< [-]
  real(wp), parameter :: emissivity_snow = 0.97_wp  !< also of water and ice [-]
  real(wp), parameter :: least_ice = 1.0e-9_wp      !< [kg m-2]
  real(wp), parameter :: coldest = 180.0_wp         !< of the air [K]
  real(wp), parameter :: warmest = 326.0_wp         !< of the air [K]

  !> What one column's step has found before its surface is balanced, and needs afterwards.
  type :: column_step
    logical :: body                         !< ice or water lies below the surface, not soil
    logical :: conserve                     !< water keeps its mass and heat
    real(wp) :: temperature                 !< of the air [K]
    real(wp) :: solar                       !< shortwave radiation from the sky [W m-2]
    real(wp) :: water_before                !< canopy and snow water at the start of the step [kg m-2]
    real(wp) :: snow_before                 !< snow water at the start of the step [kg m-2]
    real(wp) :: ice_share(n_snow) = 0.0_wp  !< ice over all water of the snow layers at the start of the step [-]
  end type column_step

contains

  !> Advance a group of blocks of columns by one step.
  subroutine advance_group(o, blocks, p, forcing, s, out)
    type(step_options), intent(in) :: o              !< choices and clock of the step
    integer, intent(in) :: blocks                    !< number of blocks
    type(column_parameters), intent(in) :: p(lanes, blocks)   !< constants of the columns (lanes, blocks)
    type(column_inputs), intent(in) :: forcing(lanes, blocks) !< atmosphere and soil water of the step
    type(column_state), intent(inout) :: s(lanes, blocks)     !< states of the columns
    type(column_fluxes), intent(inout) :: out(lanes, blocks)  !< results of the step
    type(column_step) :: step(lanes, blocks)
    type(sun_position) :: sun
    type(surface_block) :: x(blocks)
    real(wp), dimension(lanes, size(p(1, 1)%thickness), blocks), target :: root_share, root_limit
    integer :: b, l

    do b = 1, blocks
      x(b)%roots%share => root_share(:, :, b)
      x(b)%roots%limit => root_limit(:, :, b)
      call begin_block(o, p(:, b), forcing(:, b), s(:, b), step(:, b), x(b), out(:, b))
    end do
    call balance_surfaces(o, p, s, x)
    sun = position_of_sun(o%calendar_day_end)
    do b = 1, blocks
      do l = 1, lanes
        call finish_step(o, p(l, b), forcing(l, b), x(b), step(l, b), sun, l, s(l, b), out(l, b))
      end do
    end do
  end subroutine advance_group

  !> All that comes before the balance of the surface.
  pure subroutine begin_block(o, p, forcing, s, step, x, out)
    type(step_options), intent(in) :: o                !< choices and clock of the step
    type(column_parameters), intent(in) :: p(lanes)    !< constants of the columns
    type(column_inputs), intent(in) :: forcing(lanes)  !< atmosphere and soil water of the step
    type(column_state), intent(inout) :: s(lanes)      !< states of the columns
    type(column_step), intent(inout) :: step(lanes)    !< what the step has found
    type(surface_block), intent(inout) :: x            !< surfaces of the block
    type(column_fluxes), intent(inout) :: out(lanes)   !< results of the step
    real(wp), dimension(lanes) :: roughness_ground, top_head, height, area
    integer :: l

    do l = 1, lanes
      call start_step(o, p(l), forcing(l), s(l), step(l), out(l))
    end do
    x%conserve = step%conserve
    call describe_air(o, forcing, step%temperature, x%air)
    do l = 1, lanes
      call receive_radiation(forcing(l)%shortwave, s(l), l, step(l), x, out(l))
      call receive_water(o, p(l), forcing(l), l, s(l), step(l), x, out(l))
    end do

    ! --- what the surface exchanges with the air
    x%roots%limit = huge(1.0_wp)
    x%around%carbon_dioxide = o%carbon_dioxide*x%air%pressure
    do l = 1, lanes
      call describe_ground(o, p(l), forcing(l), s(l), step(l), l, x, top_head(l), roughness_ground(l), out(l))
      if (.not. o%published_numerics) call find_limits(forcing(l)%available_water, step(l)%body, step(l)%conserve, &
        o%time_step, s(l), x%roots%limit(l, :), x%limits(l))
    end do
    associate (air => x%air, around => x%around)
      call ground_humidity(around%ground_temperature, air%pressure, top_head, s%snow_fraction, around%ground)
      if (o%published_numerics) call follow_air(air%humidity, around%ground)
      call bare_ground_exchange(air, roughness_ground, around%ground_temperature, around%ground%humidity, x%bare)
      around%ground_obukhov = x%bare%obukhov
    end associate
    if (any(x%covered)) then
      ! any canopy in the lanes that have none
      height = merge(p%canopy_height, 1.0_wp, x%covered)
      area = merge(s%leaf_area + s%stem_area*s%exposed_fraction, 1.0_wp, x%covered)
      call describe_canopies(height, area, roughness_ground, p%inverse_root_leaf_size, x%canopy)
    end if
    do l = 1, lanes
      if (x%covered(l)) cycle
      s(l)%leaf_temperature = step(l)%temperature
      s(l)%roughness_length = roughness_ground(l)
    end do
  end subroutine begin_block

  !> Water of the soil, and all of a cold start.
  pure subroutine start_step(o, p, forcing, s, step, out)
    type(step_options), intent(in) :: o         !< choices and clock of the step
    type(column_parameters), intent(in) :: p    !< constants of the column
    type(column_inputs), intent(in) :: forcing  !< atmosphere and soil water of the step
    type(column_state), intent(inout) :: s      !< state of the column
    type(column_step), intent(inout) :: step    !< what the step has found
    type(column_fluxes), intent(inout) :: out   !< results of the step

    out%status = ok
    step%body = has_body(p)
    step%conserve = o%conserve_frozen_water .or. step%body
    step%temperature = min(warmest, max(coldest, forcing%air_temperature))
    out%clamped_heads = count(forcing%head < o%lowest_head .and. .not. step%body)
    out%groundwater_heat = 0.0_wp
    if (.not. step%body) call reset_soil_water(p, step%conserve, forcing%saturation, s, out%groundwater_heat)
    out%groundwater_heat = out%groundwater_heat/o%time_step
    if (o%first_step) then
      out%groundwater_heat = 0.0_wp                ! the column had no water before
      call start_cold(o, p, forcing, s)
    end if
    step%water_before = s%canopy_water + s%snow_water
    step%snow_before = s%snow_water
  end subroutine start_step

  !> Radiation absorbed by leaves and ground.
  pure subroutine receive_radiation(shortwave, s, l, step, x, out)
    real(wp), intent(in) :: shortwave                 !< from the sky [W m-2]
    type(column_state), intent(in) :: s               !< state of the column
    integer, intent(in) :: l                          !< lane of the column
    type(column_step), intent(inout) :: step          !< what the step has found
    type(surface_block), intent(inout) :: x           !< surfaces of the block
    type(column_fluxes), intent(inout) :: out         !< results of the step
    real(wp) :: parts(2, 2)

    call split_shortwave(shortwave, s%cosine_zenith, parts)
    x%around%sunlit_radiation(l) = sum(s%sunlit_absorption*parts)
    x%around%shaded_radiation(l) = sum(s%shaded_absorption*parts)
    x%around%sunlit_light(l) = sum(s%sunlit_absorption(:, visible)*parts(:, visible))
    x%around%shaded_light(l) = sum(s%shaded_absorption(:, visible)*parts(:, visible))
    out%reflected_shortwave = sum(s%albedo*parts)
    step%solar = sum(parts)
    x%ground_solar(l) = step%solar - out%reflected_shortwave &
      - x%around%sunlit_radiation(l) - x%around%shaded_radiation(l)
  end subroutine receive_radiation

  !> Precipitation and irrigation.
  pure subroutine receive_water(o, p, forcing, l, s, step, x, out)
    type(step_options), intent(in) :: o         !< choices and clock of the step
    type(column_parameters), intent(in) :: p    !< constants of the column
    type(column_inputs), intent(in) :: forcing  !< atmosphere and soil water of the step
    integer, intent(in) :: l                    !< lane of the column
    type(column_state), intent(inout) :: s      !< state of the column
    type(column_step), intent(inout) :: step    !< what the step has found
    type(surface_block), intent(inout) :: x     !< surfaces of the block
    type(column_fluxes), intent(inout) :: out   !< results of the step
    real(wp) :: area
    integer :: k

    do k = n_snow + 1 - s%snow_layers, n_snow
      step%ice_share(k) = s%ice(k)/(s%ice(k) + s%liquid(k))
    end do
    area = s%leaf_area + s%stem_area*s%exposed_fraction
    x%covered(l) = area >= least_canopy_area
    if (.not. x%covered(l)) s%longwave_gap = 1.0_wp
    call receive_precipitation(o, p, forcing, step%temperature, area, s, x%fall(l))
    out%interception = x%fall(l)%intercepted
    out%canopy_phase_heat = x%fall(l)%canopy_phase_heat
    if (x%fall(l)%snow > 0.0_wp) then
      k = s%snow_layers
      call add_snow(x%fall(l)%snow*o%time_step, new_snow_density(step%temperature, x%air%wind(l)), x%fall(l)%temperature, &
        step%conserve, s)
      if (s%snow_layers > k) step%ice_share(n_snow) = 1.0_wp
    end if
  end subroutine receive_water

  !> The ground as a source of vapour and of water for the roots.
  pure subroutine describe_ground(o, p, forcing, s, step, l, x, top_head, roughness, out)
    type(step_options), intent(in) :: o               !< choices and clock of the step
    type(column_parameters), intent(in) :: p          !< constants of the column
    type(column_inputs), intent(in) :: forcing        !< atmosphere and soil water of the step
    type(column_state), intent(in) :: s               !< state of the column
    type(column_step), intent(in) :: step             !< what the step has found
    integer, intent(in) :: l                          !< lane of the column
    type(surface_block), intent(inout) :: x           !< surfaces of the block
    real(wp), intent(out) :: top_head                 !< pressure head of the top layer, 0 for ice and water [m]
    real(wp), intent(out) :: roughness                !< roughness length of the ground [m]
    type(column_fluxes), intent(inout) :: out         !< results of the step
    real(wp), dimension(size(p%thickness)) :: suction, share

    suction = max(forcing%head, o%lowest_head)
    top_head = merge(0.0_wp, suction(1), step%body)
    roughness = (1.0_wp - s%snow_fraction)*bare_roughness(p, s) + s%snow_fraction*roughness_snow
    out%evaporation_factor = 1.0_wp
    if (.not. step%body) out%evaporation_factor = evaporation_factor(p, s, o)
    call root_stress(p, s, o, suction, out%root_stress, share)
    x%roots%share(l, :) = share
    x%around%stress(l) = out%root_stress
    x%around%evaporation_factor(l) = out%evaporation_factor
    x%around%longwave(l) = forcing%longwave
    x%around%emissivity(l) = merge(emissivity_snow, emissivity_soil, step%body .or. s%snow_water > 0.0_wp)
    x%around%ground_temperature(l) = s%temperature(n_snow + 1 - s%snow_layers)
    x%around%interception_capacity(l) = x%fall(l)%interception_capacity
    x%around%precipitation_temperature(l) = x%fall(l)%precipitation_temperature
  end subroutine describe_ground

  !> Results of the step, water that moves, and what the coming step starts with.
  pure subroutine finish_step(o, p, forcing, x, step, sun, l, s, out)
    type(step_options), intent(in) :: o            !< choices and clock of the step
    type(column_parameters), intent(in) :: p       !< constants of the column
    type(column_inputs), intent(in) :: forcing     !< atmosphere and soil water of the step
    type(surface_block), intent(in) :: x           !< surfaces of the block
    type(column_step), intent(in) :: step          !< what the step has found
    type(sun_position), intent(in) :: sun          !< at the end of the step
    integer, intent(in) :: l                       !< lane of the column
    type(column_state), intent(inout) :: s         !< state of the column
    type(column_fluxes), intent(inout) :: out      !< results of the step
    real(wp) :: t0, emissivity, emission, excess, liquid, evaporated, sublimated, dew, frost
    real(wp) :: ground_sensible, ground_evaporation, ground_longwave, ground_latent
    integer :: top, k

    associate (leaf => x%leaf, surface => x%ground(l), fall => x%fall(l))
      top = n_snow + 1 - s%snow_layers
      t0 = x%around%ground_temperature(l)
      emissivity = x%around%emissivity(l)

      ! --- water that changes its phase at the surface
      excess = max(0.0_wp, surface%ground_evaporation - (s%liquid(top) + s%ice(top))/o%time_step)
      ground_evaporation = surface%ground_evaporation - excess
      ground_sensible = surface%ground_sensible + surface%latent_heat*excess
      liquid = min(s%liquid(top)/o%time_step, &
        max(0.0_wp, x%limits(l)%liquid - uptake_of_layer(x%roots, leaf%demand(l), l, 1)))
      call partition_ground_evaporation(ground_evaporation, s%temperature(top), liquid, evaporated, sublimated, dew, frost)
      ground_latent = surface%latent_heat*ground_evaporation
      if (step%conserve) then
        ! what changes its phase takes the heat for it; the sum of both heat fluxes is that of the surface balance
        ground_sensible = ground_sensible + ground_latent
        ground_latent = latent_heat_vaporisation*(evaporated - dew) + latent_heat_sublimation*(sublimated - frost)
        ground_sensible = ground_sensible - ground_latent
      end if
      emission = stefan_boltzmann*(t0**4 + 4.0_wp*t0**3*surface%warming)
      ground_longwave = emissivity*(surface%longwave_below - emission)
      out%ground_heat = x%ground_solar(l) + ground_longwave - ground_sensible - ground_latent &
        + fall%heat_capacity*(fall%temperature - s%temperature(top))

      out%sensible_heat = leaf%sensible(l) + ground_sensible
      out%latent_heat = latent_heat_vaporisation*leaf%evaporation(l) + ground_latent
      out%evapotranspiration = leaf%evaporation(l) + ground_evaporation
      out%ground_evaporation = ground_evaporation
      out%canopy_evaporation = leaf%evaporation(l)
      out%liquid_evaporation = evaporated
      out%transpiration = leaf%transpiration(l)
      out%precipitation_heat = leaf%precipitation_heat(l) &
        + fall%heat_capacity*(fall%temperature - s%temperature(top))
      out%outgoing_longwave = (1.0_wp - s%longwave_gap)*leaf%longwave_emission(l) + s%longwave_gap &
        *((1.0_wp - emissivity)*surface%longwave_below + emissivity*stefan_boltzmann*t0**4) &
        + 4.0_wp*emissivity*stefan_boltzmann*t0**3*surface%warming
      ! the linear response of a far too warm ground may take more than there is
      out%radiative_temperature = max(coldest, sqrt(sqrt(max(0.0_wp, out%outgoing_longwave)/stefan_boltzmann)))
      out%leaf_iterations = nint(leaf%iterations(l))
      out%screen_temperature = leaf%screen_temperature(l)
      out%screen_humidity = leaf%screen_humidity(l)
      out%energy_residual = step%solar - out%reflected_shortwave + forcing%longwave - out%outgoing_longwave &
        - out%sensible_heat - out%latent_heat + out%precipitation_heat - surface%phase_heat - fall%melt_heat &
        - surface%stored_heat

      ! --- water of snow and surface, for the soil or off it
      call route_water(o, p, step%conserve, x%air%wind(l), fall%rain, surface%bulk_melt, evaporated, sublimated, dew, frost, &
        step%ice_share, surface%snow_melts, s, out)
      do k = 1, size(p%thickness)
        out%source(k) = -uptake_of_layer(x%roots, leaf%demand(l), l, k)
      end do
      out%source(1) = out%source(1) + out%infiltration
      out%source(:) = out%source*3.6_wp/p%thickness
      out%water_residual = forcing%precipitation + (forcing%canopy_irrigation + forcing%ground_irrigation) &
        - (out%evapotranspiration - max(0.0_wp, leaf%transpiration(l))) &
        - out%infiltration - out%runoff - out%body_gain - (s%canopy_water + s%snow_water - step%water_before)/o%time_step

      ! --- vegetation, snow cover and radiation for the coming step
      call update_snow_cover(s)
      if (o%first_step .or. o%update_phenology) call update_leaf_area(p, forcing, s)
      call radiative_properties(p, s, cosine_of_zenith(sun, p%latitude, p%longitude), &
        s%liquid(n_snow + 1)/(density_water*p%thickness(1)), s%snow_water - step%snow_before, o%time_step)
      out%ground_temperature = s%temperature(n_snow + 1 - s%snow_layers)
      if (.not. (abs(out%energy_residual) < huge(1.0_wp) .and. abs(out%water_residual) < huge(1.0_wp))) &
        out%status = not_finite
    end associate
  end subroutine finish_step

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
    mu = cosine_of_zenith(position_of_sun(o%calendar_day), p%latitude, p%longitude)
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
    type(step_options), intent(in) :: o          !< choices and clock of the step
    type(column_inputs), intent(in) :: f(lanes)  !< atmosphere and soil water of the step
    real(wp), intent(in) :: temperature(lanes)   !< of the air at the reference height [K]
    type(air_block), intent(out) :: air          !< atmosphere
    air%height_wind = o%height_wind
    air%height_temperature = o%height_temperature
    air%height_humidity = o%height_humidity
    air%humidity = f%humidity
    air%pressure = f%pressure
    air%wind = max(minimum_wind, sqrt(f%wind_x**2 + f%wind_y**2))
    air%temperature = temperature + dry_adiabatic_lapse*o%height_temperature
    air%potential_temperature = temperature*power(1.0e5_wp/air%pressure, gas_constant_dry_air/heat_capacity_air)
    air%virtual_potential_temperature = air%potential_temperature*(1.0_wp + 0.61_wp*air%humidity)
    air%density = (air%pressure - 0.378_wp*vapour_pressure(air%humidity, air%pressure))/(gas_constant_dry_air*temperature)
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
