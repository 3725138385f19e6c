! Prints, for each function of vector_math, the largest error of its array form in units in the last place, by quadruple
! precision, and whether its other forms give the same bits.
program vector_math_errors
  use, intrinsic :: iso_fortran_env, only: wp => real64, qp => real128
  use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_is_nan, ieee_positive_inf, ieee_quiet_nan
  use vector_math
  implicit none
  integer, parameter :: n = 40000
  real(wp) :: x(n), y(n), block(lanes)
  integer :: i

  call seed()
  call spread_evenly(-708.0_wp, 709.0_wp)
  call exponentials(n, x, y)
  call show("exponential", y, exp(real(x, qp)), all(y == [(exponential(x(i)), i=1, n)]) &
    .and. all(y == [(exponential(x(i:i + lanes - 1)), i=1, n, lanes)]))

  call spread_evenly(-45.0_wp, 3.0_wp)
  x(1:n/2) = sign(10.0_wp**(-12.0_wp*abs(x(1:n/2))/45.0_wp), x(1:n/2))
  call exponentials_m1(n, x, y)
  call show("exponential_m1", y, 2*sinh(real(x, qp)/2)*exp(real(x, qp)/2), all(y == [(exponential_m1(x(i)), i=1, n)]))

  call spread_by_powers(-307.0_wp, 308.0_wp)
  x(1:n/2) = 1.0_wp + (x(1:n/2) - x(1:n/2)) + [(2.0_wp**(-mod(i, 52))*sign(0.9_wp, real(mod(i, 3) - 1, wp)), i=1, n/2)]
  call logarithms(n, x, y)
  call show("logarithm", y, log(real(x, qp)), all(y == [(logarithm(x(i)), i=1, n)]) &
    .and. all(y == [(logarithm(x(i:i + lanes - 1)), i=1, n, lanes)]))

  call spread_by_powers(-20.0_wp, 300.0_wp)
  x(1:n/2) = 10.0_wp**(-16.0_wp*[(real(i, wp)/(n/2), i=1, n/2)] + 1.0_wp)
  x(1:n/4) = -0.099_wp*x(1:n/4)
  call logarithms_1p(n, x, y)
  call show("logarithm_1p", y, merge(2*atanh(real(x, qp)/(2 + real(x, qp))), log(1 + real(x, qp)), x < 1), &
    all(y == [(logarithm_1p(x(i)), i=1, n)]))

  call spread_by_powers(-8.0_wp, 3.0_wp)
  call powers(n, x, 5.0_wp/3.0_wp, y)
  call show("power", y, exp(real(5.0_wp/3.0_wp, qp)*log(real(x, qp))), all(y == [(power(x(i), 5.0_wp/3.0_wp), i=1, n)]) &
    .and. all(y == [(power(x(i:i + lanes - 1), 5.0_wp/3.0_wp), i=1, n, lanes)]))

  call spread_by_powers(-300.0_wp, 300.0_wp)
  x(1:n:2) = x(1:n:2)**(1.0_wp/300.0_wp)
  y = [(cube_root(x(i:i + lanes - 1)), i=1, n, lanes)]
  call show("cube_root", y, real(x, qp)**(1.0_qp/3.0_qp), all(y == [(cube_root(x(i)), i=1, n)]))
  y = [(inverse_cube_root(x(i:i + lanes - 1)), i=1, n, lanes)]
  call show("inverse_cube_root", y, real(x, qp)**(-1.0_qp/3.0_qp), all(y == [(inverse_cube_root(x(i)), i=1, n)]))

  call spread_evenly(0.0_wp, 1.0_wp)
  x = x**1.5_wp  ! with all their bits, which numbers of even spacing lack
  x(1:n:2) = -x(1:n:2)
  y = [(arctangent(x(i:i + lanes - 1)), i=1, n, lanes)]
  call show("arctangent", y, atan(real(x, qp)), all(y == [(arctangent(x(i)), i=1, n)]))

  call spread_by_powers(-10.0_wp, 2.0_wp)
  x(1:n:2) = -x(1:n:2)
  call hyperbolic_tangents(n, x, y)
  call show("hyperbolic_tangent", y, tanh(real(x, qp)), all(y == [(hyperbolic_tangent(x(i)), i=1, n)]))

  call spread_by_powers(-10.0_wp, 140.0_wp)
  x(1:n:2) = -x(1:n:2)
  call arsinhs(n, x, y)
  call show("arsinh", y, sign(asinh(abs(real(x, qp))), real(x, qp)), all(y == [(arsinh(x(i)), i=1, n)]))

  print "(a, 12es14.4e3)", "special", exponential(-750.0_wp), exponential(-745.0_wp), exponential(710.0_wp), &
    exponential_m1(-50.0_wp), logarithm(0.0_wp), logarithm(-1.0_wp), logarithm(huge(1.0_wp)), &
    logarithm_1p(ieee_value(1.0_wp, ieee_positive_inf)), power(0.0_wp, 1.5_wp), hyperbolic_tangent(1.0e3_wp), &
    cube_root(0.0_wp), cube_root(8.0_wp)
  x(1) = ieee_value(1.0_wp, ieee_quiet_nan)
  print "(a, 9l2)", "nan", ieee_is_nan([exponential(x(1)), exponential_m1(x(1)), logarithm(x(1)), logarithm_1p(x(1)), &
    hyperbolic_tangent(x(1)), arsinh(x(1)), cube_root(x(1)), inverse_cube_root(x(1)), arctangent(x(1))])
  block = 1.0_wp
  block(3) = x(1)
  print "(a, 16l2)", "lanes", ieee_is_nan(logarithm(block))

contains

  subroutine seed()
    integer :: length, k
    call random_seed(size=length)
    call random_seed(put=[(7*k, k=1, length)])
  end subroutine seed

  subroutine spread_evenly(low, high)
    real(wp), intent(in) :: low, high
    call random_number(x)
    x = low + (high - low)*x
  end subroutine spread_evenly

  subroutine spread_by_powers(low, high)
    real(wp), intent(in) :: low, high
    call spread_evenly(low, high)
    x = 10.0_wp**x
  end subroutine spread_by_powers

  subroutine show(name, found, exact, same)
    character(*), intent(in) :: name
    real(wp), intent(in) :: found(n)
    real(qp), intent(in) :: exact(n)
    logical, intent(in) :: same
    print "(a, 1x, f8.3, 1x, l1)", name, maxval(abs(real(found, qp) - exact)/spacing(real(exact, wp))), same
  end subroutine show

end program vector_math_errors
