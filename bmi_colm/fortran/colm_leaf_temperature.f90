!> Energy balance of the leaves: leaf temperature, transpiration, and what the ground below loses to the canopy air.
!>
!> Equations (43) to (46) of docs/theory.md (Dai, Dickinson and Wang 2004: one leaf temperature, sunlit and shaded
!> stomata), solved by Newton's method.
module colm_leaf_temperature
  use colm_constants, only: wp, von_karman, heat_capacity_air, latent_heat_vaporisation, stefan_boltzmann, &
    dry_adiabatic_lapse, screen_height, canopy_storage_per_area, transpiration_limit, oxygen_fraction
  use colm_types, only: column_parameters, column_state
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
    real(wp) :: sunlit_radiation             !< absorbed by sunlit leaves [W m-2]
    real(wp) :: shaded_radiation             !< absorbed by shaded leaves [W m-2]
    real(wp) :: sunlit_light                 !< visible part absorbed by sunlit leaves [W m-2]
    real(wp) :: shaded_light                 !< visible part absorbed by shaded leaves [W m-2]
    real(wp) :: longwave                     !< longwave radiation from the sky [W m-2]
    real(wp) :: emissivity                   !< of the ground [-]
    real(wp) :: ground_temperature           !< at the start of the step [K]
    type(ground_vapour) :: ground            !< humidity of air in contact with the ground
    real(wp) :: evaporation_factor           !< of the ground [-]
    logical :: bounded = .false.             !< vapour that limits hold back is missing in the canopy air, too
    logical :: ground_is_given = .false.     !< the ground gives off what follows, whatever the air
    real(wp) :: ground_evaporation = 0.0_wp  !< [kg m-2 s-1]
    real(wp) :: ground_obukhov               !< Obukhov length of the bare ground [m]
    real(wp) :: stress                       !< water available to the roots, 0 none to 1 unstressed [-]
    type(root_supply) :: roots               !< what the roots can bring
    real(wp) :: interception_capacity        !< heat capacity of what is intercepted [W m-2 K-1]
    real(wp) :: precipitation_temperature    !< [K]
    real(wp) :: carbon_dioxide               !< partial pressure [Pa]
  end type leaf_surroundings

  !> Fluxes of the leaves, and of the ground below at its temperature at the start of the step with slopes to it.
  type :: leaf_fluxes
    real(wp) :: sensible                  !< sensible heat of the leaves [W m-2]
    real(wp) :: evaporation               !< from the leaves, transpiration included [kg m-2 s-1]
    real(wp) :: transpiration             !< [kg m-2 s-1]
    real(wp) :: demand                    !< transpiration that the leaves ask the roots for [kg m-2 s-1]
    real(wp) :: longwave_emission         !< sigma T^4 of the leaves [W m-2]
    real(wp) :: precipitation_heat        !< brought by intercepted water [W m-2]
    real(wp) :: ground_sensible           !< sensible heat of the ground [W m-2]
    real(wp) :: ground_evaporation        !< vapour from the ground [kg m-2 s-1]
    real(wp) :: ground_sensible_slope     !< [W m-2 K-1]
    real(wp) :: ground_evaporation_slope  !< [kg m-2 s-1 K-1]
    real(wp) :: dew_conductance           !< for dew on the ground [kg m-2 s-1]
    real(wp) :: humidity_over_ground      !< specific humidity there if the ground exchanged nothing [kg kg-1]
    real(wp) :: vapour_of_air             !< what the air above can give at most [kg m-2 s-1]
    real(wp) :: screen_temperature        !< 2 m above the level that exchanges heat [K]
    real(wp) :: screen_humidity           !< specific humidity there [kg kg-1]
  end type leaf_fluxes

  !> What stays constant during the iteration.
  type :: leaf_constants
    real(wp) :: area                                       !< of leaves and stems [m2 m-2]
    real(wp) :: sun, shade                                 !< sunlit and shaded leaf area [m2 m-2]
    real(wp) :: scale_sun, scale_shade                     !< leaf area weighted by the decline of carboxylation with depth [m2 m-2]
    real(wp) :: electron_sun, electron_shade               !< the same of electron transport [m2 m-2]
    real(wp) :: wet                                        !< wet share of the leaves [-]
    real(wp) :: absorbed                                   !< shortwave radiation absorbed by all leaves [W m-2]
    real(wp) :: sky_and_ground                             !< longwave radiation absorbed [W m-2]
    real(wp) :: emission                                   !< longwave radiation emitted over T^4 [W m-2 K-4]
    real(wp) :: oxygen                                     !< partial pressure [Pa]
    real(wp) :: z_wind, z_temperature, z_humidity, z_sink  !< heights above the displacement height [m]
    real(wp) :: limit                                      !< largest transpiration [kg m-2 s-1]
    real(wp) :: most_wet                                   !< largest evaporation of the water on the leaves [kg m-2 s-1]
    logical :: dry_canopy                                  !< no water on the leaves
  end type leaf_constants

  !> Leaves and the air between them in one iteration.
  type :: canopy_iterate
    real(wp) :: temperature                 !< of the leaves [K]
    real(wp) :: vapour_pressure             !< saturation vapour pressure at leaf temperature [Pa]
    real(wp) :: saturated, saturated_slope  !< at saturation [kg kg-1], slope [kg kg-1 K-1]
    real(wp) :: air_temperature             !< of the canopy air [K]
    real(wp) :: air_humidity                !< specific humidity of the canopy air [kg kg-1]
    real(wp) :: from_air, from_leaves       !< vapour towards the canopy air over air density [m s-1]
    real(wp) :: carbon_dioxide              !< partial pressure in the canopy air [Pa]
    real(wp) :: wind                        !< effective wind, with convection [m s-1]
    real(wp) :: obukhov                     !< Obukhov length [m]
    real(wp) :: previous_obukhov            !< that of the iteration before [m]
    real(wp) :: crossing                    !< height where two diffusivities below the canopy cross [m]
    real(wp) :: evaporation                 !< from the leaves [kg m-2 s-1]
    real(wp) :: step, previous_step         !< of the leaf temperature [K]
    real(wp) :: error, previous_error       !< of the energy balance [W m-2]
    integer :: sign_changes                 !< of the Obukhov length
  end type canopy_iterate

  !> Conductances between canopy air and the air above, the ground and the leaves.
  type :: canopy_conductances
    real(wp) :: to_heat, to_vapour                                  !< integrated profiles from sink to reference heights [-]
    real(wp) :: ustar                                               !< friction velocity [m s-1]
    real(wp) :: heat_air, heat_ground, heat_leaf, heat_sum          !< of heat [m s-1]
    real(wp) :: vapour_air, vapour_ground, vapour_leaf, vapour_sum  !< of vapour [m s-1]
    real(wp) :: wet, stomatal                                       !< of wet and of transpiring leaves [m s-1]
    real(wp) :: net_assimilation                                    !< of all leaves [mol m-2 s-1]
    real(wp) :: ground_humidity, ground_humidity_slope              !< at the ground [kg kg-1], slope [kg kg-1 K-1]
    real(wp) :: given                                               !< given vapour of the ground over air density [m s-1]
  end type canopy_conductances

  !> Fluxes of the leaves at leaf temperature, with slopes to it.
  type :: leaf_response
    real(wp) :: sensible, sensible_slope            !< [W m-2], [W m-2 K-1]
    real(wp) :: demand, demand_slope                !< transpiration that the air asks for [kg m-2 s-1], [kg m-2 s-1 K-1]
    real(wp) :: transpiration, transpiration_slope  !< [kg m-2 s-1], [kg m-2 s-1 K-1]
    real(wp) :: wet_evaporation, wet_slope          !< of the water on the leaves [kg m-2 s-1], [kg m-2 s-1 K-1]
    real(wp) :: longwave, longwave_slope            !< net longwave radiation [W m-2], [W m-2 K-1]
  end type leaf_response

  ! empirical, as in the Common Land Model (Dai et al. 2003; Dai, Dickinson and Wang 2004)
  integer, parameter :: fewest_iterations = 6, most_iterations = 40, allowed_sign_changes = 4
  real(wp), parameter :: largest_step = 3.0_wp              !< [K]
  real(wp), parameter :: temperature_tolerance = 0.01_wp    !< [K]
  real(wp), parameter :: energy_tolerance = 0.1_wp          !< [W m-2]
  real(wp), parameter :: extinction_of_capacity = 0.11_wp   !< of carboxylation and respiration, per leaf area [m2 m-2]
  real(wp), parameter :: soil_respiration = 0.22e-6_wp      !< [mol m-2 s-1]
  real(wp), parameter :: carbon_dioxide_exchange = 1.37_wp  !< ratio of boundary layer resistances, CO2 to vapour [-]
  real(wp), parameter :: least_air_conductance = 0.446_wp   !< [mol m-2 s-1]

