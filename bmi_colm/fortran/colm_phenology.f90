!> Leaf area prescribed or from soil temperature, burial of vegetation, cover of snow.
!>
!> Equations (57) and (58) of docs/theory.md.
module colm_phenology
  use, intrinsic :: ieee_arithmetic, only: ieee_is_nan
  use colm_constants, only: wp, land_ice, open_water
  use colm_types, only: n_snow, column_inputs, column_parameters, column_state
  implicit none
  private
  public :: update_leaf_area, update_snow_cover

contains

  !> Seasonality of Dickinson et al. (1993): leaf area follows the temperature of the layer that holds 90 % of the roots.
  !> What is prescribed takes its place.
  pure subroutine update_leaf_area(p, f, s)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_inputs), intent(in) :: f      !< atmosphere and soil water of the step
    type(column_state), intent(inout) :: s    !< state of the column
    real(wp) :: roots, cold
    integer :: k, n_soil

    if (p%ground == land_ice .or. p%ground == open_water) then
      s%leaf_area = 0.0_wp
      s%stem_area = 0.0_wp
      return
    end if
    n_soil = size(p%thickness)
    roots = 0.0_wp
    do k = 1, n_soil
      roots = roots + p%root_fraction(k)
      if (roots > 0.9_wp) exit
    end do
    k = min(k, n_soil)
    cold = min(1.0_wp, 0.0016_wp*max(298.0_wp - s%temperature(n_snow + k), 0.0_wp)**2)
    s%leaf_area = p%leaf_area_maximum + (p%leaf_area_minimum - p%leaf_area_maximum)*cold
    s%stem_area = p%stem_area_index
    if (.not. ieee_is_nan(f%prescribed_leaf_area)) s%leaf_area = f%prescribed_leaf_area
    if (.not. ieee_is_nan(f%prescribed_stem_area)) s%stem_area = f%prescribed_stem_area
  end subroutine update_leaf_area

  !> Fraction of the ground under snow (Niu and Yang 2007) and of the stems above it.
  pure subroutine update_snow_cover(s)
    type(column_state), intent(inout) :: s  !< state of the column
    real(wp) :: burial

    s%snow_fraction = 0.0_wp
    s%exposed_fraction = 1.0_wp
    if (s%snow_depth <= 0.0_wp .or. s%snow_water <= 0.0_wp) return
    s%snow_fraction = tanh(s%snow_depth/(2.5_wp*0.01_wp*(s%snow_water/s%snow_depth/100.0_wp)))
    burial = 0.1_wp*s%snow_depth/s%roughness_length
    s%exposed_fraction = 1.0_wp - burial/(1.0_wp + burial)
  end subroutine update_snow_cover
end module colm_phenology
