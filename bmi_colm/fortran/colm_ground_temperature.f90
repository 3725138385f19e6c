!> Heat conduction through snow and soil with phase change (Dai et al. 2003).
!>
!> Equations (48) and (51) of docs/theory.md.
module colm_ground_temperature
  use colm_constants, only: wp, lanes, open_water, freezing_point, latent_heat_fusion, heat_capacity_water, heat_capacity_ice, &
    top_layer_inertia, crank_nicolson
  use colm_types, only: n_snow, column_parameters, column_state
  use colm_soil_thermal, only: thermal_properties
  use colm_water_body, only: mix_open_water, raise_ice
  implicit none
  private
  public :: advance_ground_temperature

contains

  !> One step of conduction in a block of columns. Heat enters the top layer as forcing + forcing_slope (T - T at the
  !> start) [W m-2].
  pure subroutine advance_ground_temperature(p, s, wanted, forcing, forcing_slope, time_step, conserve, &
    bulk_melt, phase_heat, stored_heat, snow_melts)
    type(column_parameters), intent(in) :: p(lanes)    !< constants of the columns
    type(column_state), intent(inout) :: s(lanes)      !< states of the columns
    logical, intent(in) :: wanted(lanes)               !< columns to advance; nothing of the others is changed
    real(wp), intent(in) :: forcing(lanes)             !< heat into the top layer at the start [W m-2]
    real(wp), intent(in) :: forcing_slope(lanes)       !< its slope to temperature [W m-2 K-1]
    real(wp), intent(in) :: time_step                  !< length of the step [s]
    logical, intent(in) :: conserve(lanes)             !< water that changes its phase changes its heat capacity
    real(wp), intent(out) :: bulk_melt(lanes)          !< melt of snow that has no layers [kg m-2 s-1]
    real(wp), intent(out) :: phase_heat(lanes)         !< taken up by melting [W m-2]
    real(wp), intent(out) :: stored_heat(lanes)        !< taken up by warming [W m-2]
    logical, intent(out) :: snow_melts(n_snow, lanes)  !< layers of snow that melt
    real(wp), dimension(lanes, size(s(1)%temperature)) :: thickness, capacity, conductivity, centre, factor, start, &
      temperature, growth
    real(wp), dimension(lanes, 0:size(s(1)%temperature)) :: bottom, coupling
    real(wp), dimension(lanes) :: flux, flux_above, above, below, lower, upper, diagonal, rhs, heated
    real(wp), dimension(lanes, size(s(1)%temperature)) :: elimination
    real(wp) :: inertia(size(p(1)%thickness))
    integer, dimension(lanes) :: top
    integer :: first, j, l, n_layer

    n_layer = size(s(1)%temperature)
    top = n_snow + 1 - s%snow_layers
    first = minval(top)
    ! any values in layers of snow that a column does not have: they take part in nothing
    do j = first, n_snow
      thickness(:, j) = 1.0_wp
      capacity(:, j) = 1.0_wp
      conductivity(:, j) = 1.0_wp
      start(:, j) = freezing_point
    end do
    do l = 1, lanes
      start(l, top(l):) = s(l)%temperature(top(l):)
    end do
    call thermal_properties(p, s, thickness, capacity, conductivity)
    call place_layers(first, thickness, centre, bottom)
    coupling(:, first - 1) = 0.0_wp
    do j = first, n_layer - 1
      coupling(:, j) = merge(coupling_below(j), 0.0_wp, j >= top)
    end do
    coupling(:, n_layer) = 0.0_wp

    ! Thomas' algorithm: down to the lowest layer with the equations, and up again
    flux_above = 0.0_wp
    upper = 0.0_wp
    diagonal = 1.0_wp
    do j = first, n_layer
      factor(:, j) = time_step/capacity(:, j)
      if (j <= n_snow + 1) then
        above = centre(:, j) - bottom(:, j - 1)
        below = centre(:, min(j + 1, n_layer)) - bottom(:, j - 1)
        factor(:, j) = merge(factor(:, j)*thickness(:, j)/(0.5_wp*(above + top_layer_inertia*below)), factor(:, j), j == top)
      end if
      flux = 0.0_wp
      if (j < n_layer) flux = coupling(:, j)*(start(:, j + 1) - start(:, j))
      elimination(:, j) = upper/diagonal
      lower = -(1.0_wp - crank_nicolson)*factor(:, j)*coupling(:, j - 1)
      upper = -(1.0_wp - crank_nicolson)*factor(:, j)*coupling(:, j)
      diagonal = 1.0_wp - lower - upper
      rhs = start(:, j) + factor(:, j)*crank_nicolson*(flux - flux_above)
      if (j <= n_snow + 1) then
        heated = merge(factor(:, j), 0.0_wp, j == top)
        diagonal = diagonal - heated*forcing_slope
        rhs = rhs + heated*(forcing - forcing_slope*start(:, j))
      end if
      if (j > first) then
        diagonal = diagonal - lower*elimination(:, j)
        rhs = rhs - lower*temperature(:, j - 1)
      end if
      temperature(:, j) = rhs/diagonal
      flux_above = flux
    end do
    do j = n_layer - 1, first, -1
      temperature(:, j) = temperature(:, j) - elimination(:, j + 1)*temperature(:, j + 1)
    end do

    bulk_melt = 0.0_wp
    phase_heat = 0.0_wp
    snow_melts = .false.
    growth(:, first:) = 1.0_wp
    do l = 1, lanes
      if (.not. wanted(l)) cycle
      s(l)%temperature(top(l):) = temperature(l, top(l):)
      if (p(l)%ground /= open_water .and. .not. changes_phase(s(l), top(l))) cycle
      if (p(l)%ground == open_water) then
        inertia = 1.0_wp/factor(l, n_snow + 1:)
        ! what the surface gives off grows with its temperature
        if (top(l) > n_snow) inertia(1) = inertia(1) - forcing_slope(l)
        call mix_open_water(s(l), inertia)
      end if
      call change_phase(s(l), top(l), factor(l, :), capacity(l, :), forcing_slope(l), time_step, conserve(l), bulk_melt(l), &
        phase_heat(l), growth(l, :), snow_melts(:, l))
      if (p(l)%ground == open_water) call raise_ice(s(l))
      temperature(l, top(l):) = s(l)%temperature(top(l):)
    end do
    stored_heat = 0.0_wp
    do j = first, n_layer
      stored_heat = stored_heat + merge((growth(:, j)*(temperature(:, j) - freezing_point) - (start(:, j) - freezing_point)) &
        /factor(:, j), 0.0_wp, j >= top)
    end do

  contains

    !> Conductivity of the interface below layer j, harmonic by the distances of the two centres, over their distance.
    pure function coupling_below(j) result(k)
      integer, intent(in) :: j  !< layer
      real(wp) :: k(lanes)
      real(wp), dimension(lanes) :: above, below, to_snow
      above = bottom(:, j) - centre(:, j)
      below = centre(:, j + 1) - bottom(:, j)
      k = conductivity(:, j)*conductivity(:, j + 1)/(conductivity(:, j)*below + conductivity(:, j + 1)*above)
      if (j /= n_snow) return
      ! between snow and soil, when the soil node is nearer
      to_snow = max(2.0_wp*conductivity(:, j)*conductivity(:, j + 1)/(conductivity(:, j) + conductivity(:, j + 1)), &
        0.5_wp*conductivity(:, j + 1))/(centre(:, j + 1) - centre(:, j))
      k = merge(to_snow, k, below < above)
    end function coupling_below
  end subroutine advance_ground_temperature

  !> Depth of layer centres and bottoms below the soil surface [m]; snow has negative depths.
  pure subroutine place_layers(first, thickness, centre, bottom)
    integer, intent(in) :: first             !< uppermost layer of any column
    real(wp), intent(in) :: thickness(:, :)  !< of the layers (lanes, layers) [m]
    real(wp), intent(out) :: centre(:, :)    !< depth of the layers' centres below the soil surface [m]
    real(wp), intent(out) :: bottom(:, 0:)   !< depth of the layers' bottoms below the soil surface [m]
    integer :: j
    bottom(:, n_snow) = 0.0_wp
    do j = n_snow, first, -1
      bottom(:, j - 1) = bottom(:, j) - thickness(:, j)
    end do
    do j = n_snow + 1, size(thickness, 2)
      bottom(:, j) = bottom(:, j - 1) + thickness(:, j)
    end do
    do j = first, size(thickness, 2)
      centre(:, j) = 0.5_wp*(bottom(:, j - 1) + bottom(:, j))
    end do
  end subroutine place_layers

  !> Whether a layer has something that melts or freezes at its temperature.
  pure logical function changes_phase(s, top) result(changes)
    type(column_state), intent(in) :: s  !< state of the column
    integer, intent(in) :: top           !< uppermost layer that exists
    changes = any(merge(s%ice(top:), s%liquid(top:), s%temperature(top:) > freezing_point) > 0.0_wp &
      .and. abs(s%temperature(top:) - freezing_point) > 0.0_wp) &
      .or. (top > n_snow .and. s%snow_water > 0.0_wp)
  end function changes_phase

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
