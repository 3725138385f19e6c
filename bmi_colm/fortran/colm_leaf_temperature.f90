!> Energy balance of the leaves: leaf temperature, transpiration, and what the ground below loses to the canopy air.
!>
!> Equations (43) to (46) and (63) of docs/theory.md (Dai, Dickinson and Wang 2004: one leaf temperature, sunlit and shaded
!> stomata), solved by Newton's method for columns side by side. Some settle in 7 iterations, others do in 40: a lane whose
!> column has settled takes the next of the group of blocks, so that no lane waits for another.
module colm_leaf_temperature
  use, intrinsic :: iso_c_binding, only: c_loc, c_f_pointer
  use colm_constants, only: wp, lanes, von_karman, heat_capacity_air, latent_heat_vaporisation, stefan_boltzmann, &
    dry_adiabatic_lapse, screen_height, canopy_storage_per_area, transpiration_limit, oxygen_fraction
  use colm_types, only: step_options, column_parameters, column_state
  use vector_math, only: exponential, cube_root
  use colm_humidity, only: saturate, vapour_pressure
  use colm_soil_water, only: ground_vapour, root_supply, vapour_exchange, take_up
  use colm_similarity, only: air_block, momentum_profile, heat_profile_between, first_guess, update_stability, screen_share
  use colm_canopy_air, only: canopy_geometry, leaf_boundary_conductance, find_ground_resistance
  use colm_stomata, only: leaf_kinetics, carbon_supply, find_kinetics, find_supply, find_assimilation, molar_conductance
  implicit none
  private
  public :: leaf_surroundings, leaf_fluxes, solve_leaves

  ! The types below hold nothing but reals of all lanes, so that a column is copied from lane to lane as a row of fields.

  !> What the leaves see during the step.
  type :: leaf_surroundings
    real(wp), dimension(lanes) :: sunlit_radiation             !< absorbed by sunlit leaves [W m-2]
    real(wp), dimension(lanes) :: shaded_radiation             !< absorbed by shaded leaves [W m-2]
    real(wp), dimension(lanes) :: sunlit_light                 !< visible part absorbed by sunlit leaves [W m-2]
    real(wp), dimension(lanes) :: shaded_light                 !< visible part absorbed by shaded leaves [W m-2]
    real(wp), dimension(lanes) :: longwave                     !< longwave radiation from the sky [W m-2]
    real(wp), dimension(lanes) :: emissivity                   !< of the ground [-]
    real(wp), dimension(lanes) :: ground_temperature           !< at the start of the step [K]
    type(ground_vapour) :: ground                              !< humidity of air in contact with the ground
    real(wp), dimension(lanes) :: evaporation_factor           !< of the ground [-]
    real(wp), dimension(lanes) :: ground_is_given = 0.0_wp     !< 1: the ground gives off what follows, whatever the air [-]
    real(wp), dimension(lanes) :: ground_evaporation = 0.0_wp  !< [kg m-2 s-1]
    real(wp), dimension(lanes) :: ground_obukhov               !< Obukhov length of the bare ground [m]
    real(wp), dimension(lanes) :: stress                       !< water available to the roots, 0 none to 1 unstressed [-]
    real(wp), dimension(lanes) :: interception_capacity        !< heat capacity of what is intercepted [W m-2 K-1]
    real(wp), dimension(lanes) :: precipitation_temperature    !< [K]
    real(wp), dimension(lanes) :: carbon_dioxide               !< partial pressure [Pa]
  end type leaf_surroundings

  !> Fluxes of the leaves, and of the ground below at its temperature at the start of the step with slopes to it.
  type :: leaf_fluxes
    real(wp), dimension(lanes) :: sensible                  !< sensible heat of the leaves [W m-2]
    real(wp), dimension(lanes) :: evaporation               !< from the leaves, transpiration included [kg m-2 s-1]
    real(wp), dimension(lanes) :: transpiration             !< [kg m-2 s-1]
    real(wp), dimension(lanes) :: demand                    !< transpiration that the leaves ask the roots for [kg m-2 s-1]
    real(wp), dimension(lanes) :: longwave_emission         !< sigma T^4 of the leaves [W m-2]
    real(wp), dimension(lanes) :: precipitation_heat        !< brought by intercepted water [W m-2]
    real(wp), dimension(lanes) :: ground_sensible           !< sensible heat of the ground [W m-2]
    real(wp), dimension(lanes) :: ground_evaporation        !< vapour from the ground [kg m-2 s-1]
    real(wp), dimension(lanes) :: ground_sensible_slope     !< [W m-2 K-1]
    real(wp), dimension(lanes) :: ground_evaporation_slope  !< [kg m-2 s-1 K-1]
    real(wp), dimension(lanes) :: dew_conductance           !< for dew on the ground [kg m-2 s-1]
    real(wp), dimension(lanes) :: humidity_over_ground      !< specific humidity there if the ground exchanged nothing [kg kg-1]
    real(wp), dimension(lanes) :: vapour_of_air             !< what the air above can give at most [kg m-2 s-1]
    real(wp), dimension(lanes) :: screen_temperature        !< 2 m above the level that exchanges heat [K]
    real(wp), dimension(lanes) :: screen_humidity           !< specific humidity there [kg kg-1]
    real(wp), dimension(lanes) :: iterations = 0.0_wp       !< made in the step [-]
  end type leaf_fluxes

  !> What stays constant during the iteration.
  type :: leaf_constants
    real(wp), dimension(lanes) :: capacity                                   !< carboxylation at 25 C [mol m-2 s-1]
    real(wp), dimension(lanes) :: efficiency                                 !< carbon dioxide per quanta [mol mol-1]
    real(wp), dimension(lanes) :: heat_slope, heat_temperature               !< decline by heat [K-1], where it halves [K]
    real(wp), dimension(lanes) :: water_cost                                 !< marginal water cost of carbon [mol mol-1]
    real(wp), dimension(lanes) :: area                                       !< of leaves and stems [m2 m-2]
    real(wp), dimension(lanes) :: sun, shade                                 !< sunlit and shaded leaf area [m2 m-2]
    real(wp), dimension(lanes) :: scale_sun, scale_shade                     !< weighted by the decline of carboxylation [m2 m-2]
    real(wp), dimension(lanes) :: electron_sun, electron_shade               !< the same of electron transport [m2 m-2]
    real(wp), dimension(lanes) :: water                                      !< on the leaves [kg m-2]
    real(wp), dimension(lanes) :: wet                                        !< wet share of the leaves [-]
    real(wp), dimension(lanes) :: absorbed                                   !< shortwave radiation absorbed by all leaves [W m-2]
    real(wp), dimension(lanes) :: sky_and_ground                             !< longwave radiation absorbed [W m-2]
    real(wp), dimension(lanes) :: emission                                   !< longwave radiation emitted over T^4 [W m-2 K-4]
    real(wp), dimension(lanes) :: oxygen                                     !< partial pressure [Pa]
    real(wp), dimension(lanes) :: z_wind, z_temperature, z_humidity, z_sink  !< above the displacement [m]
    real(wp), dimension(lanes) :: limit                                      !< largest transpiration [kg m-2 s-1]
    real(wp), dimension(lanes) :: most_wet                                   !< largest wet evaporation [kg m-2 s-1]
  end type leaf_constants

  !> Leaves and the air between them in one iteration.
  type :: canopy_iterate
    real(wp), dimension(lanes) :: temperature                 !< of the leaves [K]
    real(wp), dimension(lanes) :: vapour_pressure             !< saturation vapour pressure at leaf temperature [Pa]
    real(wp), dimension(lanes) :: saturated, saturated_slope  !< at saturation [kg kg-1], slope [kg kg-1 K-1]
    real(wp), dimension(lanes) :: air_temperature             !< of the canopy air [K]
    real(wp), dimension(lanes) :: air_humidity                !< specific humidity of the canopy air [kg kg-1]
    real(wp), dimension(lanes) :: from_air, from_leaves       !< vapour towards the canopy air over air density [m s-1]
    real(wp), dimension(lanes) :: carbon_dioxide              !< partial pressure in the canopy air [Pa]
    real(wp), dimension(lanes) :: wind                        !< effective wind, with convection [m s-1]
    real(wp), dimension(lanes) :: obukhov                     !< Obukhov length [m]
    real(wp), dimension(lanes) :: previous_obukhov            !< that of the iteration before [m]
    real(wp), dimension(lanes) :: crossing                    !< height where two diffusivities below the canopy cross [m]
    real(wp), dimension(lanes) :: evaporation                 !< from the leaves [kg m-2 s-1]
    real(wp), dimension(lanes) :: step, previous_step         !< of the leaf temperature [K]
    real(wp), dimension(lanes) :: error, previous_error       !< of the energy balance [W m-2]
    real(wp), dimension(lanes) :: previous_residual           !< of the energy balance in the iteration before [W m-2]
    real(wp), dimension(lanes) :: sign_changes                !< of the Obukhov length [-]
    real(wp), dimension(lanes) :: iteration                   !< number of the iteration, from 1 [-]
  end type canopy_iterate

  !> Conductances between canopy air and the air above, the ground and the leaves.
  type :: canopy_conductances
    real(wp), dimension(lanes) :: to_heat, to_vapour                                  !< profiles from sink to reference heights [-]
    real(wp), dimension(lanes) :: ustar                                               !< friction velocity [m s-1]
    real(wp), dimension(lanes) :: heat_air, heat_ground, heat_leaf, heat_sum          !< of heat [m s-1]
    real(wp), dimension(lanes) :: vapour_air, vapour_ground, vapour_leaf, vapour_sum  !< of vapour [m s-1]
    real(wp), dimension(lanes) :: wet, stomatal                                       !< of wet and of transpiring leaves [m s-1]
    real(wp), dimension(lanes) :: net_assimilation                                    !< of all leaves [mol m-2 s-1]
    real(wp), dimension(lanes) :: ground_humidity, ground_humidity_slope              !< [kg kg-1], [kg kg-1 K-1]
    real(wp), dimension(lanes) :: given                                               !< vapour of the ground over density [m s-1]
  end type canopy_conductances

  !> Fluxes of the leaves at leaf temperature, with slopes to it.
  type :: leaf_response
    real(wp), dimension(lanes) :: sensible, sensible_slope            !< [W m-2], [W m-2 K-1]
    real(wp), dimension(lanes) :: demand, demand_slope                !< that the air asks for [kg m-2 s-1], [kg m-2 s-1 K-1]
    real(wp), dimension(lanes) :: transpiration, transpiration_slope  !< [kg m-2 s-1], [kg m-2 s-1 K-1]
    real(wp), dimension(lanes) :: wet_evaporation, wet_slope          !< of the water on the leaves [kg m-2 s-1], [kg m-2 s-1 K-1]
    real(wp), dimension(lanes) :: longwave, longwave_slope            !< net longwave radiation [W m-2], [W m-2 K-1]
  end type leaf_response

  !> A column in its lane.
  type :: leaf_problem
    type(air_block) :: air             !< atmosphere
    type(canopy_geometry) :: canopy    !< geometry of the canopy
    type(leaf_surroundings) :: around  !< what the leaves see
    type(leaf_constants) :: c          !< what stays constant
    type(canopy_iterate) :: now        !< leaves and canopy air
    type(canopy_conductances) :: g     !< conductances
    type(leaf_response) :: r           !< fluxes of the leaves
  end type leaf_problem

  real(wp), parameter :: most_iterations = 40.0_wp        !< [-]
  real(wp), parameter :: largest_step = 3.0_wp            !< [K]
  real(wp), parameter :: temperature_tolerance = 0.01_wp  !< of a step before the last [K]
  real(wp), parameter :: energy_tolerance = 0.1_wp        !< [W m-2]
  integer, parameter :: allowed_sign_changes = 4          !< of the Obukhov length
  ! of our iteration
  real(wp), parameter :: fewest_iterations = 4.0_wp       !< [-]
  real(wp), parameter :: fast_iterations = 12.0_wp        !< what has not settled then goes slowly [-]
  real(wp), parameter :: slow_step = 0.5_wp               !< share of a step that is taken then [-]
  real(wp), parameter :: slow_stability = 0.25_wp         !< weight of the new in the Obukhov length then [-]
  real(wp), parameter :: last_step = 1.0e-3_wp            !< [K]
  real(wp), parameter :: stability_tolerance = 0.01_wp    !< of the last change of zeta [-]
  real(wp), parameter :: least_slope = 0.3_wp             !< of the residual over that of the fluxes [-]
  real(wp), parameter :: largest_slope = 5.0_wp           !< of the residual over that of the fluxes [-]
  ! of the published one
  real(wp), parameter :: published_iterations = 6.0_wp    !< [-]
  ! empirical, as in the Common Land Model (Dai et al. 2003; Dai, Dickinson and Wang 2004)
  real(wp), parameter :: extinction_of_capacity = 0.11_wp   !< of carboxylation and respiration, per leaf area [m2 m-2]
  real(wp), parameter :: soil_respiration = 0.22e-6_wp      !< [mol m-2 s-1]
  real(wp), parameter :: carbon_dioxide_exchange = 1.37_wp  !< ratio of boundary layer resistances, CO2 to vapour [-]
  real(wp), parameter :: least_air_conductance = 0.446_wp   !< [mol m-2 s-1]

