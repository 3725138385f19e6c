!> The stack of snow layers: thin ones join their neighbours, thick ones divide.
!>
!> Equation (56) of docs/theory.md.
module colm_snow_layers
  use colm_constants, only: wp, freezing_point, heat_capacity_ice, latent_heat_fusion
  use colm_types, only: n_snow, column_parameters, column_state
  use colm_layer_heat, only: water_capacity, water_heat, settle
  use colm_snowfall, only: first_layer_depth
  implicit none
  private
  public :: merge_snow_layers, divide_snow_layers

  ! empirical, as in the Common Land Model (Dai et al. 2003)
  real(wp), parameter :: least_ice = 0.1_wp                                                 !< [kg m-2]
  real(wp), parameter :: least_thickness(n_snow) = [0.010_wp, 0.015_wp, 0.025_wp, 0.055_wp, 0.115_wp]  !< [m]
  !> By position from the top: a layer with others below passes on what exceeds the first; the lowest one divides above
  !> the second.
  real(wp), parameter :: passed_above(n_snow - 1) = [0.02_wp, 0.05_wp, 0.11_wp, 0.23_wp]    !< [m]
  real(wp), parameter :: divided_above(n_snow) = [0.03_wp, 0.07_wp, 0.18_wp, 0.41_wp, huge(1.0_wp)]  !< [m]

