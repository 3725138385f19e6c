!> Energy balance of the leaves: leaf temperature, transpiration, and what the ground below loses to the canopy air
!> (Dai, Dickinson and Wang 2004: one leaf temperature, sunlit and shaded stomata).
module colm_leaf_temperature
  use colm_constants, only: wp, von_karman, heat_capacity_air, latent_heat_vaporisation, stefan_boltzmann, &
    dry_adiabatic_lapse, screen_height, canopy_storage_per_area, transpiration_limit, oxygen_fraction
  use colm_types, only: n_soil, column_parameters, column_state
  use colm_humidity, only: saturation, vapour_pressure
  use colm_soil_water, only: ground_vapour, root_supply, vapour_exchange, take_up
  use colm_similarity, only: air_column, momentum_profile, heat_profile, first_guess, update_stability, screen_share
  use colm_canopy_air, only: canopy_geometry, leaf_boundary_conductance, ground_resistance
  use colm_stomata, only: leaf_kinetics, kinetics, assimilation, molar_conductance
  implicit none
  private
  public :: leaf_surroundings, leaf_fluxes, solve_leaf

  !> What the leaves see during the step.
  type :: leaf_surroundings
    real(wp) :: sunlit_radiation, shaded_radiation        ! W m-2 absorbed
    real(wp) :: sunlit_light, shaded_light                ! W m-2 absorbed, visible
    real(wp) :: longwave, emissivity                      ! W m-2 from the sky; of the ground
    real(wp) :: ground_temperature
    type(ground_vapour) :: ground
    real(wp) :: evaporation_factor                        ! of the ground
    logical :: bounded = .false.                          ! vapour that limits hold back is missing in the canopy air, too
    logical :: ground_is_given = .false.                  ! the ground gives off what follows, whatever the air
    real(wp) :: ground_evaporation = 0.0_wp               ! kg m-2 s-1
    real(wp) :: ground_obukhov                            ! m, of the bare ground
    real(wp) :: stress                                    ! 0 dry .. 1 unstressed
    type(root_supply) :: roots
    real(wp) :: interception_capacity                     ! W m-2 K-1, heat capacity of what is intercepted
    real(wp) :: precipitation_temperature                 ! K
    real(wp) :: carbon_dioxide                            ! Pa
  end type leaf_surroundings

  type :: leaf_fluxes
    real(wp) :: sensible, evaporation, transpiration      ! W m-2, kg m-2 s-1 (evaporation includes transpiration)
    real(wp) :: uptake(n_soil)                            ! kg m-2 s-1 by layer, together the transpiration unless that is dew
    real(wp) :: longwave_emission                         ! sigma T^4 of the leaves, W m-2
    real(wp) :: precipitation_heat                        ! W m-2 brought by intercepted water
    ! the ground below, at its temperature at the start of the step, with slopes to it
    real(wp) :: ground_sensible, ground_evaporation       ! W m-2, kg m-2 s-1
    real(wp) :: ground_sensible_slope, ground_evaporation_slope
    real(wp) :: dew_conductance                           ! kg m-2 s-1, for dew on the ground
    real(wp) :: humidity_over_ground                      ! kg kg-1, of the air there if the ground exchanged nothing
    real(wp) :: vapour_of_air                             ! kg m-2 s-1 that the air above can give at most
    real(wp) :: screen_temperature, screen_humidity       ! K, kg kg-1, 2 m above the level that exchanges heat
  end type leaf_fluxes

  integer, parameter :: fewest_iterations = 6, most_iterations = 40, allowed_sign_changes = 4
  real(wp), parameter :: largest_step = 3.0_wp                         ! K
  real(wp), parameter :: temperature_tolerance = 0.01_wp               ! K
  real(wp), parameter :: energy_tolerance = 0.1_wp                     ! W m-2
  real(wp), parameter :: extinction_of_capacity = 0.11_wp              ! per leaf area, of carboxylation and respiration
  real(wp), parameter :: soil_respiration = 0.22e-6_wp                 ! mol m-2 s-1
  real(wp), parameter :: carbon_dioxide_exchange = 1.37_wp             ! ratio of resistances, CO2 to vapour
  real(wp), parameter :: least_air_conductance = 0.446_wp              ! mol m-2 s-1

