!> Energy and vapour between leaves, ground and air in one step, within the water that each of them holds.
!>
!> Leaves and ground are solved without a bound on the ground's vapour first. Where the ground would then give off more
!> than it has, or dew would take more than the air has, both are solved again with the ground's vapour given, so that
!> temperatures and heat fluxes are those of the smaller flux.
!>
!> Equation (47) of docs/theory.md.
module colm_surface_balance
  use colm_constants, only: wp, latent_heat_vaporisation, latent_heat_sublimation, stefan_boltzmann
  use colm_types, only: n_snow, column_parameters, column_state
  use colm_humidity, only: saturation
  use colm_similarity, only: air_column, bare_exchange
  use colm_canopy_air, only: canopy_geometry
  use colm_throughfall, only: falling_water
  use colm_leaf_temperature, only: leaf_surroundings, leaf_fluxes, solve_leaf
  use colm_surface_exchange, only: exchange_without_canopy
  use colm_ground_temperature, only: advance_ground_temperature
  use colm_soil_water, only: root_supply, limit_roots, uptake_of_layer
  implicit none
  private
  public :: surface_limits, surface_fluxes, find_limits, balance_surface

  !> Water that the step can take at most.
  type :: surface_limits
    logical :: hold = .false.          !< the limits are kept
    real(wp) :: ground                 !< from the top layer, be it snow or soil [kg m-2 s-1]
    logical :: shared = .false.        !< ground and roots take from the same top layer
    real(wp) :: liquid = huge(1.0_wp)  !< part of `ground` that is liquid; beyond that ice goes [kg m-2 s-1]
  end type surface_limits

  !> Fluxes to the air, those of the ground at its temperature at the end of the step.
  type :: surface_fluxes
    type(leaf_fluxes) :: leaf        !< of the leaves
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
    limits%hold = .true.
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
  pure subroutine balance_surface(p, air, bare, canopy, has_canopy, fall, ground_solar, limits, time_step, conserve, &
    around, s, f)
    type(column_parameters), intent(in) :: p          !< constants of the column
    type(air_column), intent(in) :: air               !< atmosphere
    type(bare_exchange), intent(in) :: bare           !< exchange of the ground if it were bare
    type(canopy_geometry), intent(in) :: canopy       !< geometry of the canopy
    logical, intent(in) :: has_canopy                 !< leaves and stems are above the snow
    type(falling_water), intent(in) :: fall           !< what reaches the ground
    real(wp), intent(in) :: ground_solar              !< shortwave radiation absorbed by the ground [W m-2]
    type(surface_limits), intent(in) :: limits        !< water that the step can take
    real(wp), intent(in) :: time_step                 !< length of the step [s]
    logical, intent(in) :: conserve                   !< water keeps its mass and heat
    type(leaf_surroundings), intent(inout) :: around  !< what the leaves see
    type(column_state), intent(inout) :: s            !< state of the column
    type(surface_fluxes), intent(out) :: f            !< fluxes to the air and within the ground
    real(wp), dimension(size(s%temperature)) :: temperature, liquid, ice
    real(wp) :: leaf_temperature, canopy_water, roughness_length, snow_water, snow_depth, given
    logical :: beyond

    if (.not. limits%hold) then
      call solve(p, air, bare, canopy, has_canopy, fall, ground_solar, time_step, conserve, around, s, f)
      return
    end if
    ! what is advanced, as it was: a copy of the whole state would cost as much as the balance of bare ground
    temperature = s%temperature
    liquid = s%liquid
    ice = s%ice
    leaf_temperature = s%leaf_temperature
    canopy_water = s%canopy_water
    roughness_length = s%roughness_length
    snow_water = s%snow_water
    snow_depth = s%snow_depth
    around%bounded = .true.
    if (has_canopy) call limit_roots(around%roots)
    call solve(p, air, bare, canopy, has_canopy, fall, ground_solar, time_step, conserve, around, s, f)
    call bound_ground(air, limits, around%roots, s, f, beyond, given)
    if (.not. beyond) return
    s%temperature(:) = temperature
    s%liquid(:) = liquid
    s%ice(:) = ice
    s%leaf_temperature = leaf_temperature
    s%canopy_water = canopy_water
    s%roughness_length = roughness_length
    s%snow_water = snow_water
    s%snow_depth = snow_depth
    around%ground_is_given = .true.
    around%ground_evaporation = given
    if (limits%shared) around%roots%limit(1) = max(0.0_wp, around%roots%limit(1) - max(0.0_wp, given))
    if (has_canopy) call limit_roots(around%roots)
    call solve(p, air, bare, canopy, has_canopy, fall, ground_solar, time_step, conserve, around, s, f)
  end subroutine balance_surface

  !> Leaves with the ground at its temperature at the start of the step, then the ground.
  pure subroutine solve(p, air, bare, canopy, has_canopy, fall, ground_solar, time_step, conserve, around, s, f)
    type(column_parameters), intent(in) :: p       !< constants of the column
    type(air_column), intent(in) :: air            !< atmosphere
    type(bare_exchange), intent(in) :: bare        !< exchange of the ground if it were bare
    type(canopy_geometry), intent(in) :: canopy    !< geometry of the canopy
    logical, intent(in) :: has_canopy              !< leaves and stems are above the snow
    type(falling_water), intent(in) :: fall        !< what reaches the ground
    real(wp), intent(in) :: ground_solar           !< shortwave radiation absorbed by the ground [W m-2]
    real(wp), intent(in) :: time_step              !< length of the step [s]
    logical, intent(in) :: conserve                !< water keeps its mass and heat
    type(leaf_surroundings), intent(in) :: around  !< what the leaves see
    type(column_state), intent(inout) :: s         !< state of the column
    type(surface_fluxes), intent(out) :: f         !< fluxes to the air and within the ground
    real(wp) :: t0, hs, hs_slope
    integer :: top

    if (has_canopy) then
      call solve_leaf(p, s, air, canopy, around, time_step, f%leaf)
      if (conserve .and. f%leaf%transpiration < 0.0_wp) then
        ! the last linear step of the iteration can go below zero: dew
        s%canopy_water = s%canopy_water - f%leaf%transpiration*time_step
        f%leaf%transpiration = 0.0_wp
      end if
    else
      call exchange_without_canopy(air, bare, around, f%leaf)
    end if

    top = n_snow + 1 - s%snow_layers
    t0 = around%ground_temperature
    f%latent_heat = latent_heat_vaporisation
    if (s%liquid(top) <= 0.0_wp .and. s%ice(top) > 0.0_wp) f%latent_heat = latent_heat_sublimation
    f%longwave_below = s%longwave_gap*around%longwave + (1.0_wp - s%longwave_gap)*f%leaf%longwave_emission
    hs = ground_solar - fall%melt_heat + around%emissivity*(f%longwave_below - stefan_boltzmann*t0**4) &
      - f%leaf%ground_sensible - f%latent_heat*f%leaf%ground_evaporation + fall%heat_capacity*(fall%temperature - t0)
    hs_slope = -(f%leaf%ground_sensible_slope + f%latent_heat*f%leaf%ground_evaporation_slope) &
      - 4.0_wp*around%emissivity*stefan_boltzmann*t0**3 - fall%heat_capacity
    call advance_ground_temperature(p, s, top, hs, hs_slope, time_step, conserve, f%bulk_melt, f%phase_heat, f%stored_heat, &
      f%snow_melts)
    f%warming = s%temperature(top) - t0
    f%ground_sensible = f%leaf%ground_sensible + f%leaf%ground_sensible_slope*f%warming
    f%ground_evaporation = f%leaf%ground_evaporation + f%leaf%ground_evaporation_slope*f%warming
  end subroutine solve

  !> Whether the ground's vapour is beyond what it, or the air, can give, and the flux that is not.
  !>
  !> The flux grows linearly with the ground's temperature over the step. A ground that cools far goes from evaporation
  !> to dew on that line, from air that is not saturated; dew of the end of the step takes its place.
  pure subroutine bound_ground(air, limits, roots, s, f, beyond, given)
    type(air_column), intent(in) :: air         !< atmosphere
    type(surface_limits), intent(in) :: limits  !< water that the step can take
    type(root_supply), intent(in) :: roots      !< what the roots can bring
    type(column_state), intent(in) :: s         !< state of the column
    type(surface_fluxes), intent(in) :: f       !< fluxes to the air and within the ground
    logical, intent(out) :: beyond              !< the flux is more than there is
    real(wp), intent(out) :: given              !< vapour of the ground that there is [kg m-2 s-1]
    real(wp) :: most, e, e_slope, q, q_slope
    integer :: top

    given = f%ground_evaporation
    most = limits%ground
    if (limits%shared) most = max(0.0_wp, most - uptake_of_layer(roots, f%leaf%demand, 1))
    if (given > most) then
      beyond = .true.
      given = most
    else if (given < 0.0_wp .and. (f%leaf%ground_evaporation >= 0.0_wp &
      .or. given < -f%leaf%dew_conductance*f%leaf%humidity_over_ground)) then
      beyond = .true.
      top = n_snow + 1 - s%snow_layers
      call saturation(s%temperature(top), air%pressure, e, e_slope, q, q_slope)
      given = min(0.0_wp, f%leaf%dew_conductance*(q - f%leaf%humidity_over_ground))
    else
      ! leaves may have taken up, as dew, vapour of the ground that has not come to be
      beyond = f%leaf%evaporation + given < -f%leaf%vapour_of_air
    end if
  end subroutine bound_ground
end module colm_surface_balance
