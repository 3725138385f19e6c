!> Energy and vapour between leaves, ground and air in one step, within the water that each of them holds.
!>
!> Leaves and ground are solved without a bound on the ground's vapour first. Where the ground would then give off more
!> than it has, or dew would take more than the air has, both are solved again with the ground's vapour given, so that
!> temperatures and heat fluxes are those of the smaller flux.
!>
!> Equation (47) of docs/theory.md.
module colm_surface_balance
  use colm_constants, only: wp, lanes, latent_heat_vaporisation, latent_heat_sublimation, stefan_boltzmann
  use colm_types, only: n_snow, step_options, column_parameters, column_state
  use colm_humidity, only: saturation
  use colm_similarity, only: air_block, bare_exchange
  use colm_canopy_air, only: canopy_geometry
  use colm_throughfall, only: falling_water
  use colm_leaf_temperature, only: leaf_surroundings, leaf_fluxes, solve_leaves
  use colm_surface_exchange, only: exchange_without_canopy
  use colm_ground_temperature, only: advance_ground_temperature
  use colm_soil_water, only: root_supply, limit_roots, uptake_of_layer
  implicit none
  private
  public :: surface_limits, surface_fluxes, surface_block, find_limits, balance_surfaces

  !> Water that the step can take at most.
  type :: surface_limits
    real(wp) :: ground                 !< from the top layer, be it snow or soil [kg m-2 s-1]
    logical :: shared = .false.        !< ground and roots take from the same top layer
    real(wp) :: liquid = huge(1.0_wp)  !< part of `ground` that is liquid; beyond that ice goes [kg m-2 s-1]
  end type surface_limits

  !> Fluxes of the ground of one column at its temperature at the end of the step.
  type :: surface_fluxes
    real(wp) :: ground_sensible      !< sensible heat of the ground [W m-2]
    real(wp) :: ground_evaporation   !< vapour from the ground [kg m-2 s-1]
    real(wp) :: latent_heat          !< that the ground's balance has counted [J kg-1]
    real(wp) :: longwave_below       !< downward, below the canopy [W m-2]
    real(wp) :: warming              !< of the top layer [K]
    real(wp) :: bulk_melt            !< of snow that has no layers [kg m-2 s-1]
    real(wp) :: phase_heat           !< taken up by melting [W m-2]
    real(wp) :: stored_heat          !< taken up by warming [W m-2]
    logical :: snow_melts(n_snow)    !< layers of snow that melt
  end type surface_fluxes

  !> Surfaces of a block of columns between the air above and the ground below.
  type :: surface_block
    type(air_block) :: air                !< atmosphere
    type(bare_exchange) :: bare           !< exchange of the ground if it were bare
    type(canopy_geometry) :: canopy       !< geometry of the canopies
    type(leaf_surroundings) :: around     !< what the leaves see
    type(root_supply) :: roots            !< what the roots can bring
    type(leaf_fluxes) :: leaf             !< fluxes of the leaves
    logical :: covered(lanes)             !< leaves and stems are above the snow
    logical :: conserve(lanes)            !< water keeps its mass and heat
    real(wp) :: ground_solar(lanes)       !< shortwave radiation absorbed by the ground [W m-2]
    type(falling_water) :: fall(lanes)    !< what reaches the ground
    type(surface_limits) :: limits(lanes) !< water that the step can take
    type(surface_fluxes) :: ground(lanes) !< fluxes of the ground
  end type surface_block

