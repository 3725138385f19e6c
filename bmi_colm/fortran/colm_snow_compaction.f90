!> Settling of snow layers under metamorphism, load, melt and wind
!> (Anderson 1976, van Kampenhout et al. 2017, Vionnet et al. 2012).
!>
!> Equation (55) of docs/theory.md.
module colm_snow_compaction
  use colm_constants, only: wp, freezing_point, density_water, density_ice
  use colm_types, only: n_snow, column_state
  implicit none
  private
  public :: compact_snow

  ! empirical, as in the Common Land Model (Dai et al. 2003)
  real(wp), parameter :: least_void = 0.001_wp  !< [-]
  real(wp), parameter :: least_ice = 0.1_wp     !< [kg m-2]
  ! Anderson (1976)
  real(wp), parameter :: metamorphism = 2.777e-6_wp  !< at the freezing point [s-1]
  ! van Kampenhout et al. (2017)
  real(wp), parameter :: metamorphism_limit = 100.0_wp  !< [kg m-3]
  real(wp), parameter :: viscosity = 7.62237e6_wp       !< [kg s m-2]
  real(wp), parameter :: viscosity_density = 450.0_wp   !< [kg m-3]
  ! Vionnet et al. (2012)
  real(wp), parameter :: drift_time = 48.0_wp*3600.0_wp  !< [s]
  real(wp), parameter :: drift_depth = 0.1_wp            !< [m]
  real(wp), parameter :: drift_density = 350.0_wp        !< no denser snow is packed [kg m-3]
  real(wp), parameter :: loose_density = 50.0_wp         !< [kg m-3]
  real(wp), parameter :: grain_size = 0.35e-3_wp         !< [m]
  real(wp), parameter :: largest_drift_index = 3.25_wp   !< [-]

contains

  !> Layers become thinner, top to bottom.
  pure subroutine compact_snow(s, wind, ice_share_before, melting, time_step)
    type(column_state), intent(inout) :: s            !< state of the column
    real(wp), intent(in) :: wind                      !< [m s-1]
    real(wp), intent(in) :: ice_share_before(n_snow)  !< ice over all water at the start of the step [-]
    logical, intent(in) :: melting(n_snow)            !< layers that melt
    real(wp), intent(in) :: time_step                 !< length of the step [s]
    real(wp) :: load, water, density, cold, rate, pseudo_depth, share, solid
    logical :: mobile
    integer :: j

    load = 0.0_wp
    pseudo_depth = 0.0_wp
    mobile = .true.
    do j = n_snow + 1 - s%snow_layers, n_snow
      water = s%ice(j) + s%liquid(j)
      solid = s%ice(j)/density_ice + s%liquid(j)/density_water
      if (1.0_wp - solid/s%snow_thickness(j) > least_void .and. s%ice(j) > least_ice) then
        density = s%ice(j)/s%snow_thickness(j)
        cold = freezing_point - s%temperature(j)
        rate = grain_growth(density, cold, s%liquid(j) > 0.01_wp*s%snow_thickness(j)) &
          - (load + 0.5_wp*water)/snow_viscosity(density, cold, s%liquid(j)/(density_water*s%snow_thickness(j)))
        if (melting(j)) then
          share = s%ice(j)/water
          rate = rate - max(0.0_wp, (ice_share_before(j) - share)/ice_share_before(j))/time_step
        end if
        if (mobile) call drift(density, wind, s%snow_thickness(j), pseudo_depth, mobile, rate)
        s%snow_thickness(j) = max(solid, s%snow_thickness(j)*(1.0_wp + rate*time_step))
      end if
      load = load + water
    end do
  end subroutine compact_snow

  !> Destructive metamorphism of fresh snow, s-1.
  pure real(wp) function grain_growth(density, cold, wet) result(rate)
    real(wp), intent(in) :: density  !< of the ice per volume of snow [kg m-3]
    real(wp), intent(in) :: cold     !< degrees below freezing [K]
    logical, intent(in) :: wet       !< the layer holds liquid
    rate = -metamorphism*exp(-0.04_wp*cold)
    if (density > metamorphism_limit) rate = rate*exp(-0.046_wp*(density - metamorphism_limit))
    if (wet) rate = 2.0_wp*rate
  end function grain_growth

  !> Resistance to the load above, kg s m-2.
  pure real(wp) function snow_viscosity(density, cold, liquid_fraction) result(eta)
    real(wp), intent(in) :: density          !< of the ice per volume of snow [kg m-3]
    real(wp), intent(in) :: cold             !< degrees below freezing [K]
    real(wp), intent(in) :: liquid_fraction  !< liquid volume over that of the layer [-]
    eta = 4.0_wp/(1.0_wp + 60.0_wp*liquid_fraction)*(density/viscosity_density) &
      *exp(0.1_wp*cold + 0.023_wp*density)*viscosity
  end function snow_viscosity

  !> Wind breaks and packs grains of the layers that it can move.
  pure subroutine drift(density, wind, thickness, pseudo_depth, mobile, rate)
    real(wp), intent(in) :: density          !< of the ice per volume of snow [kg m-3]
    real(wp), intent(in) :: wind             !< [m s-1]
    real(wp), intent(in) :: thickness        !< of the layer [m]
    real(wp), intent(inout) :: pseudo_depth  !< depth of what lies above, weighted by its resistance [m]
    logical, intent(inout) :: mobile         !< wind can move this layer and those above
    real(wp), intent(inout) :: rate          !< relative change of thickness [s-1]
    real(wp) :: looseness, mobility, index

    looseness = 1.25_wp - 0.0042_wp*(max(loose_density, density) - loose_density)
    mobility = 0.34_wp*(-0.583_wp*grain_size - 0.833_wp + 0.833_wp) + 0.66_wp*looseness
    index = -2.868_wp*exp(-0.085_wp*wind) + 1.0_wp + mobility
    if (index <= 0.0_wp) then
      mobile = .false.
      return
    end if
    index = min(largest_drift_index, index)
    pseudo_depth = pseudo_depth + 0.5_wp*thickness*(largest_drift_index - index)
    rate = rate - max(0.0_wp, drift_density - density)*index*exp(-pseudo_depth/drift_depth)/drift_time
    pseudo_depth = pseudo_depth + 0.5_wp*thickness*(largest_drift_index - index)
  end subroutine drift
end module colm_snow_compaction
