!> Soil water retention, and the coordinate of pressure head, for all elements of a block at once.
!>
!> Equations (2), (3) and (13) of docs/theory.md.
module structured_retention
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use van_genuchten, only: suction_powers
  use vector_math, only: exponentials, exponentials_m1, logarithms, logarithms_1p
  implicit none
  private
  public :: find_heads, find_coordinates, find_saturations, find_permeabilities, knee

  !> c alpha: where the coordinate changes from linear to logarithmic.
  real(wp), parameter :: knee = 0.5_wp
  !> Head below which no layer goes [m].
  real(wp), parameter :: driest_head = -1.0e4_wp
  !> Of an exponential that stays finite.
  real(wp), parameter :: largest_exponent = 690.0_wp

contains

  ! Limits are written as merge, through which NaN passes, unlike through min and max.

  !> Pressure heads of coordinates, and dh/du; 0 where the head has reached the driest.
  pure subroutine find_heads(elements, alpha, coordinate, head, stretch)
    integer, intent(in) :: elements               !< of the arrays
    real(wp), intent(in) :: alpha(elements)       !< [m-1]
    real(wp), intent(in) :: coordinate(elements)  !< u [m]
    real(wp), intent(out) :: head(elements)       !< h [m]
    real(wp), intent(out) :: stretch(elements)    !< [-]
    real(wp) :: exponent(elements), growth(elements)
    integer :: i

    !$omp simd
    do i = 1, elements
      exponent(i) = -coordinate(i)*alpha(i)/knee - 1.0_wp
      exponent(i) = merge(0.0_wp, exponent(i), exponent(i) < 0.0_wp)
      exponent(i) = merge(largest_exponent, exponent(i), exponent(i) > largest_exponent)
    end do
    call exponentials(elements, exponent, growth)
    !$omp simd
    do i = 1, elements
      head(i) = merge(coordinate(i), -knee/alpha(i)*growth(i), coordinate(i)*alpha(i) > -knee)
      head(i) = merge(driest_head, head(i), head(i) < driest_head)
      stretch(i) = merge(growth(i), 0.0_wp, growth(i)*knee < -driest_head*alpha(i))
    end do
  end subroutine find_heads

  !> Coordinates of pressure heads.
  pure subroutine find_coordinates(elements, alpha, head, coordinate)
    integer, intent(in) :: elements                !< of the arrays
    real(wp), intent(in) :: alpha(elements)        !< [m-1]
    real(wp), intent(in) :: head(elements)         !< h [m]
    real(wp), intent(out) :: coordinate(elements)  !< u [m]
    real(wp) :: dryness(elements), log_dryness(elements)
    integer :: i

    !$omp simd
    do i = 1, elements
      dryness(i) = -head(i)*alpha(i)/knee
      dryness(i) = merge(1.0_wp, dryness(i), dryness(i) < 1.0_wp)
    end do
    call logarithms(elements, dryness, log_dryness)
    !$omp simd
    do i = 1, elements
      coordinate(i) = merge(head(i), -knee/alpha(i)*(1.0_wp + log_dryness(i)), head(i)*alpha(i) > -knee)
    end do
  end subroutine find_coordinates

  !> Saturations at pressure heads, and their derivatives.
  pure subroutine find_saturations(elements, alpha, n, m, residual, maximum, head, saturation, slope, power)
    integer, intent(in) :: elements                !< of the arrays
    real(wp), intent(in) :: alpha(elements)        !< [m-1]
    real(wp), intent(in) :: n(elements)            !< [-]
    real(wp), intent(in) :: m(elements)            !< 1 - 1/n [-]
    real(wp), intent(in) :: residual(elements)     !< least saturation [-]
    real(wp), intent(in) :: maximum(elements)      !< largest saturation [-]
    real(wp), intent(in) :: head(elements)         !< [m]
    real(wp), intent(out) :: saturation(elements)  !< [-]
    real(wp), intent(out) :: slope(elements)       !< dS/dh [m-1]
    real(wp), intent(out) :: power(elements)       !< x^n, x = -alpha h; next to 0 where saturated [-]
    real(wp) :: x(elements), b(elements), span
    integer :: i

    call suction_powers(elements, head, alpha, n, m, x, power, b)
    !$omp simd private(span)
    do i = 1, elements
      span = (maximum(i) - residual(i))*b(i)
      saturation(i) = merge(residual(i) + span, maximum(i), head(i) < 0.0_wp)
      ! x^(n-1) is written as x^n / x
      slope(i) = merge(span*(n(i) - 1.0_wp)*alpha(i)*power(i)/(x(i)*(1.0_wp + power(i))), 0.0_wp, head(i) < 0.0_wp)
    end do
  end subroutine find_saturations

  !> Relative permeabilities at pressure heads, (1 - y)^2 sqrt(b) with y = x^(n-1) b = (1 + x^-n)^-m.
  pure subroutine find_permeabilities(elements, m, head, power, permeability)
    integer, intent(in) :: elements                  !< of the arrays
    real(wp), intent(in) :: m(elements)              !< 1 - 1/n [-]
    real(wp), intent(in) :: head(elements)           !< [m]
    real(wp), intent(in) :: power(elements)          !< x^n [-]
    real(wp), intent(out) :: permeability(elements)  !< [-]
    real(wp), parameter :: least_power = 1.0e-299_wp
    real(wp) :: inverse(elements), logarithm(elements), emptied(elements), root(elements)
    integer :: i

    !$omp simd
    do i = 1, elements
      inverse(i) = 1.0_wp/merge(least_power, power(i), power(i) < least_power)
    end do
    call logarithms_1p(elements, inverse, logarithm)
    !$omp simd
    do i = 1, elements
      logarithm(i) = -m(i)*logarithm(i)
    end do
    ! keeps the digits of one minus y in dry soil
    call exponentials_m1(elements, logarithm, emptied)
    call logarithms_1p(elements, power, logarithm)
    !$omp simd
    do i = 1, elements
      logarithm(i) = -0.5_wp*m(i)*logarithm(i)
    end do
    call exponentials(elements, logarithm, root)
    !$omp simd
    do i = 1, elements
      permeability(i) = merge(emptied(i)*emptied(i)*root(i), 1.0_wp, head(i) < 0.0_wp)
    end do
  end subroutine find_permeabilities

end module structured_retention