contains

  !> Renew snow water and depth, and merge. What no layer holds any more goes to the soil: released [kg m-2], with the
  !> sensible heat of its liquid [J m-2].
  !>
  !> Without conserve, released water joins the first soil layer (which forgets it when its water is set anew), and
  !> a mixture of cold ice and liquid stays at the freezing point with its phases as they are.
  pure subroutine merge_snow_layers(p, s, conserve, released, released_heat)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(inout) :: s    !< state of the column
    logical, intent(in) :: conserve           !< water keeps its mass and heat
    real(wp), intent(out) :: released         !< water for the soil [kg m-2]
    real(wp), intent(out) :: released_heat    !< sensible heat of its liquid [J m-2]
    integer :: j, position

    released = 0.0_wp
    released_heat = 0.0_wp
    do j = n_snow + 1 - s%snow_layers, n_snow
      if (s%ice(j) > least_ice) cycle
      if (j < n_snow) then
        if (conserve) then
          call combine_water(s%liquid(j), s%ice(j), s%temperature(j), .true., s%liquid(j + 1), s%ice(j + 1), s%temperature(j + 1))
        else
          s%liquid(j + 1) = s%liquid(j + 1) + s%liquid(j)
          s%ice(j + 1) = s%ice(j + 1) + s%ice(j)
        end if
      else
        call release(p, s, s%liquid(j), s%ice(j), s%temperature(j), conserve, released, released_heat)
      end if
      call close_gap(s, j)
    end do

    if (s%snow_layers == 0) then
      s%snow_water = 0.0_wp
      s%snow_depth = 0.0_wp
      return
    end if
    call total_snow(s)
    if (s%snow_depth < first_layer_depth) then
      call dissolve(p, s, conserve, released, released_heat)
      return
    end if

    position = 1
    do j = n_snow + 1 - s%snow_layers, n_snow
      if (s%snow_layers == 1) exit
      if (s%snow_thickness(j) < least_thickness(position)) then
        call join(s, j, conserve)
      else
        position = position + 1
      end if
    end do
  end subroutine merge_snow_layers

  !> Layers that have grown too thick pass mass down or divide.
  pure subroutine divide_snow_layers(s, conserve)
    type(column_state), intent(inout) :: s  !< state of the column
    logical, intent(in) :: conserve         !< water keeps its mass and heat
    real(wp) :: share
    integer :: position, j

    if (s%snow_layers == 0) return
    if (s%snow_layers == 1 .and. s%snow_thickness(n_snow) > divided_above(1)) call halve_lowest(s)
    do position = 1, n_snow - 1
      if (s%snow_layers <= position) exit
      j = n_snow - s%snow_layers + position
      if (s%snow_thickness(j) > passed_above(position)) then
        share = (s%snow_thickness(j) - passed_above(position))/s%snow_thickness(j)
        call combine_water(share*s%liquid(j), share*s%ice(j), s%temperature(j), conserve, &
          s%liquid(j + 1), s%ice(j + 1), s%temperature(j + 1))
        s%snow_thickness(j + 1) = s%snow_thickness(j + 1) + s%snow_thickness(j) - passed_above(position)
        s%liquid(j) = (1.0_wp - share)*s%liquid(j)
        s%ice(j) = (1.0_wp - share)*s%ice(j)
        s%snow_thickness(j) = passed_above(position)
      end if
      if (s%snow_layers == position + 1 .and. s%snow_thickness(n_snow) > divided_above(position + 1)) call halve_lowest(s)
    end do
  end subroutine divide_snow_layers

  !> The lowest layer becomes two; the stack above moves up.
  pure subroutine halve_lowest(s)
    type(column_state), intent(inout) :: s  !< state of the column
    integer :: j
    do j = n_snow - s%snow_layers, n_snow - 1
      s%liquid(j) = s%liquid(j + 1)
      s%ice(j) = s%ice(j + 1)
      s%temperature(j) = s%temperature(j + 1)
      s%snow_thickness(j) = s%snow_thickness(j + 1)
    end do
    do j = n_snow - 1, n_snow
      s%liquid(j) = 0.5_wp*s%liquid(j)
      s%ice(j) = 0.5_wp*s%ice(j)
      s%snow_thickness(j) = 0.5_wp*s%snow_thickness(j)
    end do
    s%snow_layers = s%snow_layers + 1
  end subroutine halve_lowest

  !> A thin layer joins the thinner of its neighbours.
  pure subroutine join(s, j, conserve)
    type(column_state), intent(inout) :: s  !< state of the column
    integer, intent(in) :: j                !< layer
    logical, intent(in) :: conserve         !< water keeps its mass and heat
    integer :: top, upper

    top = n_snow + 1 - s%snow_layers
    upper = j                                      ! joins the one below
    if (j == n_snow) then
      upper = j - 1
    else if (j > top) then
      if (s%snow_thickness(j - 1) < s%snow_thickness(j + 1)) upper = j - 1
    end if
    call combine_water(s%liquid(upper), s%ice(upper), s%temperature(upper), conserve, &
      s%liquid(upper + 1), s%ice(upper + 1), s%temperature(upper + 1))
    s%snow_thickness(upper + 1) = s%snow_thickness(upper + 1) + s%snow_thickness(upper)
    call close_gap(s, upper)
  end subroutine join

  !> Remove layer j from the stack.
  pure subroutine close_gap(s, gap)
    type(column_state), intent(inout) :: s  !< state of the column
    integer, intent(in) :: gap              !< layer to remove
    integer :: j, top
    top = n_snow + 1 - s%snow_layers
    do j = gap, top + 1, -1
      s%liquid(j) = s%liquid(j - 1)
      s%ice(j) = s%ice(j - 1)
      s%temperature(j) = s%temperature(j - 1)
      s%snow_thickness(j) = s%snow_thickness(j - 1)
    end do
    s%liquid(top) = 0.0_wp
    s%ice(top) = 0.0_wp
    s%temperature(top) = 0.0_wp
    s%snow_thickness(top) = 0.0_wp
    s%snow_layers = s%snow_layers - 1
  end subroutine close_gap

  !> Mix water of one layer into another's.
  pure subroutine combine_water(liquid, ice, temperature, conserve, into_liquid, into_ice, into_temperature)
    real(wp), intent(in) :: liquid               !< liquid water of the layer [kg m-2]
    real(wp), intent(in) :: ice                  !< ice of the layer [kg m-2]
    real(wp), intent(in) :: temperature          !< of the layer [K]
    logical, intent(in) :: conserve              !< water keeps its mass and heat
    real(wp), intent(inout) :: into_liquid       !< liquid water of the other layer [kg m-2]
    real(wp), intent(inout) :: into_ice          !< ice of the other layer [kg m-2]
    real(wp), intent(inout) :: into_temperature  !< temperature of the other layer [K]
    real(wp) :: water, heat, beyond

    heat = water_heat(liquid, ice, temperature) + water_heat(into_liquid, into_ice, into_temperature)
    water = liquid + ice + into_liquid + into_ice
    into_liquid = into_liquid + liquid
    into_ice = into_ice + ice
    if (conserve) then
      call settle(water, heat, into_liquid, into_ice, into_temperature)
    else
      ! heat above that of ice at the freezing point: sensible if negative, latent up to that of the liquid
      beyond = heat + latent_heat_fusion*water
      if (beyond > 0.0_wp) beyond = max(0.0_wp, beyond - latent_heat_fusion*into_liquid)
      into_temperature = freezing_point + beyond/water_capacity(into_liquid, into_ice)
    end if
  end subroutine combine_water

  !> Too little snow for layers: ice lies on the soil in bulk, liquid runs into it.
  pure subroutine dissolve(p, s, conserve, released, released_heat)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(inout) :: s    !< state of the column
    logical, intent(in) :: conserve           !< water keeps its mass and heat
    real(wp), intent(inout) :: released       !< water for the soil [kg m-2]
    real(wp), intent(inout) :: released_heat  !< sensible heat of its liquid [J m-2]
    real(wp) :: liquid, ice, heat, capacity
    integer :: j, top

    top = n_snow + 1 - s%snow_layers
    liquid = sum(s%liquid(top:n_snow))
    ice = sum(s%ice(top:n_snow))
    if (conserve) then
      ! bulk snow shares the temperature of the first soil layer
      heat = 0.0_wp
      do j = top, n_snow
        heat = heat + water_capacity(0.0_wp, s%ice(j))*(s%temperature(j) - freezing_point)
        released_heat = released_heat + water_capacity(s%liquid(j), 0.0_wp)*(s%temperature(j) - freezing_point)
      end do
      capacity = soil_capacity(p, s) + heat_capacity_ice*ice
      s%temperature(n_snow + 1) = freezing_point &
        + (soil_capacity(p, s)*(s%temperature(n_snow + 1) - freezing_point) + heat)/capacity
      released = released + liquid
    else
      s%liquid(n_snow + 1) = s%liquid(n_snow + 1) + liquid
    end if
    s%liquid(top:n_snow) = 0.0_wp
    s%ice(top:n_snow) = 0.0_wp
    s%temperature(top:n_snow) = 0.0_wp
    s%snow_thickness(top:n_snow) = 0.0_wp
    s%snow_layers = 0
    s%snow_water = ice
    if (ice <= 0.0_wp) s%snow_depth = 0.0_wp
  end subroutine dissolve

  !> The remains of the lowest layer go into the soil.
  pure subroutine release(p, s, liquid, ice, temperature, conserve, released, released_heat)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(inout) :: s    !< state of the column
    real(wp), intent(in) :: liquid            !< liquid water of the layer [kg m-2]
    real(wp), intent(in) :: ice               !< ice of the layer [kg m-2]
    real(wp), intent(in) :: temperature       !< of the layer [K]
    logical, intent(in) :: conserve           !< water keeps its mass and heat
    real(wp), intent(inout) :: released       !< water for the soil [kg m-2]
    real(wp), intent(inout) :: released_heat  !< sensible heat of its liquid [J m-2]
    real(wp) :: capacity

    if (conserve) then
      capacity = soil_capacity(p, s)
      s%temperature(n_snow + 1) = freezing_point + (capacity*(s%temperature(n_snow + 1) - freezing_point) &
        + water_capacity(0.0_wp, ice)*(temperature - freezing_point))/(capacity + heat_capacity_ice*ice)
      released = released + liquid + ice
      released_heat = released_heat + water_capacity(liquid, 0.0_wp)*(temperature - freezing_point)
    else
      s%liquid(n_snow + 1) = s%liquid(n_snow + 1) + liquid
    end if
    s%ice(n_snow + 1) = s%ice(n_snow + 1) + ice
  end subroutine release

  !> Heat capacity of the first soil layer with its water [J m-2 K-1].
  pure real(wp) function soil_capacity(p, s)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(in) :: s       !< state of the column
    soil_capacity = p%heat_capacity_solids(1)*p%thickness(1) + water_capacity(s%liquid(n_snow + 1), s%ice(n_snow + 1))
  end function soil_capacity

  !> Snow water and depth of all layers.
  pure subroutine total_snow(s)
    type(column_state), intent(inout) :: s  !< state of the column
    integer :: top
    top = n_snow + 1 - s%snow_layers
    s%snow_water = sum(s%ice(top:n_snow)) + sum(s%liquid(top:n_snow))
    s%snow_depth = sum(s%snow_thickness(top:n_snow))
  end subroutine total_snow
end module colm_snow_layers