contains

  !> Leaf temperature at which the leaves' energy is in balance, and the fluxes there.
  pure subroutine solve_leaf(p, s, air, canopy, around, time_step, f)
    type(column_parameters), intent(in) :: p       !< constants of the column
    type(column_state), intent(inout) :: s         !< leaf temperature, canopy water and roughness are advanced
    type(air_column), intent(in) :: air            !< atmosphere
    type(canopy_geometry), intent(in) :: canopy    !< geometry of the canopy
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    real(wp), intent(in) :: time_step              !< [s]
    type(leaf_fluxes), intent(out) :: f            !< fluxes of leaves and ground
    type(leaf_constants) :: c
    type(canopy_iterate) :: now
    type(canopy_conductances) :: g
    type(leaf_response) :: r
    integer :: i

    call find_constants(s, air, canopy, around, time_step, c)
    call start_iteration(s, air, canopy, around, c, now)
    do i = 1, most_iterations
      call find_conductances(p, air, canopy, around, c, now, g)
      call find_fluxes(air, around, c, now, g, r)
      call step_temperature(around, c, r, i > 1, now)
      call balance_canopy_air(air, around, c, g, i > 1, now)
      if (i > fewest_iterations) then
        if (max(abs(now%step), abs(now%previous_step)) < temperature_tolerance .and. &
          max(now%error, now%previous_error) < energy_tolerance) exit
      end if
      now%previous_step = now%step
      now%previous_error = now%error
    end do
    call finish_leaf_fluxes(air, around, c, now, g, r, f)
    call find_ground_fluxes(air, around, now, g, f)
    call find_screen_values(air, canopy, c, now, g, f)

    s%leaf_temperature = now%temperature
    s%canopy_water = max(0.0_wp, s%canopy_water - r%wet_evaporation*time_step)
    s%roughness_length = canopy%roughness
  end subroutine solve_leaf

  !> What does not depend on leaf temperature: equation (43), absorbed radiation, heights and limits.
  pure subroutine find_constants(s, air, canopy, around, time_step, c)
    type(column_state), intent(in) :: s            !< state at the start of the step
    type(air_column), intent(in) :: air            !< atmosphere
    type(canopy_geometry), intent(in) :: canopy    !< geometry of the canopy
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    real(wp), intent(in) :: time_step              !< [s]
    type(leaf_constants), intent(out) :: c         !< constants of the iteration
    real(wp) :: gap

    c%area = s%leaf_area + s%stem_area*s%exposed_fraction
    gap = s%longwave_gap
    c%absorbed = around%sunlit_radiation + around%shaded_radiation
    call divide_leaves(s, c)
    c%wet = min(1.0_wp, max(0.0_wp, s%canopy_water/(canopy_storage_per_area*c%area))**(2.0_wp/3.0_wp))
    c%sky_and_ground = (1.0_wp - gap)*(around%longwave &
      + around%emissivity*stefan_boltzmann*around%ground_temperature**4 &
      + (1.0_wp - around%emissivity)*gap*around%longwave)
    c%emission = (1.0_wp - gap)*stefan_boltzmann*(2.0_wp - (1.0_wp - around%emissivity)*(1.0_wp - gap))
    c%oxygen = oxygen_fraction*air%pressure
    c%z_wind = air%height_wind - canopy%displacement
    c%z_temperature = air%height_temperature - canopy%displacement
    c%z_humidity = air%height_humidity - canopy%displacement
    c%z_sink = canopy%sink_height - canopy%displacement
    c%limit = transpiration_limit*around%stress
    c%most_wet = s%canopy_water/time_step
    c%dry_canopy = s%canopy_water <= 1.0e-12_wp  ! transpiration and dew alternate wildly on it
  end subroutine find_constants

  !> First guess: leaves as they were, canopy air midway between ground and air.
  pure subroutine start_iteration(s, air, canopy, around, c, now)
    type(column_state), intent(in) :: s            !< state at the start of the step
    type(air_column), intent(in) :: air            !< atmosphere
    type(canopy_geometry), intent(in) :: canopy    !< geometry of the canopy
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(canopy_iterate), intent(out) :: now       !< the first iterate

    now%temperature = s%leaf_temperature
    call saturate(air%pressure, now)
    now%air_humidity = 0.5_wp*(around%ground%humidity + air%humidity)
    now%carbon_dioxide = around%carbon_dioxide
    call first_guess(air, c%z_wind, canopy%roughness, &
      air%temperature - 0.5_wp*(around%ground_temperature + air%temperature), air%humidity - now%air_humidity, &
      now%wind, now%obukhov)
    now%previous_step = 0.0_wp
    now%previous_error = 0.0_wp
    now%evaporation = 0.0_wp
    now%sign_changes = 0
    now%crossing = 0.0_wp
  end subroutine start_iteration

  !> Vapour at saturation at leaf temperature.
  pure subroutine saturate(pressure, now)
    real(wp), intent(in) :: pressure            !< of the air [Pa]
    type(canopy_iterate), intent(inout) :: now  !< leaves and canopy air
    real(wp) :: unused
    call saturation(now%temperature, pressure, now%vapour_pressure, unused, now%saturated, now%saturated_slope)
  end subroutine saturate

  !> Conductances of the air, the stomata and the ground for the present leaf temperature and stability.
  pure subroutine find_conductances(p, air, canopy, around, c, now, g)
    type(column_parameters), intent(in) :: p       !< constants of the column
    type(air_column), intent(in) :: air            !< atmosphere
    type(canopy_geometry), intent(in) :: canopy    !< geometry of the canopy
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(canopy_iterate), intent(inout) :: now     !< leaves and canopy air
    type(canopy_conductances), intent(out) :: g    !< conductances
    type(leaf_kinetics) :: k
    real(wp) :: r_ground, leaf_boundary, r_sun, r_shade, net_sun, net_shade, deficit, dry, hindrance

    g%ustar = von_karman*now%wind/momentum_profile(c%z_wind, canopy%roughness, now%obukhov)
    g%to_heat = heat_profile(c%z_temperature, canopy%roughness, now%obukhov) &
      - heat_profile(c%z_sink, canopy%roughness, now%obukhov)
    g%to_vapour = g%to_heat
    if (c%z_humidity /= c%z_temperature) g%to_vapour = heat_profile(c%z_humidity, canopy%roughness, now%obukhov) &
      - heat_profile(c%z_sink, canopy%roughness, now%obukhov)
    leaf_boundary = leaf_boundary_conductance(canopy, g%ustar, now%obukhov)
    call ground_resistance(canopy, g%ustar, now%obukhov, around%ground_obukhov, now%crossing, r_ground)

    k = kinetics(now%temperature, c%oxygen, p%carboxylation_capacity, p%heat_stress_slope, p%heat_stress_temperature, &
      around%stress)
    deficit = now%vapour_pressure - vapour_pressure(now%air_humidity, air%pressure)
    call assimilation(k, c%scale_sun, c%electron_sun, around%sunlit_light, p%quantum_efficiency, p%water_cost_of_carbon, &
      deficit, now%carbon_dioxide, air%pressure, now%temperature, net_sun, r_sun)
    call assimilation(k, c%scale_shade, c%electron_shade, around%shaded_light, p%quantum_efficiency, &
      p%water_cost_of_carbon, deficit, now%carbon_dioxide, air%pressure, now%temperature, net_shade, r_shade)
    g%net_assimilation = net_sun + net_shade

    g%heat_air = von_karman*g%ustar/g%to_heat
    g%heat_ground = 1.0_wp/r_ground
    g%heat_leaf = c%area*leaf_boundary
    g%heat_sum = g%heat_air + g%heat_ground + g%heat_leaf
    g%vapour_air = von_karman*g%ustar/g%to_vapour
    call vapour_exchange(around%ground, now%air_humidity, around%evaporation_factor, g%ground_humidity, &
      g%ground_humidity_slope, hindrance)
    g%vapour_ground = hindrance*g%heat_ground
    dry = 0.0_wp
    if (now%saturated > now%air_humidity) dry = 1.0_wp - c%wet  ! dew wets all leaves
    g%wet = (1.0_wp - dry)*c%area*leaf_boundary
    g%stomatal = dry*(c%sun/(1.0_wp/leaf_boundary + r_sun*c%sun) + c%shade/(1.0_wp/leaf_boundary + r_shade*c%shade))
    g%vapour_leaf = g%wet + g%stomatal
    g%given = 0.0_wp
    if (around%ground_is_given) then
      g%vapour_ground = 0.0_wp
      ! dew at most from what is in the air
      g%given = max(around%ground_evaporation/air%density, -(g%vapour_air*air%humidity + g%vapour_leaf*now%saturated))
    end if
    g%vapour_sum = g%vapour_air + g%vapour_ground + g%vapour_leaf
  end subroutine find_conductances

  !> Fluxes and their slopes to leaf temperature with canopy air in balance (equation 44), within their limits
  !> (equation 46).
  pure subroutine find_fluxes(air, around, c, now, g, r)
    type(air_column), intent(in) :: air            !< atmosphere
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(canopy_iterate), intent(in) :: now        !< leaves and canopy air
    type(canopy_conductances), intent(inout) :: g  !< conductances, smaller where limits act
    type(leaf_response), intent(out) :: r          !< fluxes of the leaves
    real(wp) :: gradient, gradient_slope, met_share, responding

    r%sensible = air%density*heat_capacity_air*g%heat_leaf/g%heat_sum &
      *(g%heat_air*(now%temperature - air%temperature) + g%heat_ground*(now%temperature - around%ground_temperature))
    r%sensible_slope = air%density*heat_capacity_air*g%heat_leaf/g%heat_sum*(g%heat_air + g%heat_ground)
    gradient = air%density*(g%vapour_air*(now%saturated - air%humidity) &
      + g%vapour_ground*(now%saturated - g%ground_humidity))/g%vapour_sum
    if (around%ground_is_given) gradient = gradient - air%density*g%given/g%vapour_sum
    gradient_slope = air%density*(g%vapour_air + g%vapour_ground)/g%vapour_sum*now%saturated_slope
    r%demand = g%stomatal*gradient
    r%demand_slope = g%stomatal*gradient_slope
    if (r%demand >= c%limit) then
      r%demand = c%limit
      r%demand_slope = 0.0_wp
    end if
    call take_up(around%roots, r%demand, r%transpiration, met_share)
    r%transpiration_slope = met_share*r%demand_slope
    r%wet_evaporation = g%wet*gradient
    r%wet_slope = g%wet*gradient_slope
    if (r%wet_evaporation >= c%most_wet) then
      r%wet_evaporation = c%most_wet
      r%wet_slope = 0.0_wp
    end if
    if (around%bounded .and. r%transpiration + r%wet_evaporation < (g%stomatal + g%wet)*gradient) then
      call hold_back(around%roots, c%limit, c%most_wet, gradient*g%vapour_sum, g%vapour_air + g%vapour_ground, g%stomatal, &
        g%wet, r%demand, responding, r%transpiration, met_share, r%wet_evaporation)
      g%vapour_leaf = g%wet + g%stomatal
      g%vapour_sum = g%vapour_air + g%vapour_ground + g%vapour_leaf
      gradient_slope = air%density*(g%vapour_air + g%vapour_ground)/g%vapour_sum*now%saturated_slope
      r%demand_slope = responding*gradient_slope
      r%transpiration_slope = met_share*r%demand_slope
      r%wet_slope = 0.0_wp
      if (r%wet_evaporation < c%most_wet) r%wet_slope = g%wet*gradient_slope
    end if
    r%longwave = c%sky_and_ground - c%emission*now%temperature**4
    r%longwave_slope = -4.0_wp*c%emission*now%temperature**3
  end subroutine find_fluxes

  !> Damped Newton step of leaf temperature for equation (45).
  pure subroutine step_temperature(around, c, r, damped, now)
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(leaf_response), intent(in) :: r           !< fluxes of the leaves
    logical, intent(in) :: damped                  !< a step that turns back is averaged with the one before
    type(canopy_iterate), intent(inout) :: now     !< leaves and canopy air
    real(wp) :: evaporation, effective

    evaporation = r%transpiration + r%wet_evaporation
    effective = evaporation
    if (c%dry_canopy .and. evaporation*now%evaporation < 0.0_wp) effective = 0.1_wp*evaporation
    now%evaporation = evaporation
    now%step = (c%absorbed + r%longwave - r%sensible - latent_heat_vaporisation*effective &
      + around%interception_capacity*(around%precipitation_temperature - now%temperature)) &
      /(r%sensible_slope + latent_heat_vaporisation*(r%transpiration_slope + r%wet_slope) - r%longwave_slope &
      + around%interception_capacity)
    now%step = max(-largest_step, min(largest_step, now%step))
    ! two capped steps of opposite sign average to zero; the step after that still belongs to the alternation
    if (damped .and. now%step*now%previous_step <= 0.0_wp) now%step = 0.5_wp*(now%step + now%previous_step)
    now%error = abs(now%step)*sqrt(r%longwave_slope**2 + r%sensible_slope**2 &
      + (latent_heat_vaporisation*(r%transpiration_slope + r%wet_slope))**2)
    now%temperature = now%temperature + now%step
  end subroutine step_temperature

  !> Canopy air at the new leaf temperature (equation 44), and the stability that belongs to it.
  pure subroutine balance_canopy_air(air, around, c, g, count_signs, now)
    type(air_column), intent(in) :: air            !< atmosphere
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(canopy_conductances), intent(in) :: g     !< conductances
    logical, intent(in) :: count_signs             !< the Obukhov length of the iteration before is not a guess
    type(canopy_iterate), intent(inout) :: now     !< leaves and canopy air
    real(wp) :: tstar, qstar

    call saturate(air%pressure, now)
    now%air_temperature = (g%heat_air*air%temperature + g%heat_ground*around%ground_temperature &
      + g%heat_leaf*now%temperature)/g%heat_sum
    now%from_air = g%vapour_air*air%humidity
    now%from_leaves = g%vapour_leaf*now%saturated
    now%air_humidity = (now%from_air + g%vapour_ground*g%ground_humidity + now%from_leaves)/g%vapour_sum
    if (around%ground_is_given) now%air_humidity = max(0.0_wp, now%air_humidity + g%given/g%vapour_sum)
    now%carbon_dioxide = around%carbon_dioxide - carbon_dioxide_exchange*air%pressure &
      *(g%net_assimilation - soil_respiration) &
      /max(least_air_conductance, g%heat_air*molar_conductance(air%pressure, air%temperature))
    tstar = von_karman*(air%temperature - now%air_temperature)/g%to_heat
    qstar = von_karman*(air%humidity - now%air_humidity)/g%to_vapour
    now%previous_obukhov = now%obukhov
    call update_stability(air, c%z_wind, g%ustar, tstar, qstar, now%wind, now%obukhov)
    if (count_signs .and. now%previous_obukhov*now%obukhov < 0.0_wp) now%sign_changes = now%sign_changes + 1
    ! undecided: nearly neutral from here on
    if (now%sign_changes >= allowed_sign_changes) now%obukhov = -100.0_wp*c%z_wind
  end subroutine balance_canopy_air

  !> Advance the fluxes of the leaves with the last step; water limits hold again.
  pure subroutine finish_leaf_fluxes(air, around, c, now, g, r, f)
    type(air_column), intent(in) :: air            !< atmosphere
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(canopy_iterate), intent(in) :: now        !< leaves and canopy air
    type(canopy_conductances), intent(in) :: g     !< conductances
    type(leaf_response), intent(inout) :: r        !< fluxes of the leaves
    type(leaf_fluxes), intent(inout) :: f          !< fluxes of leaves and ground
    real(wp) :: met_share, excess, residual

    r%sensible = r%sensible + r%sensible_slope*now%step
    f%demand = r%demand + r%demand_slope*now%step
    call take_up(around%roots, f%demand, r%transpiration, met_share)
    r%wet_evaporation = r%wet_evaporation + r%wet_slope*now%step
    if (around%bounded .and. r%transpiration < 0.0_wp) then
      ! the last linear step can go below zero: dew
      r%wet_evaporation = r%wet_evaporation + r%transpiration
      r%transpiration = 0.0_wp
    end if
    excess = max(0.0_wp, r%wet_evaporation - c%most_wet)
    r%wet_evaporation = r%wet_evaporation - excess
    f%vapour_of_air = air%density*g%vapour_air*air%humidity
    if (around%ground_is_given) then
      ! an iteration that has not settled must not take more dew than there is vapour, either
      r%wet_evaporation = max(r%wet_evaporation, -f%vapour_of_air - max(0.0_wp, air%density*g%given) - r%transpiration)
      f%ground_evaporation = max(air%density*g%given, -f%vapour_of_air - r%transpiration - r%wet_evaporation)
    end if
    f%transpiration = r%transpiration
    f%evaporation = r%transpiration + r%wet_evaporation
    f%precipitation_heat = around%interception_capacity*(around%precipitation_temperature - now%temperature)
    f%longwave_emission = stefan_boltzmann*((now%temperature - now%step)**4 &
      + 4.0_wp*(now%temperature - now%step)**3*now%step)
    ! what damping and limits have left over warms the air
    residual = c%absorbed + r%longwave + r%longwave_slope*now%step - r%sensible - latent_heat_vaporisation*f%evaporation &
      + f%precipitation_heat
    f%sensible = r%sensible + residual
  end subroutine finish_leaf_fluxes

  !> Heat and vapour of the ground below the canopy, with slopes to its temperature.
  pure subroutine find_ground_fluxes(air, around, now, g, f)
    type(air_column), intent(in) :: air            !< atmosphere
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(canopy_iterate), intent(in) :: now        !< leaves and canopy air
    type(canopy_conductances), intent(in) :: g     !< conductances
    type(leaf_fluxes), intent(inout) :: f          !< fluxes of leaves and ground
    real(wp) :: other

    f%ground_sensible = air%density*heat_capacity_air*g%heat_ground*(around%ground_temperature - now%air_temperature)
    f%ground_sensible_slope = air%density*heat_capacity_air*g%heat_ground*(1.0_wp - g%heat_ground/g%heat_sum)
    if (.not. around%ground_is_given) &
      f%ground_evaporation = air%density*g%vapour_ground*(g%ground_humidity - now%air_humidity)
    f%ground_evaporation_slope = air%density*g%vapour_ground*(1.0_wp - g%vapour_ground/g%vapour_sum) &
      *g%ground_humidity_slope
    other = g%vapour_air + g%vapour_leaf
    f%dew_conductance = air%density*g%heat_ground*other/(other + g%heat_ground)
    f%humidity_over_ground = (now%from_air + now%from_leaves)/other
  end subroutine find_ground_fluxes

  !> Temperature and humidity 2 m above the level that exchanges heat.
  pure subroutine find_screen_values(air, canopy, c, now, g, f)
    type(air_column), intent(in) :: air          !< atmosphere
    type(canopy_geometry), intent(in) :: canopy  !< geometry of the canopy
    type(leaf_constants), intent(in) :: c        !< constants of the iteration
    type(canopy_iterate), intent(in) :: now      !< leaves and canopy air
    type(canopy_conductances), intent(in) :: g   !< conductances
    type(leaf_fluxes), intent(inout) :: f        !< fluxes of leaves and ground
    real(wp) :: share

    share = screen_share(c%z_sink, c%z_temperature, heat_profile(c%z_sink, canopy%roughness, now%previous_obukhov), &
      g%to_heat, canopy%roughness, now%previous_obukhov)
    f%screen_temperature = now%air_temperature + share*(air%temperature - now%air_temperature) &
      - dry_adiabatic_lapse*(canopy%sink_height + screen_height)
    f%screen_humidity = now%air_humidity + share*(air%humidity - now%air_humidity)
  end subroutine find_screen_values

  !> Fluxes of the leaves within their limits, and conductances that belong to them: stomata close and films shrink until
  !> canopy air gets no more vapour than that.
  pure subroutine hold_back(roots, limit, most_wet, pull, other, stomatal, wet, demand, responding, transpiration, met_share, &
    wet_evaporation)
    type(root_supply), intent(in) :: roots    !< what the roots can bring
    real(wp), intent(in) :: limit             !< largest transpiration [kg m-2 s-1]
    real(wp), intent(in) :: most_wet          !< largest evaporation of wet leaves [kg m-2 s-1]
    real(wp), intent(in) :: pull              !< what drives vapour out of the leaves [kg m-2 s-1 m s-1]
    real(wp), intent(in) :: other             !< conductances that are not of the leaves [m s-1]
    real(wp), intent(inout) :: stomatal       !< conductance of the stomata [m s-1]
    real(wp), intent(inout) :: wet            !< conductance of wet leaves [m s-1]
    real(wp), intent(out) :: demand           !< transpiration that the air asks for [kg m-2 s-1]
    real(wp), intent(out) :: responding       !< conductance by which the demand grows with temperature [m s-1]
    real(wp), intent(out) :: transpiration    !< [kg m-2 s-1]
    real(wp), intent(out) :: met_share        !< growth of transpiration over that of the demand [-]
    real(wp), intent(out) :: wet_evaporation  !< from wet leaves [kg m-2 s-1]
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
    call take_up(roots, demand, transpiration, met_share)
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

  !> Sunlit and shaded leaf area, and their shares of the canopy's capacities, which decline with depth: equation (43).
  pure subroutine divide_leaves(s, c)
    type(column_state), intent(in) :: s       !< state at the start of the step
    type(leaf_constants), intent(inout) :: c  !< areas and scales are set
    real(wp) :: depth, fraction

    depth = min(40.0_wp, s%extinction_direct*s%leaf_area)
    fraction = 0.5_wp
    if (s%cosine_zenith > 0.0_wp .and. c%absorbed >= 1.0_wp) fraction = (1.0_wp - exp(-depth))/max(depth, 1.0e-6_wp)
    c%sun = fraction*s%leaf_area
    c%shade = s%leaf_area - c%sun
    call scale(extinction_of_capacity, c%scale_sun, c%scale_shade)
    call scale(s%extinction_diffuse, c%electron_sun, c%electron_shade)

  contains

    !> Effective leaf areas where a capacity declines with depth.
    pure subroutine scale(decline, into_sun, into_shade)
      real(wp), intent(in) :: decline      !< of the capacity, per leaf area [m2 m-2]
      real(wp), intent(out) :: into_sun    !< effective area of sunlit leaves [m2 m-2]
      real(wp), intent(out) :: into_shade  !< effective area of shaded leaves [m2 m-2]
      into_sun = (1.0_wp - exp(-(decline + s%extinction_direct)*s%leaf_area))/(decline + s%extinction_direct)
      into_shade = (1.0_wp - exp(-decline*s%leaf_area))/decline - into_sun
    end subroutine scale
  end subroutine divide_leaves
end module colm_leaf_temperature