contains

  !> Leaf temperatures at which the leaves' energy is in balance, and the fluxes there, of a group of blocks.
  subroutine solve_leaves(o, p, s, air, canopy, around, roots, wanted, f)
    type(step_options), intent(in) :: o               !< choices and clock of the step
    type(column_parameters), intent(in) :: p(:, :)    !< constants of the columns (lanes, blocks)
    type(column_state), intent(inout) :: s(:, :)      !< leaf temperature, canopy water and roughness are advanced
    type(air_block), intent(in) :: air(:)             !< atmosphere
    type(canopy_geometry), intent(in) :: canopy(:)    !< geometry of the canopies
    type(leaf_surroundings), intent(in) :: around(:)  !< what the leaves see
    type(root_supply), intent(in) :: roots(:)         !< what the roots can bring
    logical, intent(in) :: wanted(:, :)               !< columns to solve; nothing of the others is changed
    type(leaf_fluxes), intent(inout) :: f(:)          !< fluxes of leaves and ground
    type(leaf_problem), target :: problem(size(air)), near
    type(root_supply) :: near_roots
    real(wp), pointer, contiguous :: of_problem(:, :, :), of_near(:, :)
    real(wp), dimension(lanes, size(roots(1)%share, 2)), target :: share, limit
    logical, dimension(lanes) :: open, settled
    integer, dimension(lanes) :: block, lane
    integer :: b, l, position, fields, first, last

    fields = int(storage_size(near)/storage_size(1.0_wp))/lanes
    ! of the fields from air to the iterate, those from `first` on are changed; what follows `last` is found anew
    last = fields - int((storage_size(near%g) + storage_size(near%r))/storage_size(1.0_wp))/lanes
    first = last + 1 - int(storage_size(near%now)/storage_size(1.0_wp))/lanes
    call c_f_pointer(c_loc(problem), of_problem, [lanes, fields, size(problem)])
    call c_f_pointer(c_loc(near), of_near, [lanes, fields])
    near_roots%share => share
    near_roots%limit => limit
    do b = 1, size(problem)
      if (.not. any(wanted(:, b))) cycle
      problem(b)%air = air(b)
      problem(b)%canopy = canopy(b)
      problem(b)%around = around(b)
      call find_constants(p(:, b), s(:, b), air(b), canopy(b), around(b), o%time_step, problem(b)%c)
      call start_iteration(s(:, b), air(b), canopy(b), around(b), problem(b)%c, problem(b)%now)
    end do

    open = .false.
    position = 0
    call fill_lanes()
    do l = count(open) + 1, lanes
      call take(block(1), lane(1), l)                ! any column in the lanes that have none
    end do
    do while (any(open))
      call iterate(o, near_roots, near, settled)
      settled = settled .and. open
      if (any(settled)) then
        do l = 1, lanes
          if (settled(l)) of_problem(lane(l), first:, block(l)) = of_near(l, first:)
        end do
        open = open .and. .not. settled
        call fill_lanes()
      end if
    end do
    do b = 1, size(problem)
      if (any(wanted(:, b))) call keep(o, roots(b), problem(b), wanted(:, b), s(:, b), f(b))
    end do

  contains

    !> Let lanes that are not open take the next columns.
    subroutine fill_lanes()
      integer :: l
      do l = 1, lanes
        if (open(l)) cycle
        do while (position < size(wanted))
          position = position + 1
          lane(l) = 1 + modulo(position - 1, lanes)
          block(l) = 1 + (position - 1)/lanes
          if (.not. wanted(lane(l), block(l))) cycle
          call take(block(l), lane(l), l)
          open(l) = .true.
          exit
        end do
      end do
    end subroutine fill_lanes

    !> Copy a column into a lane.
    subroutine take(from_block, from_lane, l)
      integer, intent(in) :: from_block  !< block of the column
      integer, intent(in) :: from_lane   !< its lane there
      integer, intent(in) :: l           !< lane that takes it
      of_near(l, :last) = of_problem(from_lane, :last, from_block)
      share(l, :) = roots(from_block)%share(from_lane, :)
      limit(l, :) = roots(from_block)%limit(from_lane, :)
      near_roots%unlimited(l) = roots(from_block)%unlimited(from_lane)
    end subroutine take
  end subroutine solve_leaves

  !> One iteration of the columns side by side.
  pure subroutine iterate(o, roots, x, settled)
    type(step_options), intent(in) :: o       !< choices and clock of the step
    type(root_supply), intent(in) :: roots    !< what the roots can bring
    type(leaf_problem), intent(inout) :: x    !< the columns
    logical, intent(out) :: settled(lanes)    !< columns whose iteration ends
    real(wp) :: zeta(lanes)

    x%now%previous_step = x%now%step
    x%now%previous_error = x%now%error
    x%now%iteration = x%now%iteration + 1.0_wp
    call find_conductances(x%air, x%canopy, x%around, x%c, x%now, x%g)
    call find_fluxes(o, roots, x%air, x%around, x%c, x%now, x%g, x%r)
    if (o%settle_leaves) then
      call step_temperature(x%around, x%c, x%r, x%now)
    else
      call step_as_published(x%around, x%c, x%r, x%now)
    end if
    call balance_canopy_air(o, x%air, x%around, x%c, x%g, x%now)
    settled = abs(x%now%previous_step) < temperature_tolerance .and. x%now%error < energy_tolerance
    if (o%settle_leaves) then
      zeta = x%c%z_wind/x%now%obukhov
      settled = settled .and. x%now%iteration >= fewest_iterations .and. abs(x%now%step) < last_step &
        .and. abs(zeta - x%c%z_wind/x%now%previous_obukhov) < stability_tolerance*(1.0_wp + abs(zeta))
    else
      settled = settled .and. x%now%iteration > published_iterations .and. abs(x%now%step) < temperature_tolerance &
        .and. x%now%previous_error < energy_tolerance
    end if
    settled = settled .or. x%now%iteration >= most_iterations
  end subroutine iterate

  !> Take the solution of the columns that were wanted.
  pure subroutine keep(o, roots, x, wanted, s, f)
    type(step_options), intent(in) :: o            !< choices and clock of the step
    type(root_supply), intent(in) :: roots         !< what the roots can bring
    type(leaf_problem), intent(in) :: x            !< the columns, settled
    logical, intent(in) :: wanted(lanes)           !< columns whose solution is taken
    type(column_state), intent(inout) :: s(lanes)  !< leaf temperature, canopy water and roughness are advanced
    type(leaf_fluxes), intent(inout) :: f          !< fluxes of leaves and ground
    type(leaf_fluxes) :: new
    real(wp) :: wet_evaporation(lanes)
    integer :: l

    call finish_leaf_fluxes(o, roots, x%air, x%around, x%c, x%now, x%g, x%r, wet_evaporation, new)
    call find_ground_fluxes(x%air, x%around, x%now, x%g, new)
    call find_screen_values(x%air, x%canopy, x%c, x%now, x%g, new)
    f%iterations = f%iterations + merge(x%now%iteration, 0.0_wp, wanted)
    f%sensible = merge(new%sensible, f%sensible, wanted)
    f%evaporation = merge(new%evaporation, f%evaporation, wanted)
    f%transpiration = merge(new%transpiration, f%transpiration, wanted)
    f%demand = merge(new%demand, f%demand, wanted)
    f%longwave_emission = merge(new%longwave_emission, f%longwave_emission, wanted)
    f%precipitation_heat = merge(new%precipitation_heat, f%precipitation_heat, wanted)
    f%ground_sensible = merge(new%ground_sensible, f%ground_sensible, wanted)
    f%ground_evaporation = merge(new%ground_evaporation, f%ground_evaporation, wanted)
    f%ground_sensible_slope = merge(new%ground_sensible_slope, f%ground_sensible_slope, wanted)
    f%ground_evaporation_slope = merge(new%ground_evaporation_slope, f%ground_evaporation_slope, wanted)
    f%dew_conductance = merge(new%dew_conductance, f%dew_conductance, wanted)
    f%humidity_over_ground = merge(new%humidity_over_ground, f%humidity_over_ground, wanted)
    f%vapour_of_air = merge(new%vapour_of_air, f%vapour_of_air, wanted)
    f%screen_temperature = merge(new%screen_temperature, f%screen_temperature, wanted)
    f%screen_humidity = merge(new%screen_humidity, f%screen_humidity, wanted)
    do l = 1, lanes
      if (.not. wanted(l)) cycle
      s(l)%leaf_temperature = x%now%temperature(l)
      s(l)%canopy_water = max(0.0_wp, s(l)%canopy_water - wet_evaporation(l)*o%time_step)
      s(l)%roughness_length = x%canopy%roughness(l)
    end do
  end subroutine keep

  !> What does not depend on leaf temperature: equation (43), absorbed radiation, heights and limits.
  pure subroutine find_constants(p, s, air, canopy, around, time_step, c)
    type(column_parameters), intent(in) :: p(lanes)  !< constants of the columns
    type(column_state), intent(in) :: s(lanes)       !< states at the start of the step
    type(air_block), intent(in) :: air               !< atmosphere
    type(canopy_geometry), intent(in) :: canopy      !< geometry of the canopies
    type(leaf_surroundings), intent(in) :: around    !< what the leaves see
    real(wp), intent(in) :: time_step                !< [s]
    type(leaf_constants), intent(out) :: c           !< constants of the iteration
    real(wp), dimension(lanes) :: gap

    c%capacity = p%carboxylation_capacity
    c%efficiency = p%quantum_efficiency
    c%heat_slope = p%heat_stress_slope
    c%heat_temperature = p%heat_stress_temperature
    c%water_cost = p%water_cost_of_carbon
    c%area = s%leaf_area + s%stem_area*s%exposed_fraction
    gap = s%longwave_gap
    c%water = s%canopy_water
    c%absorbed = around%sunlit_radiation + around%shaded_radiation
    call divide_leaves(s, c)
    c%wet = min(1.0_wp, cube_root(max(0.0_wp, c%water/(canopy_storage_per_area*max(c%area, tiny(1.0_wp)))))**2)
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
    c%most_wet = c%water/time_step
  end subroutine find_constants

  !> First guess: leaves as they were, canopy air midway between ground and air.
  pure subroutine start_iteration(s, air, canopy, around, c, now)
    type(column_state), intent(in) :: s(lanes)     !< states at the start of the step
    type(air_block), intent(in) :: air             !< atmosphere
    type(canopy_geometry), intent(in) :: canopy    !< geometry of the canopies
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(canopy_iterate), intent(out) :: now       !< the first iterate

    now%temperature = s%leaf_temperature
    call saturate(now%temperature, air%pressure, now%vapour_pressure, now%saturated, now%saturated_slope)
    now%air_humidity = 0.5_wp*(around%ground%humidity + air%humidity)
    now%carbon_dioxide = around%carbon_dioxide
    call first_guess(air, c%z_wind, canopy%roughness, &
      air%temperature - 0.5_wp*(around%ground_temperature + air%temperature), air%humidity - now%air_humidity, &
      now%wind, now%obukhov)
    now%step = 0.0_wp
    now%error = 0.0_wp
    now%previous_residual = 0.0_wp
    now%iteration = 0.0_wp
    now%evaporation = 0.0_wp
    now%sign_changes = 0.0_wp
    now%crossing = 0.0_wp
  end subroutine start_iteration

  !> Conductances of the air, the stomata and the ground for the present leaf temperature and stability.
  pure subroutine find_conductances(air, canopy, around, c, now, g)
    type(air_block), intent(in) :: air             !< atmosphere
    type(canopy_geometry), intent(in) :: canopy    !< geometry of the canopies
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(canopy_iterate), intent(inout) :: now     !< leaves and canopy air
    type(canopy_conductances), intent(out) :: g    !< conductances
    type(leaf_kinetics) :: k
    type(carbon_supply) :: carbon
    real(wp), dimension(lanes) :: top_wind, r_ground, leaf_boundary, r_sun, r_shade, net_sun, net_shade, deficit, dry, &
      hindrance

    g%ustar = von_karman*now%wind/momentum_profile(c%z_wind, canopy%roughness, now%obukhov)
    g%to_heat = heat_profile_between(c%z_sink, c%z_temperature, now%obukhov)
    g%to_vapour = g%to_heat
    if (any(air%height_humidity /= air%height_temperature)) &
      g%to_vapour = heat_profile_between(c%z_sink, c%z_humidity, now%obukhov)
    top_wind = g%ustar/von_karman*momentum_profile(canopy%height - canopy%displacement, canopy%roughness, now%obukhov)
    leaf_boundary = leaf_boundary_conductance(canopy, top_wind)
    call find_ground_resistance(canopy, g%ustar, now%obukhov, around%ground_obukhov, now%crossing, r_ground)

    call find_kinetics(now%temperature, c%oxygen, c%capacity, c%heat_slope, c%heat_temperature, around%stress, k)
    deficit = now%vapour_pressure - vapour_pressure(now%air_humidity, air%pressure)
    call find_supply(k, c%water_cost, deficit, now%carbon_dioxide, air%pressure, now%temperature, carbon)
    call find_assimilation(k, carbon, c%scale_sun, c%electron_sun, around%sunlit_light, c%efficiency, net_sun, r_sun)
    call find_assimilation(k, carbon, c%scale_shade, c%electron_shade, around%shaded_light, c%efficiency, net_shade, r_shade)
    g%net_assimilation = net_sun + net_shade

    g%heat_air = von_karman*g%ustar/g%to_heat
    g%heat_ground = 1.0_wp/r_ground
    g%heat_leaf = c%area*leaf_boundary
    g%heat_sum = g%heat_air + g%heat_ground + g%heat_leaf
    g%vapour_air = von_karman*g%ustar/g%to_vapour
    call vapour_exchange(around%ground, now%air_humidity, around%evaporation_factor, g%ground_humidity, &
      g%ground_humidity_slope, hindrance)
    dry = merge(1.0_wp - c%wet, 0.0_wp, now%saturated > now%air_humidity)  ! dew wets all leaves
    g%wet = (1.0_wp - dry)*c%area*leaf_boundary
    g%stomatal = dry*(c%sun/(1.0_wp/leaf_boundary + r_sun*c%sun) + c%shade/(1.0_wp/leaf_boundary + r_shade*c%shade))
    g%vapour_leaf = g%wet + g%stomatal
    ! dew at most from what is in the air
    g%given = max(around%ground_evaporation/air%density, -(g%vapour_air*air%humidity + g%vapour_leaf*now%saturated))
    g%given = merge(g%given, 0.0_wp, around%ground_is_given > 0.0_wp)
    g%vapour_ground = merge(0.0_wp, hindrance*g%heat_ground, around%ground_is_given > 0.0_wp)
    g%vapour_sum = g%vapour_air + g%vapour_ground + g%vapour_leaf
  end subroutine find_conductances

  !> Fluxes and their slopes to leaf temperature with canopy air in balance (equation 44), within their limits
  !> (equation 46).
  pure subroutine find_fluxes(o, roots, air, around, c, now, g, r)
    type(step_options), intent(in) :: o            !< choices and clock of the step
    type(root_supply), intent(in) :: roots         !< what the roots can bring
    type(air_block), intent(in) :: air             !< atmosphere
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(canopy_iterate), intent(in) :: now        !< leaves and canopy air
    type(canopy_conductances), intent(inout) :: g  !< conductances, smaller where limits act
    type(leaf_response), intent(out) :: r          !< fluxes of the leaves
    real(wp), dimension(lanes) :: gradient, gradient_slope, met_share

    r%sensible = air%density*heat_capacity_air*g%heat_leaf/g%heat_sum &
      *(g%heat_air*(now%temperature - air%temperature) + g%heat_ground*(now%temperature - around%ground_temperature))
    r%sensible_slope = air%density*heat_capacity_air*g%heat_leaf/g%heat_sum*(g%heat_air + g%heat_ground)
    gradient = air%density*(g%vapour_air*(now%saturated - air%humidity) &
      + g%vapour_ground*(now%saturated - g%ground_humidity) - g%given)/g%vapour_sum
    gradient_slope = air%density*(g%vapour_air + g%vapour_ground)/g%vapour_sum*now%saturated_slope
    r%demand = min(c%limit, g%stomatal*gradient)
    r%demand_slope = merge(g%stomatal*gradient_slope, 0.0_wp, r%demand < c%limit)
    call take_up(roots, r%demand, r%transpiration, met_share)
    r%transpiration_slope = met_share*r%demand_slope
    r%wet_evaporation = min(c%most_wet, g%wet*gradient)
    r%wet_slope = merge(g%wet*gradient_slope, 0.0_wp, r%wet_evaporation < c%most_wet)
    if (.not. o%published_numerics) call hold_back(roots, air, c, now, gradient, g, r)
    r%longwave = c%sky_and_ground - c%emission*now%temperature**4
    r%longwave_slope = -4.0_wp*c%emission*now%temperature**3
  end subroutine find_fluxes

  !> Step of leaf temperature towards equation (45): equation (63).
  !>
  !> The slopes of the fluxes leave out what stomata and stability do; the secant of the last two residuals has it. A slope
  !> far from that of the fluxes is not one of temperature, but of what else has changed.
  pure subroutine step_temperature(around, c, r, now)
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(leaf_response), intent(in) :: r           !< fluxes of the leaves
    type(canopy_iterate), intent(inout) :: now     !< leaves and canopy air
    real(wp), dimension(lanes) :: residual, slope, secant, last_change

    residual = c%absorbed + r%longwave - r%sensible - latent_heat_vaporisation*(r%transpiration + r%wet_evaporation) &
      + around%interception_capacity*(around%precipitation_temperature - now%temperature)
    slope = r%sensible_slope + latent_heat_vaporisation*(r%transpiration_slope + r%wet_slope) - r%longwave_slope &
      + around%interception_capacity
    last_change = sign(max(1.0e-6_wp, abs(now%previous_step)), now%previous_step)
    secant = (now%previous_residual - residual)/last_change
    secant = max(merge(least_slope, 1.0_wp, now%iteration <= fast_iterations)*slope, min(largest_slope*slope, secant))
    slope = merge(secant, slope, now%iteration > 1.0_wp)
    now%step = max(-largest_step, min(largest_step, residual/slope))
    now%step = merge(slow_step*now%step, now%step, now%iteration > fast_iterations)
    now%error = abs(residual)
    now%previous_residual = residual
    now%temperature = now%temperature + now%step
  end subroutine step_temperature

  !> Damped Newton step of leaf temperature for equation (45) as the published library has it.
  pure subroutine step_as_published(around, c, r, now)
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(leaf_response), intent(in) :: r           !< fluxes of the leaves
    type(canopy_iterate), intent(inout) :: now     !< leaves and canopy air
    real(wp), dimension(lanes) :: evaporation, effective, latent_slope

    evaporation = r%transpiration + r%wet_evaporation
    ! on a dry canopy transpiration and dew alternate wildly
    effective = merge(0.1_wp*evaporation, evaporation, c%water <= 1.0e-12_wp .and. evaporation*now%evaporation < 0.0_wp)
    now%evaporation = evaporation
    latent_slope = latent_heat_vaporisation*(r%transpiration_slope + r%wet_slope)
    now%step = (c%absorbed + r%longwave - r%sensible - latent_heat_vaporisation*effective &
      + around%interception_capacity*(around%precipitation_temperature - now%temperature)) &
      /(r%sensible_slope + latent_slope - r%longwave_slope + around%interception_capacity)
    now%step = max(-largest_step, min(largest_step, now%step))
    ! two capped steps of opposite sign average to zero; the step after that still belongs to the alternation
    now%step = merge(0.5_wp*(now%step + now%previous_step), now%step, &
      now%iteration > 1.0_wp .and. now%step*now%previous_step <= 0.0_wp)
    now%error = abs(now%step)*sqrt(r%longwave_slope**2 + r%sensible_slope**2 + latent_slope**2)
    now%temperature = now%temperature + now%step
  end subroutine step_as_published

  !> Canopy air at the new leaf temperature (equation 44), and the stability that belongs to it.
  pure subroutine balance_canopy_air(o, air, around, c, g, now)
    type(step_options), intent(in) :: o            !< choices and clock of the step
    type(air_block), intent(in) :: air             !< atmosphere
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(canopy_conductances), intent(in) :: g     !< conductances
    type(canopy_iterate), intent(inout) :: now     !< leaves and canopy air
    real(wp), dimension(lanes) :: tstar, qstar, given_humidity

    call saturate(now%temperature, air%pressure, now%vapour_pressure, now%saturated, now%saturated_slope)
    now%air_temperature = (g%heat_air*air%temperature + g%heat_ground*around%ground_temperature &
      + g%heat_leaf*now%temperature)/g%heat_sum
    now%from_air = g%vapour_air*air%humidity
    now%from_leaves = g%vapour_leaf*now%saturated
    now%air_humidity = (now%from_air + g%vapour_ground*g%ground_humidity + now%from_leaves)/g%vapour_sum
    given_humidity = max(0.0_wp, now%air_humidity + g%given/g%vapour_sum)
    now%air_humidity = merge(given_humidity, now%air_humidity, around%ground_is_given > 0.0_wp)
    now%carbon_dioxide = around%carbon_dioxide - carbon_dioxide_exchange*air%pressure &
      *(g%net_assimilation - soil_respiration) &
      /max(least_air_conductance, g%heat_air*molar_conductance(air%pressure, air%temperature))
    tstar = von_karman*(air%temperature - now%air_temperature)/g%to_heat
    qstar = von_karman*(air%humidity - now%air_humidity)/g%to_vapour
    now%previous_obukhov = now%obukhov
    call update_stability(air, c%z_wind, g%ustar, tstar, qstar, now%wind, now%obukhov)
    if (o%settle_leaves) now%obukhov = merge(1.0_wp/(slow_stability/now%obukhov &
      + (1.0_wp - slow_stability)/now%previous_obukhov), now%obukhov, now%iteration > fast_iterations)
    now%sign_changes = now%sign_changes + merge(1.0_wp, 0.0_wp, now%previous_obukhov*now%obukhov < 0.0_wp &
      .and. now%iteration > merge(fast_iterations, 1.0_wp, o%settle_leaves))
    ! undecided: nearly neutral from here on
    now%obukhov = merge(-100.0_wp*c%z_wind, now%obukhov, now%sign_changes >= allowed_sign_changes)
  end subroutine balance_canopy_air

  !> Advance the fluxes of the leaves with the last step; water limits hold again.
  pure subroutine finish_leaf_fluxes(o, roots, air, around, c, now, g, r, wet_evaporation, f)
    type(step_options), intent(in) :: o              !< choices and clock of the step
    type(root_supply), intent(in) :: roots           !< what the roots can bring
    type(air_block), intent(in) :: air               !< atmosphere
    type(leaf_surroundings), intent(in) :: around    !< what the leaves see
    type(leaf_constants), intent(in) :: c            !< constants of the iteration
    type(canopy_iterate), intent(in) :: now          !< leaves and canopy air
    type(canopy_conductances), intent(in) :: g       !< conductances
    type(leaf_response), intent(in) :: r             !< fluxes of the leaves
    real(wp), intent(out) :: wet_evaporation(lanes)  !< of the water on the leaves [kg m-2 s-1]
    type(leaf_fluxes), intent(inout) :: f            !< fluxes of leaves and ground
    real(wp), dimension(lanes) :: sensible, transpiration, met_share, given, start

    sensible = r%sensible + r%sensible_slope*now%step
    f%demand = r%demand + r%demand_slope*now%step
    call take_up(roots, f%demand, transpiration, met_share)
    wet_evaporation = r%wet_evaporation + r%wet_slope*now%step
    if (.not. o%published_numerics) then
      ! the last linear step can go below zero: dew
      wet_evaporation = wet_evaporation + min(0.0_wp, transpiration)
      transpiration = max(0.0_wp, transpiration)
    end if
    wet_evaporation = min(wet_evaporation, c%most_wet)
    f%vapour_of_air = air%density*g%vapour_air*air%humidity
    ! an iteration that has not settled must not take more dew than there is vapour, either
    given = air%density*g%given
    wet_evaporation = merge(max(wet_evaporation, -f%vapour_of_air - max(0.0_wp, given) - transpiration), wet_evaporation, &
      around%ground_is_given > 0.0_wp)
    f%ground_evaporation = max(given, -f%vapour_of_air - transpiration - wet_evaporation)
    f%transpiration = transpiration
    f%evaporation = transpiration + wet_evaporation
    f%precipitation_heat = around%interception_capacity*(around%precipitation_temperature - now%temperature)
    start = now%temperature - now%step
    f%longwave_emission = stefan_boltzmann*(start**4 + 4.0_wp*start**3*now%step)
    ! what damping and limits have left over warms the air
    f%sensible = sensible + (c%absorbed + r%longwave + r%longwave_slope*now%step - sensible &
      - latent_heat_vaporisation*f%evaporation + f%precipitation_heat)
  end subroutine finish_leaf_fluxes

  !> Heat and vapour of the ground below the canopy, with slopes to its temperature.
  pure subroutine find_ground_fluxes(air, around, now, g, f)
    type(air_block), intent(in) :: air             !< atmosphere
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(canopy_iterate), intent(in) :: now        !< leaves and canopy air
    type(canopy_conductances), intent(in) :: g     !< conductances
    type(leaf_fluxes), intent(inout) :: f          !< fluxes of leaves and ground
    real(wp), dimension(lanes) :: other

    f%ground_sensible = air%density*heat_capacity_air*g%heat_ground*(around%ground_temperature - now%air_temperature)
    f%ground_sensible_slope = air%density*heat_capacity_air*g%heat_ground*(1.0_wp - g%heat_ground/g%heat_sum)
    f%ground_evaporation = merge(f%ground_evaporation, &
      air%density*g%vapour_ground*(g%ground_humidity - now%air_humidity), around%ground_is_given > 0.0_wp)
    f%ground_evaporation_slope = air%density*g%vapour_ground*(1.0_wp - g%vapour_ground/g%vapour_sum) &
      *g%ground_humidity_slope
    other = g%vapour_air + g%vapour_leaf
    f%dew_conductance = air%density*g%heat_ground*other/(other + g%heat_ground)
    f%humidity_over_ground = (now%from_air + now%from_leaves)/other
  end subroutine find_ground_fluxes

  !> Temperature and humidity 2 m above the level that exchanges heat.
  pure subroutine find_screen_values(air, canopy, c, now, g, f)
    type(air_block), intent(in) :: air           !< atmosphere
    type(canopy_geometry), intent(in) :: canopy  !< geometry of the canopies
    type(leaf_constants), intent(in) :: c        !< constants of the iteration
    type(canopy_iterate), intent(in) :: now      !< leaves and canopy air
    type(canopy_conductances), intent(in) :: g   !< conductances
    type(leaf_fluxes), intent(inout) :: f        !< fluxes of leaves and ground
    real(wp), dimension(lanes) :: to_screen, share

    to_screen = heat_profile_between(c%z_sink, c%z_sink + screen_height, now%previous_obukhov)
    share = screen_share(c%z_sink, c%z_temperature, to_screen, g%to_heat)
    f%screen_temperature = now%air_temperature + share*(air%temperature - now%air_temperature) &
      - dry_adiabatic_lapse*(canopy%sink_height + screen_height)
    f%screen_humidity = now%air_humidity + share*(air%humidity - now%air_humidity)
  end subroutine find_screen_values

  !> Where limits hold vapour of the leaves back, stomata close and films shrink until canopy air gets no more than that.
  pure subroutine hold_back(roots, air, c, now, gradient, g, r)
    type(root_supply), intent(in) :: roots         !< what the roots can bring
    type(air_block), intent(in) :: air             !< atmosphere
    type(leaf_constants), intent(in) :: c          !< constants of the iteration
    type(canopy_iterate), intent(in) :: now        !< leaves and canopy air
    real(wp), intent(in) :: gradient(lanes)        !< vapour that a conductance of the leaves gives off [kg m-2 s-1 (m s-1)-1]
    type(canopy_conductances), intent(inout) :: g  !< conductances that belong to the fluxes
    type(leaf_response), intent(inout) :: r        !< fluxes within their limits, with their slopes
    real(wp), dimension(lanes) :: other, pull, total, demand, responding, transpiration, met_share, stomatal, wet, &
      wet_evaporation, slope
    logical, dimension(lanes) :: held, dries_out, closes

    held = r%transpiration + r%wet_evaporation < (g%stomatal + g%wet)*gradient
    if (.not. any(held)) return
    other = g%vapour_air + g%vapour_ground
    pull = merge(gradient*g%vapour_sum, 1.0_wp, held)
    total = other + g%stomatal + g%wet
    dries_out = g%wet*pull/total >= c%most_wet
    total = merge((other + g%stomatal)*pull/(pull - c%most_wet), total, dries_out)
    demand = min(c%limit, g%stomatal*pull/total)
    responding = merge(g%stomatal, 0.0_wp, demand < c%limit)
    call take_up(roots, demand, transpiration, met_share)
    closes = transpiration < g%stomatal*pull/total
    total = merge((other + g%wet)*pull/(pull - transpiration), total, closes .and. .not. dries_out)
    dries_out = dries_out .or. (closes .and. g%wet*pull/total >= c%most_wet)
    total = merge(other*pull/(pull - transpiration - c%most_wet), total, closes .and. dries_out)
    stomatal = merge(transpiration*total/pull, g%stomatal, closes)
    wet_evaporation = merge(c%most_wet, g%wet*pull/total, dries_out)
    wet = merge(c%most_wet*total/pull, g%wet, dries_out)

    g%stomatal = merge(stomatal, g%stomatal, held)
    g%wet = merge(wet, g%wet, held)
    g%vapour_leaf = merge(g%wet + g%stomatal, g%vapour_leaf, held)
    g%vapour_sum = merge(other + g%vapour_leaf, g%vapour_sum, held)
    slope = air%density*other/g%vapour_sum*now%saturated_slope
    r%demand = merge(demand, r%demand, held)
    r%demand_slope = merge(responding*slope, r%demand_slope, held)
    r%transpiration = merge(transpiration, r%transpiration, held)
    r%transpiration_slope = merge(met_share*responding*slope, r%transpiration_slope, held)
    r%wet_evaporation = merge(wet_evaporation, r%wet_evaporation, held)
    r%wet_slope = merge(merge(g%wet*slope, 0.0_wp, wet_evaporation < c%most_wet), r%wet_slope, held)
  end subroutine hold_back

  !> Sunlit and shaded leaf area, and their shares of the canopy's capacities, which decline with depth: equation (43).
  pure subroutine divide_leaves(s, c)
    type(column_state), intent(in) :: s(lanes)  !< states at the start of the step
    type(leaf_constants), intent(inout) :: c    !< areas and scales are set
    real(wp), dimension(lanes) :: leaf_area, extinction, depth, fraction

    leaf_area = s%leaf_area
    extinction = s%extinction_direct
    depth = min(40.0_wp, extinction*leaf_area)
    fraction = (1.0_wp - exponential(-depth))/max(depth, 1.0e-6_wp)
    c%sun = merge(fraction, 0.5_wp, s%cosine_zenith > 0.0_wp .and. c%absorbed >= 1.0_wp)*leaf_area
    c%shade = leaf_area - c%sun
    fraction = extinction_of_capacity
    call scale(fraction, c%scale_sun, c%scale_shade)
    fraction = s%extinction_diffuse
    call scale(fraction, c%electron_sun, c%electron_shade)

  contains

    !> Effective leaf areas where a capacity declines with depth.
    pure subroutine scale(decline, into_sun, into_shade)
      real(wp), intent(in) :: decline(lanes)      !< of the capacity, per leaf area [m2 m-2]
      real(wp), intent(out) :: into_sun(lanes)    !< effective area of sunlit leaves [m2 m-2]
      real(wp), intent(out) :: into_shade(lanes)  !< effective area of shaded leaves [m2 m-2]
      into_sun = (1.0_wp - exponential(-(decline + extinction)*leaf_area))/(decline + extinction)
      into_shade = (1.0_wp - exponential(-decline*leaf_area))/decline - into_sun
    end subroutine scale
  end subroutine divide_leaves
end module colm_leaf_temperature
