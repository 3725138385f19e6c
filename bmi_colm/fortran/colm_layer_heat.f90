!> Heat held by the water of a layer, and what mixing does to it.
!>
!> Heat is counted from liquid water at the freezing point, so that ice there holds minus its heat of fusion.
!>
!> Equation (56) of docs/theory.md.
module colm_layer_heat
  use colm_constants, only: wp, freezing_point, heat_capacity_water, heat_capacity_ice, latent_heat_fusion
  implicit none
  private
  public :: water_capacity, water_heat, settle

contains

  !> Heat capacity of liquid and ice [J m-2 K-1].
  pure real(wp) function water_capacity(liquid, ice)
    real(wp), intent(in) :: liquid  !< liquid water [kg m-2]
    real(wp), intent(in) :: ice     !< [kg m-2]
    water_capacity = heat_capacity_water*liquid + heat_capacity_ice*ice
  end function water_capacity

  !> Heat of liquid and ice [J m-2].
  pure real(wp) function water_heat(liquid, ice, temperature)
    real(wp), intent(in) :: liquid       !< liquid water [kg m-2]
    real(wp), intent(in) :: ice          !< [kg m-2]
    real(wp), intent(in) :: temperature  !< [K]
    water_heat = water_capacity(liquid, ice)*(temperature - freezing_point) - latent_heat_fusion*ice
  end function water_heat

  !> Temperature and phases of water that holds a given heat: cold ice, both phases at the freezing point, or warm liquid.
  pure subroutine settle(water, heat, liquid, ice, temperature)
    real(wp), intent(in) :: water         !< all water [kg m-2]
    real(wp), intent(in) :: heat          !< heat of the water [J m-2]
    real(wp), intent(out) :: liquid       !< liquid water [kg m-2]
    real(wp), intent(out) :: ice          !< [kg m-2]
    real(wp), intent(out) :: temperature  !< [K]

    if (heat >= 0.0_wp) then
      ice = 0.0_wp
      liquid = water
      temperature = freezing_point + heat/(heat_capacity_water*water)
    else if (heat <= -latent_heat_fusion*water) then
      ice = water
      liquid = 0.0_wp
      temperature = freezing_point + (heat + latent_heat_fusion*water)/(heat_capacity_ice*water)
    else
      ice = -heat/latent_heat_fusion
      liquid = water - ice
      temperature = freezing_point
    end if
  end subroutine settle
end module colm_layer_heat
