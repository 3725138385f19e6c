!> Water of the snow layers: what the surface adds and takes, and percolation.
!>
!> Equation (54) of docs/theory.md.
module colm_snow_water
  use colm_constants, only: wp, density_water, density_ice, heat_capacity_water
  use colm_types, only: n_snow, column_state
  use colm_layer_heat, only: water_capacity
  implicit none
  private
  public :: percolate

  ! Anderson (1976); limits of the pore space empirical, as in the Common Land Model (Dai et al. 2003)
  real(wp), parameter :: irreducible_saturation = 0.033_wp  !< [-]
  real(wp), parameter :: least_pore_space = 0.01_wp         !< [-]
  real(wp), parameter :: impermeable_pore_space = 0.05_wp   !< [-]

contains

  !> Liquid beyond what capillarity holds moves down, layer by layer; melt_water leaves the lowest one [kg m-2 s-1].
  !> Porosity and saturation are those at the start of the sweep.
  pure subroutine percolate(s, gain_liquid, gain_ice, time_step, conserve, melt_water)
    type(column_state), intent(inout) :: s  !< state of the column
    real(wp), intent(in) :: gain_liquid     !< rain and dew less evaporation [kg m-2 s-1]
    real(wp), intent(in) :: gain_ice        !< frost less sublimation [kg m-2 s-1]
    real(wp), intent(in) :: time_step       !< length of the step [s]
    logical, intent(in) :: conserve         !< water keeps its mass and heat
    real(wp), intent(out) :: melt_water     !< water that leaves the lowest layer [kg m-2 s-1]
    real(wp) :: pores(n_snow), liquid(n_snow), room(n_snow), arriving, leaving, above
    integer :: j, top

    top = n_snow + 1 - s%snow_layers
    s%ice(top) = s%ice(top) + gain_ice*time_step
    if (s%ice(top) < 0.0_wp) then
      s%liquid(top) = s%liquid(top) + s%ice(top)
      s%ice(top) = 0.0_wp
    end if
    s%liquid(top) = max(0.0_wp, s%liquid(top) + gain_liquid*time_step)

    do j = top, n_snow
      pores(j) = max(least_pore_space, 1.0_wp - s%ice(j)/(density_ice*s%snow_thickness(j)))
      liquid(j) = min(pores(j), s%liquid(j)/(density_water*s%snow_thickness(j)))
    end do
    room(n_snow) = huge(1.0_wp)                    ! the soil takes what comes
    do j = top + 1, n_snow
      room(j - 1) = max(0.0_wp, pores(j) - liquid(j))*s%snow_thickness(j)
      if (min(pores(j - 1), pores(j)) < impermeable_pore_space) room(j - 1) = 0.0_wp
    end do
    arriving = 0.0_wp
    above = s%temperature(top)
    do j = top, n_snow
      if (conserve .and. arriving > 0.0_wp) s%temperature(j) = s%temperature(j) + heat_capacity_water*arriving &
        *(above - s%temperature(j))/water_capacity(s%liquid(j) + arriving, s%ice(j))
      s%liquid(j) = s%liquid(j) + arriving
      leaving = min(room(j), max(0.0_wp, (liquid(j) - irreducible_saturation*pores(j))*s%snow_thickness(j)))
      arriving = leaving*density_water
      s%liquid(j) = s%liquid(j) - arriving
      above = s%temperature(j)
    end do
    melt_water = arriving/time_step
  end subroutine percolate
end module colm_snow_water
