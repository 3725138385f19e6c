!> Powers of the suction in the retention of van Genuchten (1980), for all elements of a block at once.
!>
!> Equation (2) of docs/theory.md.
module van_genuchten
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use vector_math, only: exponentials, logarithms
  implicit none
  private
  public :: suction_powers

  !> Stands for x of saturated cells, and of cells so near saturation that 1/x were infinite [-].
  real(wp), parameter :: least = 1.0e-300_wp

contains

  !> x = -alpha h, x^n, and (1 + x^n)^-exponent.
  pure subroutine suction_powers(elements, head, alpha, n, exponent, x, power, factor)
    integer, intent(in) :: elements            !< of the arrays
    real(wp), intent(in) :: head(elements)     !< pressure head [m]
    real(wp), intent(in) :: alpha(elements)    !< [m-1]
    real(wp), intent(in) :: n(elements)        !< [-]
    real(wp), intent(in) :: exponent(elements) !< of the factor: m = 1 - 1/n gives the effective saturation [-]
    real(wp), intent(out) :: x(elements)       !< next to 0 where saturated [-]
    real(wp), intent(out) :: power(elements)   !< x^n [-]
    real(wp), intent(out) :: factor(elements)  !< (1 + x^n)^-exponent [-]
    real(wp) :: work(elements)
    integer :: i

    !$omp simd
    do i = 1, elements
      x(i) = -alpha(i)*head(i)
      x(i) = merge(least, x(i), x(i) < least)
    end do
    call logarithms(elements, x, work)
    !$omp simd
    do i = 1, elements
      work(i) = n(i)*work(i)
    end do
    call exponentials(elements, work, power)
    !$omp simd
    do i = 1, elements
      factor(i) = 1.0_wp + power(i)
    end do
    call logarithms(elements, factor, work)
    !$omp simd
    do i = 1, elements
      work(i) = -exponent(i)*work(i)
    end do
    call exponentials(elements, work, factor)
  end subroutine suction_powers
end module van_genuchten