contains

  !> Limits of the step: snow, ice and open water give all that the top layer has, soil what the groundwater lets go.
  !>
  !> Where ice comes on top of the groundwater's water, it may sublimate as a whole.
  pure subroutine find_limits(available, body, conserve, time_step, s, roots, limits)
    real(wp), intent(in) :: available(:)         !< water that the groundwater lets go [kg m-2]
    logical, intent(in) :: body                  !< ice or open water, not soil
    logical, intent(in) :: conserve              !< ice is part of the groundwater's water
    real(wp), intent(in) :: time_step            !< length of the step [s]
    type(column_state), intent(in) :: s          !< state of the column
    real(wp), intent(out) :: roots(:)            !< what roots can take from each layer [kg m-2 s-1]
    type(surface_limits), intent(out) :: limits  !< water that the step can take
    integer :: top

    top = n_snow + 1 - s%snow_layers
    roots = max(0.0_wp, min(available, s%liquid(n_snow + 1:)))/time_step
    limits%shared = .not. body .and. s%snow_layers == 0
    if (.not. limits%shared) then
      limits%ground = (s%liquid(top) + s%ice(top))/time_step
    else if (conserve) then
      limits%ground = max(0.0_wp, min(available(1), s%liquid(top) + s%ice(top)))/time_step
    else
      limits%ground = roots(1) + s%ice(top)/time_step
      limits%liquid = roots(1)
    end if
  end subroutine find_limits

  !> Leaf, snow and soil temperature, canopy water and phases of the layers are advanced.
  subroutine balance_surfaces(o, p, s, x)
    type(step_options), intent(in) :: o             !< choices and clock of the step
    type(column_parameters), intent(in) :: p(:, :)  !< constants of the columns (lanes, blocks)
    type(column_state), intent(inout) :: s(:, :)    !< states of the columns
    type(surface_block), intent(inout) :: x(:)      !< surfaces of the blocks; their fluxes are set
    real(wp), dimension(size(s(1, 1)%temperature), lanes, size(x)) :: temperature, liquid, ice
    real(wp), dimension(lanes, size(x)) :: leaf_temperature, canopy_water, roughness_length, snow_water, snow_depth
    real(wp) :: given
    logical, dimension(lanes, size(x)) :: wanted
    integer :: b, l

    wanted = .true.
    if (o%published_numerics) then
      call solve(o, p, wanted, s, x)
      return
    end if
    ! what is advanced, as it was: a copy of the whole state would cost as much as the balance of bare ground
    do b = 1, size(x)
      do l = 1, lanes
        temperature(:, l, b) = s(l, b)%temperature
        liquid(:, l, b) = s(l, b)%liquid
        ice(:, l, b) = s(l, b)%ice
      end do
      call limit_roots(x(b)%roots)
    end do
    leaf_temperature = s%leaf_temperature
    canopy_water = s%canopy_water
    roughness_length = s%roughness_length
    snow_water = s%snow_water
    snow_depth = s%snow_depth
    call solve(o, p, wanted, s, x)
    do b = 1, size(x)
      do l = 1, lanes
        call bound_ground(x(b)%air%pressure(l), x(b)%limits(l), x(b)%roots, l, s(l, b), x(b)%leaf, x(b)%ground(l), &
          wanted(l, b), given)
        if (.not. wanted(l, b)) cycle
        s(l, b)%temperature(:) = temperature(:, l, b)
        s(l, b)%liquid(:) = liquid(:, l, b)
        s(l, b)%ice(:) = ice(:, l, b)
        s(l, b)%leaf_temperature = leaf_temperature(l, b)
        s(l, b)%canopy_water = canopy_water(l, b)
        s(l, b)%roughness_length = roughness_length(l, b)
        s(l, b)%snow_water = snow_water(l, b)
        s(l, b)%snow_depth = snow_depth(l, b)
        x(b)%around%ground_is_given(l) = 1.0_wp
        x(b)%around%ground_evaporation(l) = given
        if (x(b)%limits(l)%shared) x(b)%roots%limit(l, 1) = max(0.0_wp, x(b)%roots%limit(l, 1) - max(0.0_wp, given))
      end do
      if (any(wanted(:, b))) call limit_roots(x(b)%roots)
    end do
    if (any(wanted)) call solve(o, p, wanted, s, x)
  end subroutine balance_surfaces

  !> Leaves with the ground at its temperature at the start of the step, then the ground.
  subroutine solve(o, p, wanted, s, x)
    type(step_options), intent(in) :: o             !< choices and clock of the step
    type(column_parameters), intent(in) :: p(:, :)  !< constants of the columns (lanes, blocks)
    logical, intent(in) :: wanted(:, :)             !< columns to solve; nothing of the others is changed
    type(column_state), intent(inout) :: s(:, :)    !< states of the columns
    type(surface_block), intent(inout) :: x(:)      !< surfaces of the blocks; their fluxes are set
    logical, dimension(lanes, size(x)) :: with_leaves
    integer :: b, l

    do b = 1, size(x)
      with_leaves(:, b) = wanted(:, b) .and. x(b)%covered
    end do
    if (any(with_leaves)) call solve_leaves(o, p, s, x%air, x%canopy, x%around, x%roots, with_leaves, x%leaf)
    do b = 1, size(x)
      if (any(wanted(:, b) .and. .not. with_leaves(:, b))) call exchange_without_canopy(x(b)%air, x(b)%bare, x(b)%around, &
        wanted(:, b) .and. .not. with_leaves(:, b), x(b)%leaf)
      do l = 1, lanes
        if (.not. wanted(l, b)) cycle
        if (x(b)%conserve(l) .and. x(b)%leaf%transpiration(l) < 0.0_wp) then
          ! the last linear step of the iteration can go below zero: dew
          s(l, b)%canopy_water = s(l, b)%canopy_water - x(b)%leaf%transpiration(l)*o%time_step
          x(b)%leaf%transpiration(l) = 0.0_wp
        end if
      end do
      if (any(wanted(:, b))) call solve_ground(p(:, b), o%time_step, wanted(:, b), s(:, b), x(b))
    end do
  end subroutine solve

  !> Temperature of the ground of a block of columns in balance with what it gives to the air.
  pure subroutine solve_ground(p, time_step, wanted, s, x)
    type(column_parameters), intent(in) :: p(lanes)  !< constants of the columns
    real(wp), intent(in) :: time_step                !< length of the step [s]
    logical, intent(in) :: wanted(lanes)             !< columns to solve; nothing of the others is changed
    type(column_state), intent(inout) :: s(lanes)    !< states of the columns
    type(surface_block), intent(inout) :: x          !< surfaces of the block; fluxes of the ground are set
    real(wp), dimension(lanes) :: t0, latent_heat, longwave_below, hs, hs_slope, bulk_melt, phase_heat, stored_heat
    logical :: snow_melts(n_snow, lanes)
    integer :: l, top

    t0 = x%around%ground_temperature
    do l = 1, lanes
      top = n_snow + 1 - s(l)%snow_layers
      latent_heat(l) = latent_heat_vaporisation
      if (s(l)%liquid(top) <= 0.0_wp .and. s(l)%ice(top) > 0.0_wp) latent_heat(l) = latent_heat_sublimation
    end do
    longwave_below = s%longwave_gap*x%around%longwave + (1.0_wp - s%longwave_gap)*x%leaf%longwave_emission
    hs = x%ground_solar - x%fall%melt_heat + x%around%emissivity*(longwave_below - stefan_boltzmann*t0**4) &
      - x%leaf%ground_sensible - latent_heat*x%leaf%ground_evaporation + x%fall%heat_capacity*(x%fall%temperature - t0)
    hs_slope = -(x%leaf%ground_sensible_slope + latent_heat*x%leaf%ground_evaporation_slope) &
      - 4.0_wp*x%around%emissivity*stefan_boltzmann*t0**3 - x%fall%heat_capacity
    call advance_ground_temperature(p, s, wanted, hs, hs_slope, time_step, x%conserve, bulk_melt, phase_heat, stored_heat, &
      snow_melts)
    do l = 1, lanes
      if (.not. wanted(l)) cycle
      associate (f => x%ground(l))
        f%latent_heat = latent_heat(l)
        f%longwave_below = longwave_below(l)
        f%warming = s(l)%temperature(n_snow + 1 - s(l)%snow_layers) - t0(l)
        f%ground_sensible = x%leaf%ground_sensible(l) + x%leaf%ground_sensible_slope(l)*f%warming
        f%ground_evaporation = x%leaf%ground_evaporation(l) + x%leaf%ground_evaporation_slope(l)*f%warming
        f%bulk_melt = bulk_melt(l)
        f%phase_heat = phase_heat(l)
        f%stored_heat = stored_heat(l)
        f%snow_melts = snow_melts(:, l)
      end associate
    end do
  end subroutine solve_ground

  !> Whether the vapour of one column's ground is beyond what it, or the air, can give, and the flux that is not.
  !>
  !> The flux grows linearly with the ground's temperature over the step. A ground that cools far goes from evaporation
  !> to dew on that line, from air that is not saturated; dew of the end of the step takes its place.
  pure subroutine bound_ground(pressure, limits, roots, l, s, leaf, f, beyond, given)
    real(wp), intent(in) :: pressure            !< of the air [Pa]
    type(surface_limits), intent(in) :: limits  !< water that the step can take
    type(root_supply), intent(in) :: roots      !< what the roots can bring
    integer, intent(in) :: l                    !< lane of the column
    type(column_state), intent(in) :: s         !< state of the column
    type(leaf_fluxes), intent(in) :: leaf       !< fluxes of the leaves
    type(surface_fluxes), intent(in) :: f       !< fluxes of the ground
    logical, intent(out) :: beyond              !< the flux is more than there is
    real(wp), intent(out) :: given              !< vapour of the ground that there is [kg m-2 s-1]
    real(wp) :: most, e, e_slope, q, q_slope
    integer :: top

    given = f%ground_evaporation
    most = limits%ground
    if (limits%shared) most = max(0.0_wp, most - uptake_of_layer(roots, leaf%demand(l), l, 1))
    if (given > most) then
      beyond = .true.
      given = most
    else if (given < 0.0_wp .and. (leaf%ground_evaporation(l) >= 0.0_wp &
      .or. given < -leaf%dew_conductance(l)*leaf%humidity_over_ground(l))) then
      beyond = .true.
      top = n_snow + 1 - s%snow_layers
      call saturation(s%temperature(top), pressure, e, e_slope, q, q_slope)
      given = min(0.0_wp, leaf%dew_conductance(l)*(q - leaf%humidity_over_ground(l)))
    else
      ! leaves may have taken up, as dew, vapour of the ground that has not come to be
      beyond = leaf%evaporation(l) + given < -leaf%vapour_of_air(l)
    end if
  end subroutine bound_ground
end module colm_surface_balance