contains

  pure subroutine solve_leaf(p, s, air, canopy, around, time_step, f)
    type(column_parameters), intent(in) :: p
    type(column_state), intent(inout) :: s         ! leaf temperature and canopy water are advanced
    type(air_column), intent(in) :: air
    type(canopy_geometry), intent(in) :: canopy
    type(leaf_surroundings), intent(in) :: around
    real(wp), intent(in) :: time_step
    type(leaf_fluxes), intent(out) :: f
    type(leaf_kinetics) :: k
    real(wp) :: area, sun, shade, wet, dry, absorbed, sky_and_ground, gap, oxygen
    real(wp) :: scale_sun, scale_shade, electron_sun, electron_shade
    real(wp) :: z_wind, z_temperature, z_humidity, z_sink
    real(wp) :: t, t_air, q_air, e, e_slope, q, q_slope, carbon_dioxide
    real(wp) :: wind, obukhov, ustar, tstar, qstar, to_heat, to_vapour
    real(wp) :: r_ground, leaf_boundary, r_sun, r_shade, net_sun, net_shade
    real(wp) :: heat_air, heat_ground, heat_leaf, heat_sum, vapour_air, vapour_ground, vapour_leaf, vapour_sum
    real(wp) :: wet_conductance, stomatal_conductance, gradient, gradient_slope, limit, most_wet, given, other, responding
    real(wp) :: sensible, sensible_slope, demand, demand_slope, transpiration, transpiration_slope, met_share
    real(wp) :: wet_evaporation, wet_slope
    real(wp) :: evaporation, previous_evaporation, effective, longwave, longwave_slope, emission
    real(wp) :: step, previous_step, error, previous_error, residual, excess
    real(wp) :: previous_obukhov, crossing, share, q_ground, q_ground_slope, hindrance
    integer :: i, sign_changes
    logical :: dry_canopy

    ! --- what stays constant during the iteration
    area = s%leaf_area + s%stem_area*s%exposed_fraction
    gap = s%longwave_gap
    absorbed = around%sunlit_radiation + around%shaded_radiation
    call divide_leaves(s, absorbed, sun, shade, scale_sun, scale_shade, electron_sun, electron_shade)
    wet = min(1.0_wp, max(0.0_wp, s%canopy_water/(canopy_storage_per_area*area))**(2.0_wp/3.0_wp))
    sky_and_ground = (1.0_wp - gap)*(around%longwave &
      + around%emissivity*stefan_boltzmann*around%ground_temperature**4 &
      + (1.0_wp - around%emissivity)*gap*around%longwave)
    emission = (1.0_wp - gap)*stefan_boltzmann*(2.0_wp - (1.0_wp - around%emissivity)*(1.0_wp - gap))
    oxygen = oxygen_fraction*air%pressure
    z_wind = air%height_wind - canopy%displacement
    z_temperature = air%height_temperature - canopy%displacement
    z_humidity = air%height_humidity - canopy%displacement
    z_sink = canopy%sink_height - canopy%displacement
    limit = transpiration_limit*around%stress
    most_wet = s%canopy_water/time_step
    dry_canopy = s%canopy_water <= 1.0e-12_wp  ! transpiration and dew alternate wildly on it

    ! --- first guess
    t = s%leaf_temperature
    call saturation(t, air%pressure, e, e_slope, q, q_slope)
    t_air = 0.5_wp*(around%ground_temperature + air%temperature)
    q_air = 0.5_wp*(around%ground%humidity + air%humidity)
    carbon_dioxide = around%carbon_dioxide
    call first_guess(air, z_wind, canopy%roughness, air%temperature - t_air, air%humidity - q_air, wind, obukhov)
    previous_step = 0.0_wp
    previous_error = 0.0_wp
    previous_evaporation = 0.0_wp
    sign_changes = 0
    crossing = 0.0_wp

    do i = 1, most_iterations
      ! --- aerodynamics
      ustar = von_karman*wind/momentum_profile(z_wind, canopy%roughness, obukhov)
      to_heat = heat_profile(z_temperature, canopy%roughness, obukhov) - heat_profile(z_sink, canopy%roughness, obukhov)
      to_vapour = to_heat
      if (z_humidity /= z_temperature) to_vapour = heat_profile(z_humidity, canopy%roughness, obukhov) &
        - heat_profile(z_sink, canopy%roughness, obukhov)
      leaf_boundary = leaf_boundary_conductance(canopy, ustar, obukhov)
      call ground_resistance(canopy, ustar, obukhov, around%ground_obukhov, crossing, r_ground)

      ! --- stomata
      k = kinetics(t, oxygen, p%carboxylation_capacity, p%heat_stress_slope, p%heat_stress_temperature, around%stress)
      call assimilation(k, scale_sun, electron_sun, around%sunlit_light, p%quantum_efficiency, p%water_cost_of_carbon, &
        e - vapour_pressure(q_air, air%pressure), carbon_dioxide, air%pressure, t, net_sun, r_sun)
      call assimilation(k, scale_shade, electron_shade, around%shaded_light, p%quantum_efficiency, p%water_cost_of_carbon, &
        e - vapour_pressure(q_air, air%pressure), carbon_dioxide, air%pressure, t, net_shade, r_shade)

      ! --- conductances [m s-1] between canopy air and air above, ground, leaves
      heat_air = von_karman*ustar/to_heat
      heat_ground = 1.0_wp/r_ground
      heat_leaf = area*leaf_boundary
      heat_sum = heat_air + heat_ground + heat_leaf
      vapour_air = von_karman*ustar/to_vapour
      call vapour_exchange(around%ground, q_air, around%evaporation_factor, q_ground, q_ground_slope, hindrance)
      vapour_ground = hindrance*heat_ground
      dry = 0.0_wp
      if (q > q_air) dry = 1.0_wp - wet                                                            ! dew wets all leaves
      wet_conductance = (1.0_wp - dry)*area*leaf_boundary
      stomatal_conductance = dry*(sun/(1.0_wp/leaf_boundary + r_sun*sun) + shade/(1.0_wp/leaf_boundary + r_shade*shade))
      vapour_leaf = wet_conductance + stomatal_conductance
      if (around%ground_is_given) then
        vapour_ground = 0.0_wp
        ! dew at most from what is in the air
        given = max(around%ground_evaporation/air%density, -(vapour_air*air%humidity + vapour_leaf*q))
      end if
      vapour_sum = vapour_air + vapour_ground + vapour_leaf

      ! --- fluxes and their slopes to leaf temperature, with canopy air in balance
      sensible = air%density*heat_capacity_air*heat_leaf/heat_sum &
        *(heat_air*(t - air%temperature) + heat_ground*(t - around%ground_temperature))
      sensible_slope = air%density*heat_capacity_air*heat_leaf/heat_sum*(heat_air + heat_ground)
      gradient = air%density*(vapour_air*(q - air%humidity) + vapour_ground*(q - q_ground))/vapour_sum
      if (around%ground_is_given) gradient = gradient - air%density*given/vapour_sum
      gradient_slope = air%density*(vapour_air + vapour_ground)/vapour_sum*q_slope
      demand = stomatal_conductance*gradient
      demand_slope = stomatal_conductance*gradient_slope
      if (demand >= limit) then
        demand = limit
        demand_slope = 0.0_wp
      end if
      call take_up(around%roots, demand, f%uptake, transpiration, met_share)
      transpiration_slope = met_share*demand_slope
      wet_evaporation = wet_conductance*gradient
      wet_slope = wet_conductance*gradient_slope
      if (wet_evaporation >= most_wet) then
        wet_evaporation = most_wet
        wet_slope = 0.0_wp
      end if
      if (around%bounded .and. transpiration + wet_evaporation < (stomatal_conductance + wet_conductance)*gradient) then
        call hold_back(around%roots, limit, most_wet, gradient*vapour_sum, vapour_air + vapour_ground, stomatal_conductance, &
          wet_conductance, demand, responding, f%uptake, transpiration, met_share, wet_evaporation)
        vapour_leaf = wet_conductance + stomatal_conductance
        vapour_sum = vapour_air + vapour_ground + vapour_leaf
        gradient_slope = air%density*(vapour_air + vapour_ground)/vapour_sum*q_slope
        demand_slope = responding*gradient_slope
        transpiration_slope = met_share*demand_slope
        wet_slope = 0.0_wp
        if (wet_evaporation < most_wet) wet_slope = wet_conductance*gradient_slope
      end if
      evaporation = transpiration + wet_evaporation
      longwave = sky_and_ground - emission*t**4
      longwave_slope = -4.0_wp*emission*t**3

      ! --- Newton step, damped
      effective = evaporation
      if (dry_canopy .and. evaporation*previous_evaporation < 0.0_wp) effective = 0.1_wp*evaporation
      previous_evaporation = evaporation
      step = (absorbed + longwave - sensible - latent_heat_vaporisation*effective &
        + around%interception_capacity*(around%precipitation_temperature - t)) &
        /(sensible_slope + latent_heat_vaporisation*(transpiration_slope + wet_slope) - longwave_slope &
        + around%interception_capacity)
      step = max(-largest_step, min(largest_step, step))
      ! two capped steps of opposite sign average to zero; the step after that still belongs to the alternation
      if (i > 1 .and. step*previous_step <= 0.0_wp) step = 0.5_wp*(step + previous_step)
      error = abs(step)*sqrt(longwave_slope**2 + sensible_slope**2 &
        + (latent_heat_vaporisation*(transpiration_slope + wet_slope))**2)
      t = t + step

      ! --- canopy air at the new leaf temperature
      call saturation(t, air%pressure, e, e_slope, q, q_slope)
      t_air = (heat_air*air%temperature + heat_ground*around%ground_temperature + heat_leaf*t)/heat_sum
      q_air = (vapour_air*air%humidity + vapour_ground*q_ground + vapour_leaf*q)/vapour_sum
      if (around%ground_is_given) q_air = max(0.0_wp, q_air + given/vapour_sum)
      carbon_dioxide = around%carbon_dioxide - carbon_dioxide_exchange*air%pressure &
        *(net_sun + net_shade - soil_respiration) &
        /max(least_air_conductance, heat_air*molar_conductance(air%pressure, air%temperature))
      tstar = von_karman*(air%temperature - t_air)/to_heat
      qstar = von_karman*(air%humidity - q_air)/to_vapour
      previous_obukhov = obukhov
      call update_stability(air, z_wind, ustar, tstar, qstar, wind, obukhov)
      if (i > 1 .and. previous_obukhov*obukhov < 0.0_wp) sign_changes = sign_changes + 1
      if (sign_changes >= allowed_sign_changes) obukhov = -100.0_wp*z_wind  ! undecided: nearly neutral from here on

      if (i > fewest_iterations) then
        if (max(abs(step), abs(previous_step)) < temperature_tolerance .and. &
          max(error, previous_error) < energy_tolerance) exit
      end if
      previous_step = step
      previous_error = error
    end do

    ! --- advance the fluxes with the last step; water limits hold again
    sensible = sensible + sensible_slope*step
    call take_up(around%roots, demand + demand_slope*step, f%uptake, transpiration, met_share)
    wet_evaporation = wet_evaporation + wet_slope*step
    if (around%bounded .and. transpiration < 0.0_wp) then
      ! the last linear step can go below zero: dew
      wet_evaporation = wet_evaporation + transpiration
      transpiration = 0.0_wp
    end if
    excess = max(0.0_wp, wet_evaporation - most_wet)
    wet_evaporation = wet_evaporation - excess
    f%vapour_of_air = air%density*vapour_air*air%humidity
    if (around%ground_is_given) then
      ! an iteration that has not settled must not take more dew than there is vapour, either
      wet_evaporation = max(wet_evaporation, -f%vapour_of_air - max(0.0_wp, air%density*given) - transpiration)
      f%ground_evaporation = max(air%density*given, -f%vapour_of_air - transpiration - wet_evaporation)
    end if
    f%transpiration = transpiration
    f%evaporation = transpiration + wet_evaporation
    f%precipitation_heat = around%interception_capacity*(around%precipitation_temperature - t)
    f%longwave_emission = stefan_boltzmann*((t - step)**4 + 4.0_wp*(t - step)**3*step)
    ! what damping and limits have left over warms the air
    residual = absorbed + longwave + longwave_slope*step - sensible - latent_heat_vaporisation*f%evaporation &
      + f%precipitation_heat
    f%sensible = sensible + residual

    f%ground_sensible = air%density*heat_capacity_air*heat_ground*(around%ground_temperature - t_air)
    f%ground_sensible_slope = air%density*heat_capacity_air*heat_ground*(1.0_wp - heat_ground/heat_sum)
    if (.not. around%ground_is_given) f%ground_evaporation = air%density*vapour_ground*(q_ground - q_air)
    f%ground_evaporation_slope = air%density*vapour_ground*(1.0_wp - vapour_ground/vapour_sum) &
      *q_ground_slope
    other = vapour_air + vapour_leaf
    f%dew_conductance = air%density*heat_ground*other/(other + heat_ground)
    f%humidity_over_ground = (vapour_air*air%humidity + vapour_leaf*q)/other

    share = screen_share(z_sink, z_temperature, heat_profile(z_sink, canopy%roughness, previous_obukhov), to_heat, &
      canopy%roughness, previous_obukhov)
    f%screen_temperature = t_air + share*(air%temperature - t_air) - dry_adiabatic_lapse*(canopy%sink_height + screen_height)
    f%screen_humidity = q_air + share*(air%humidity - q_air)

    s%leaf_temperature = t
    s%canopy_water = max(0.0_wp, s%canopy_water - wet_evaporation*time_step)
    s%roughness_length = canopy%roughness
  end subroutine solve_leaf

  !> Fluxes of the leaves within their limits, and conductances that belong to them: stomata close and films shrink until
  !> canopy air gets no more vapour than that.
  pure subroutine hold_back(roots, limit, most_wet, pull, other, stomatal, wet, demand, responding, uptake, transpiration, &
    met_share, wet_evaporation)
    type(root_supply), intent(in) :: roots
    real(wp), intent(in) :: limit, most_wet        ! kg m-2 s-1, of transpiration and of wet leaves
    real(wp), intent(in) :: pull                   ! kg m-3 m s-1 that drives vapour out of the leaves
    real(wp), intent(in) :: other                  ! m s-1, conductances that are not of the leaves
    real(wp), intent(inout) :: stomatal, wet       ! m s-1
    real(wp), intent(out) :: demand, responding    ! kg m-2 s-1, and the conductance by which it grows with temperature
    real(wp), intent(out) :: uptake(n_soil), transpiration, met_share, wet_evaporation
    real(wp) :: total
    logical :: dries_out

    total = other + stomatal + wet
    dries_out = wet*pull/total >= most_wet
    if (dries_out) total = (other + stomatal)*pull/(pull - most_wet)
    demand = stomatal*pull/total
    responding = stomatal
    if (demand >= limit) then
      demand = limit
      responding = 0.0_wp
    end if
    call take_up(roots, demand, uptake, transpiration, met_share)
    if (transpiration < stomatal*pull/total) then
      if (.not. dries_out) then
        total = (other + wet)*pull/(pull - transpiration)
        dries_out = wet*pull/total >= most_wet
      end if
      if (dries_out) total = other*pull/(pull - transpiration - most_wet)
      stomatal = transpiration*total/pull
    end if
    wet_evaporation = wet*pull/total
    if (dries_out) then
      wet = most_wet*total/pull
      wet_evaporation = most_wet
    end if
  end subroutine hold_back

  !> Sunlit and shaded leaf area, and their shares of the canopy's capacities, which decline with depth.
  pure subroutine divide_leaves(s, absorbed, sun, shade, scale_sun, scale_shade, electron_sun, electron_shade)
    type(column_state), intent(in) :: s
    real(wp), intent(in) :: absorbed
    real(wp), intent(out) :: sun, shade, scale_sun, scale_shade, electron_sun, electron_shade
    real(wp) :: depth, fraction

    depth = min(40.0_wp, s%extinction_direct*s%leaf_area)
    fraction = 0.5_wp
    if (s%cosine_zenith > 0.0_wp .and. absorbed >= 1.0_wp) fraction = (1.0_wp - exp(-depth))/max(depth, 1.0e-6_wp)
    sun = fraction*s%leaf_area
    shade = s%leaf_area - sun
    call scale(extinction_of_capacity, scale_sun, scale_shade)
    call scale(s%extinction_diffuse, electron_sun, electron_shade)

  contains

    pure subroutine scale(decline, into_sun, into_shade)
      real(wp), intent(in) :: decline
      real(wp), intent(out) :: into_sun, into_shade
      into_sun = (1.0_wp - exp(-(decline + s%extinction_direct)*s%leaf_area))/(decline + s%extinction_direct)
      into_shade = (1.0_wp - exp(-decline*s%leaf_area))/decline - into_sun
    end subroutine scale
  end subroutine divide_leaves
end module colm_leaf_temperature
