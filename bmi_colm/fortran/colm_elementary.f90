!> Elementary functions of a block of columns, which are computed side by side in the lanes of the processor's vectors.
!>
!> A compiler makes vector instructions of array expressions and loops over lanes as long as these call no function of the C
!> library, whose vector versions come only with options that change values. These functions are written from their
!> mathematics: reduction of the argument, then a polynomial. A lane's result depends on its own argument alone.
!>
!> Loops fill a local array: the result of a function may lie anywhere in memory, which stops the vectors.
!>
!> Equation (62) of docs/theory.md.
module colm_elementary
  use, intrinsic :: iso_fortran_env, only: int64
  use colm_constants, only: wp, lanes
  implicit none
  private
  public :: exponential, logarithm, power, arctangent

  real(wp), parameter :: ln2_upper = aint(log(2.0_wp)*2.0_wp**33)/2.0_wp**33  !< first 33 bits of ln 2: n times it is exact [-]
  real(wp), parameter :: ln2_lower = 7.44061711001239671613e-11_wp            !< ln 2 less these [-]
  real(wp), parameter :: shifter = 1.5_wp*2.0_wp**52                          !< an integer added fills its last bits [-]
  real(wp), parameter :: two52 = 2.0_wp**52                                   !< its last bits take an integer, too [-]
  integer(int64), parameter :: mantissa_bits = 52, bias = 1023
  integer(int64), parameter :: one_bits = transfer(1.0_wp, 0_int64), two52_bits = transfer(two52, 0_int64)
  integer(int64), parameter :: root_half_bits = transfer(sqrt(0.5_wp), 0_int64)
  real(wp), parameter :: not_a_number = transfer(-2251799813685248_int64, 0.0_wp)

contains

  !> e to the power of x within 1 unit in the last place; beyond -708 and 709 as there, NaN for NaN and infinity.
  pure function exponential(x) result(y)
    real(wp), intent(in) :: x(lanes)  !< exponent [-]
    real(wp) :: y(lanes), value(lanes)
    real(wp) :: bounded, shifted, n, r, q
    integer :: l

    !$omp simd private(bounded, shifted, n, r, q)
    do l = 1, lanes
      bounded = max(-708.0_wp, min(709.0_wp, x(l)))
      shifted = bounded*(1.0_wp/log(2.0_wp)) + shifter
      n = shifted - shifter
      r = (bounded - n*ln2_upper) - n*ln2_lower
      q = 1.0_wp/479001600.0_wp + r*(1.0_wp/6227020800.0_wp)
      q = 1.0_wp/39916800.0_wp + r*q
      q = 1.0_wp/3628800.0_wp + r*q
      q = 1.0_wp/362880.0_wp + r*q
      q = 1.0_wp/40320.0_wp + r*q
      q = 1.0_wp/5040.0_wp + r*q
      q = 1.0_wp/720.0_wp + r*q
      q = 1.0_wp/120.0_wp + r*q
      q = 1.0_wp/24.0_wp + r*q
      q = 1.0_wp/6.0_wp + r*q
      q = 0.5_wp + r*q
      value(l) = (1.0_wp + (r + r*r*q))*transfer(ishft(transfer(shifted, 0_int64) + bias, mantissa_bits), 0.0_wp)
      value(l) = value(l) + (x(l) - x(l))  ! a minimum may have lost NaN
    end do
    y = value
  end function exponential

  !> Natural logarithm of x within 1 unit in the last place; NaN for NaN and what is not a positive normal number.
  pure function logarithm(x) result(y)
    real(wp), intent(in) :: x(lanes)  !< argument [-]
    real(wp) :: y(lanes), value(lanes)
    real(wp) :: n, f, s, z, q
    integer(int64) :: bits, biased
    integer :: l

    !$omp simd private(n, f, s, z, q, bits, biased)
    do l = 1, lanes
      bits = transfer(x(l), 0_int64) + (one_bits - root_half_bits)
      biased = ishft(bits, -mantissa_bits)
      n = transfer(ior(biased, two52_bits), 0.0_wp) - (two52 + real(bias, wp))
      f = transfer(bits - ishft(biased, mantissa_bits) + root_half_bits, 0.0_wp) - 1.0_wp
      s = f/(2.0_wp + f)
      z = s*s
      q = 2.0_wp/19.0_wp + z*(2.0_wp/21.0_wp)
      q = 2.0_wp/17.0_wp + z*q
      q = 2.0_wp/15.0_wp + z*q
      q = 2.0_wp/13.0_wp + z*q
      q = 2.0_wp/11.0_wp + z*q
      q = 2.0_wp/9.0_wp + z*q
      q = 2.0_wp/7.0_wp + z*q
      q = 2.0_wp/5.0_wp + z*q
      q = 2.0_wp/3.0_wp + z*q
      value(l) = n*ln2_upper + (f - (s*(f - z*q) - n*ln2_lower))  ! 2 s = f - s f; small terms first
      value(l) = merge(value(l), not_a_number, x(l) >= tiny(1.0_wp) .and. x(l) <= huge(1.0_wp))
    end do
    y = value
  end function logarithm

  !> x to the power of a; 0 for x = 0. Its relative error is that of a ln x, up to 2 + |a ln x| units in the last place.
  pure function power(x, a) result(y)
    real(wp), intent(in) :: x(lanes)  !< base, not negative [-]
    real(wp), intent(in) :: a         !< exponent, positive where the base may be 0 [-]
    real(wp) :: y(lanes)
    y = exponential(a*logarithm(merge(1.0_wp, x, x == 0.0_wp)))
    y = merge(0.0_wp, y, x == 0.0_wp)
  end function power

  !> Angle [rad] whose tangent is x, for |x| <= 1, within 2 units in the last place.
  pure function arctangent(x) result(y)
    real(wp), intent(in) :: x(lanes)  !< tangent [-]
    real(wp), parameter :: quarter_pi = 0.785398163397448309616_wp, tangent_of_eighth = sqrt(2.0_wp) - 1.0_wp
    real(wp) :: y(lanes), value(lanes)
    real(wp) :: t, offset, z, q
    integer :: l

    !$omp simd private(t, offset, z, q)
    do l = 1, lanes
      t = abs(x(l))
      offset = merge(quarter_pi, 0.0_wp, t > tangent_of_eighth)
      t = merge((t - 1.0_wp)/(t + 1.0_wp), t, t > tangent_of_eighth)
      z = t*t
      q = 0.039230447784793095235_wp - z*0.019175404711104933678_wp
      q = -0.050854078345894842573_wp + z*q
      q = 0.058581409048663282818_wp + z*q
      q = -0.066645105255089365988_wp + z*q
      q = 0.076921831253768920895_wp + z*q
      q = -0.090909045753064890845_wp + z*q
      q = 0.11111111015187018721_wp + z*q
      q = -0.14285714284665680761_wp + z*q
      q = 0.19999999999995516545_wp + z*q
      q = -0.33333333333333330156_wp + z*q
      value(l) = sign(offset + (t + t*z*q), x(l))
    end do
    y = value
  end function arctangent
end module colm_elementary
