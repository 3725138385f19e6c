!> Heat conduction through snow and soil with phase change (Dai et al. 2003).
!>
!> Equations (48) and (51) of docs/theory.md.
module colm_ground_temperature
  use colm_constants, only: wp, open_water, freezing_point, latent_heat_fusion, heat_capacity_water, heat_capacity_ice, &
    top_layer_inertia, crank_nicolson
  use colm_types, only: n_snow, column_parameters, column_state
  use colm_soil_thermal, only: thermal_properties
  use colm_water_body, only: mix_open_water, raise_ice
  implicit none
  private
  public :: advance_ground_temperature

contains

  !> One step of conduction. Heat enters the top layer as forcing + forcing_slope (T - T at the start) [W m-2].
  pure subroutine advance_ground_temperature(p, s, top, forcing, forcing_slope, time_step, conserve, &
    bulk_melt, phase_heat, stored_heat, snow_melts)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(inout) :: s    !< state of the column
    integer, intent(in) :: top                !< uppermost layer that exists
    real(wp), intent(in) :: forcing           !< heat into the top layer at the start [W m-2]
    real(wp), intent(in) :: forcing_slope     !< its slope to temperature [W m-2 K-1]
    real(wp), intent(in) :: time_step         !< length of the step [s]
    logical, intent(in) :: conserve           !< water that changes its phase changes its heat capacity
    real(wp), intent(out) :: bulk_melt        !< melt of snow that has no layers [kg m-2 s-1]
    real(wp), intent(out) :: phase_heat       !< taken up by melting [W m-2]
    real(wp), intent(out) :: stored_heat      !< taken up by warming [W m-2]
    logical, intent(out) :: snow_melts(n_snow)  !< layers of snow that melt
    real(wp), dimension(size(s%temperature)) :: thickness, capacity, conductivity, centre, factor, start, growth
    real(wp), dimension(size(s%temperature)) :: lower, diagonal, upper, rhs
    real(wp), dimension(0:size(s%temperature)) :: bottom, coupling, flux
    real(wp) :: inertia(size(p%thickness))
    integer :: j, n_layer

    n_layer = size(s%temperature)
    call thermal_properties(p, s, top, thickness, capacity, conductivity)
    call place_layers(top, thickness, centre, bottom)
    coupling(top - 1) = 0.0_wp
    do j = top, n_layer - 1
      coupling(j) = interface_conductivity(j)/(centre(j + 1) - centre(j))
    end do
    coupling(n_layer) = 0.0_wp
    factor(top:) = time_step/capacity(top:)
    factor(top) = factor(top)*thickness(top) &
      /(0.5_wp*(centre(top) - bottom(top - 1) + top_layer_inertia*(centre(top + 1) - bottom(top - 1))))

    start = s%temperature
    flux(top - 1) = 0.0_wp
    do j = top, n_layer - 1
      flux(j) = coupling(j)*(start(j + 1) - start(j))
    end do
    flux(n_layer) = 0.0_wp
    do j = top, n_layer
      lower(j) = -(1.0_wp - crank_nicolson)*factor(j)*coupling(j - 1)
      upper(j) = -(1.0_wp - crank_nicolson)*factor(j)*coupling(j)
      diagonal(j) = 1.0_wp - lower(j) - upper(j)
      rhs(j) = start(j) + factor(j)*crank_nicolson*(flux(j) - flux(j - 1))
    end do
    diagonal(top) = diagonal(top) - factor(top)*forcing_slope
    rhs(top) = rhs(top) + factor(top)*(forcing - forcing_slope*start(top))
    call solve_tridiagonal(top, lower, diagonal, upper, rhs, s%temperature)

    if (p%ground == open_water) then
      inertia = 1.0_wp/factor(n_snow + 1:)
      ! what the surface gives off grows with its temperature
      if (top > n_snow) inertia(1) = inertia(1) - forcing_slope
      call mix_open_water(s, inertia)
    end if
    call change_phase(s, top, factor, capacity, forcing_slope, time_step, conserve, bulk_melt, phase_heat, growth, snow_melts)
    if (p%ground == open_water) call raise_ice(s)
    stored_heat = sum((growth(top:)*(s%temperature(top:) - freezing_point) - (start(top:) - freezing_point))/factor(top:))

  contains

    !> Conductivity of the interface below layer j: harmonic by the distances of the two centres.
    pure real(wp) function interface_conductivity(j) result(k)
      integer, intent(in) :: j  !< layer
      real(wp) :: above, below
      above = bottom(j) - centre(j)
      below = centre(j + 1) - bottom(j)
      if (j == n_snow .and. below < above) then
        ! between snow and soil, when the soil node is nearer
        k = max(2.0_wp*conductivity(j)*conductivity(j + 1)/(conductivity(j) + conductivity(j + 1)), &
          0.5_wp*conductivity(j + 1))
      else
        k = conductivity(j)*conductivity(j + 1)*(above + below)/(conductivity(j)*below + conductivity(j + 1)*above)
      end if
    end function interface_conductivity
  end subroutine advance_ground_temperature

  !> Depth of layer centres and bottoms below the soil surface [m]; snow has negative depths.
  pure subroutine place_layers(top, thickness, centre, bottom)
    integer, intent(in) :: top            !< uppermost layer that exists
    real(wp), intent(in) :: thickness(:)  !< of the layers [m]
    real(wp), intent(out) :: centre(:)    !< depth of the layers' centres below the soil surface [m]
    real(wp), intent(out) :: bottom(0:)   !< depth of the layers' bottoms below the soil surface [m]
    integer :: j, n_layer
    n_layer = size(thickness)
    bottom(n_snow) = 0.0_wp
    do j = n_snow, top, -1
      bottom(j - 1) = bottom(j) - thickness(j)
    end do
    do j = n_snow + 1, n_layer
      bottom(j) = bottom(j - 1) + thickness(j)
    end do
    do j = top, n_layer
      centre(j) = 0.5_wp*(bottom(j - 1) + bottom(j))
    end do
  end subroutine place_layers

  !> Thomas' algorithm from layer `top` on.
  pure subroutine solve_tridiagonal(top, lower, diagonal, upper, rhs, x)
    integer, intent(in) :: top           !< uppermost layer that exists
    real(wp), intent(in) :: lower(:)     !< lower diagonal [-]
    real(wp), intent(in) :: diagonal(:)  !< main diagonal [-]
    real(wp), intent(in) :: upper(:)     !< upper diagonal [-]
    real(wp), intent(in) :: rhs(:)       !< right-hand side [K]
    real(wp), intent(inout) :: x(:)      !< solution [K]
    real(wp) :: gamma(size(x)), pivot
    integer :: j, n_layer
    n_layer = size(x)
    pivot = diagonal(top)
    x(top) = rhs(top)/pivot
    do j = top + 1, n_layer
      gamma(j) = upper(j - 1)/pivot
      pivot = diagonal(j) - lower(j)*gamma(j)
      x(j) = (rhs(j) - lower(j)*x(j - 1))/pivot
    end do
    do j = n_layer - 1, top, -1
      x(j) = x(j) - gamma(j + 1)*x(j + 1)
    end do
  end subroutine solve_tridiagonal

  !> Layers that have crossed the freezing point melt or freeze with the heat beyond it; no supercooled water.
  pure subroutine change_phase(s, top, factor, capacity, forcing_slope, time_step, conserve, bulk_melt, phase_heat, growth, &
    snow_melts)
    type(column_state), intent(inout) :: s  !< state of the column
    integer, intent(in) :: top              !< uppermost layer that exists
    real(wp), intent(in) :: factor(:)       !< time step over heat capacity [m2 K W-1]
    real(wp), intent(in) :: capacity(:)     !< heat capacity of the layers [J m-2 K-1]
    real(wp), intent(in) :: forcing_slope   !< its slope to temperature [W m-2 K-1]
    real(wp), intent(in) :: time_step       !< length of the step [s]
    logical, intent(in) :: conserve         !< water keeps its mass and heat
    real(wp), intent(out) :: bulk_melt      !< melt of snow that has no layers [kg m-2 s-1]
    real(wp), intent(out) :: phase_heat     !< taken up by melting [W m-2]
    real(wp), intent(out) :: growth(:)      !< growth of the layers' heat capacity [-]
    logical, intent(out) :: snow_melts(n_snow)  !< layers of snow that melt
    real(wp) :: heat, ice, water, inertia, melted
    integer :: j
    logical :: melts, freezes, bulk_snow

    bulk_melt = 0.0_wp
    phase_heat = 0.0_wp
    growth = 1.0_wp
    snow_melts = .false.
    do j = top, size(factor)
      bulk_snow = j == n_snow + 1 .and. top > n_snow .and. s%snow_water > 0.0_wp
      melts = s%temperature(j) > freezing_point .and. (s%ice(j) > 0.0_wp .or. bulk_snow)
      freezes = s%temperature(j) < freezing_point .and. s%liquid(j) > 0.0_wp
      if (j <= n_snow) snow_melts(j) = melts
      if (.not. (melts .or. freezes)) cycle

      inertia = 1.0_wp/factor(j)                           ! W m-2 K-1
      if (j == top) inertia = inertia - forcing_slope
      heat = inertia*(s%temperature(j) - freezing_point)   ! W m-2 beyond the freezing point

      melted = 0.0_wp
      if (bulk_snow .and. heat > 0.0_wp) then
        melted = min(s%snow_water, heat*time_step/latent_heat_fusion)
        s%snow_depth = s%snow_depth*(1.0_wp - melted/s%snow_water)
        s%snow_water = s%snow_water - melted
        bulk_melt = melted/time_step
        phase_heat = phase_heat + latent_heat_fusion*bulk_melt
        heat = heat - latent_heat_fusion*bulk_melt
        if (s%snow_water > 0.0_wp) heat = 0.0_wp           ! rounding must not move it off the freezing point
      end if
      ice = s%ice(j)
      water = ice + s%liquid(j)
      s%ice(j) = min(water, max(0.0_wp, ice - heat*time_step/latent_heat_fusion))
      s%liquid(j) = max(0.0_wp, water - s%ice(j))
      phase_heat = phase_heat + latent_heat_fusion*(ice - s%ice(j))/time_step
      heat = heat - latent_heat_fusion*(ice - s%ice(j))/time_step
      if (s%ice(j) > 0.0_wp .and. s%liquid(j) > 0.0_wp) heat = 0.0_wp
      if (conserve) then
        ! bulk snow that melts leaves at the freezing point
        growth(j) = 1.0_wp + ((heat_capacity_water - heat_capacity_ice)*(ice - s%ice(j)) - heat_capacity_ice*melted)/capacity(j)
        inertia = inertia + (growth(j) - 1.0_wp)/factor(j)
      end if
      s%temperature(j) = freezing_point + heat/inertia
    end do
  end subroutine change_phase
end module colm_ground_temperature
