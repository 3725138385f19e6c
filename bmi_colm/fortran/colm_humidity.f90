!> Saturation vapour pressure and specific humidity.
!>
!> Equation (28) of docs/theory.md.
module colm_humidity
  use colm_constants, only: wp, lanes, freezing_point
  implicit none
  private
  public :: saturation, saturate, vapour_pressure

  ! Degree-8 polynomials in degrees Celsius, hPa (Flatau, Walko and Cotton 1992).
  real(wp), parameter :: over_water(0:8) = [ &
    6.11213476_wp, 0.444007856_wp, 0.143064234e-1_wp, 0.264461437e-3_wp, 0.305903558e-5_wp, &
    0.196237241e-7_wp, 0.892344772e-10_wp, -0.373208410e-12_wp, 0.209339997e-15_wp]
  real(wp), parameter :: over_water_slope(0:8) = [ &
    0.444017302_wp, 0.286064092e-1_wp, 0.794683137e-3_wp, 0.121211669e-4_wp, 0.103354611e-6_wp, &
    0.404125005e-9_wp, -0.788037859e-12_wp, -0.114596802e-13_wp, 0.381294516e-16_wp]
  real(wp), parameter :: over_ice(0:8) = [ &
    6.11123516_wp, 0.503109514_wp, 0.188369801e-1_wp, 0.420547422e-3_wp, 0.614396778e-5_wp, &
    0.602780717e-7_wp, 0.387940929e-9_wp, 0.149436277e-11_wp, 0.262655803e-14_wp]
  real(wp), parameter :: over_ice_slope(0:8) = [ &
    0.503277922_wp, 0.377289173e-1_wp, 0.126801703e-2_wp, 0.249468427e-4_wp, 0.313703411e-6_wp, &
    0.257180651e-8_wp, 0.133268878e-10_wp, 0.394116744e-13_wp, 0.498070196e-16_wp]
  real(wp), parameter :: fitted_range = 75.0_wp             !< either side of the freezing point [K]
  real(wp), parameter :: pascal_per_hectopascal = 100.0_wp  !< [Pa hPa-1]

contains

  !> Saturation vapour pressure [Pa] and specific humidity [kg kg-1] over water or ice, with their slopes [K-1].
  pure subroutine saturation(temperature, pressure, e, e_slope, q, q_slope)
    real(wp), intent(in) :: temperature  !< [K]
    real(wp), intent(in) :: pressure     !< of the air [Pa]
    real(wp), intent(out) :: e           !< saturation vapour pressure [Pa]
    real(wp), intent(out) :: e_slope     !< slope of the vapour pressure [Pa K-1]
    real(wp), intent(out) :: q           !< specific humidity at saturation [kg kg-1]
    real(wp), intent(out) :: q_slope     !< slope of the specific humidity [kg kg-1 K-1]
    e = fitted(over_water, over_ice, temperature)
    e_slope = fitted(over_water_slope, over_ice_slope, temperature)
    q = 0.622_wp*e/(pressure - 0.378_wp*e)
    q_slope = 0.622_wp*pressure*e_slope/(pressure - 0.378_wp*e)**2
  end subroutine saturation

  !> The same of a block of columns.
  pure subroutine saturate(temperature, pressure, e, q, q_slope)
    real(wp), intent(in) :: temperature(lanes)  !< [K]
    real(wp), intent(in) :: pressure(lanes)     !< of the air [Pa]
    real(wp), intent(out) :: e(lanes)           !< saturation vapour pressure [Pa]
    real(wp), intent(out) :: q(lanes)           !< specific humidity at saturation [kg kg-1]
    real(wp), intent(out) :: q_slope(lanes)     !< slope of the specific humidity [kg kg-1 K-1]
    real(wp), dimension(lanes) :: e_slope, inverse
    integer :: l
    ! a choice of coefficients in each term costs as much as the term
    if (all(temperature >= freezing_point)) then
      !$omp simd
      do l = 1, lanes
        e(l) = fitted(over_water, over_water, temperature(l))
        e_slope(l) = fitted(over_water_slope, over_water_slope, temperature(l))
      end do
    else
      !$omp simd
      do l = 1, lanes
        e(l) = fitted(over_water, over_ice, temperature(l))
        e_slope(l) = fitted(over_water_slope, over_ice_slope, temperature(l))
      end do
    end if
    inverse = 1.0_wp/(pressure - 0.378_wp*e)
    q = 0.622_wp*e*inverse
    q_slope = 0.622_wp*pressure*e_slope*inverse**2
  end subroutine saturate

  !> Vapour pressure of air [Pa].
  pure function vapour_pressure(q, pressure) result(e)
    real(wp), intent(in) :: q(lanes)         !< specific humidity [kg kg-1]
    real(wp), intent(in) :: pressure(lanes)  !< of the air [Pa]
    real(wp) :: e(lanes)
    e = q*pressure/(0.622_wp + 0.378_wp*q)
  end function vapour_pressure

  !> Value of the polynomial of degree 8 that belongs to the temperature, in Pa (or Pa K-1) for coefficients in hPa.
  pure real(wp) function fitted(warm, cold, temperature) result(y)
    !$omp declare simd(fitted) uniform(warm, cold) notinbranch
    real(wp), intent(in) :: warm(0:8)           !< coefficients above freezing [hPa K-k]
    real(wp), intent(in) :: cold(0:8)           !< coefficients below freezing [hPa K-k]
    real(wp), intent(in), value :: temperature  !< [K]
    real(wp) :: t
    integer :: k
    t = min(fitted_range, max(-fitted_range, temperature - freezing_point))
    y = merge(warm(8), cold(8), t >= 0.0_wp)
    do k = 7, 0, -1
      y = merge(warm(k), cold(k), t >= 0.0_wp) + t*y
    end do
    y = pascal_per_hectopascal*y
  end function fitted
end module colm_humidity
