!> Elementary functions in loops that a compiler turns into vector instructions.
!>
!> gfortran calls the intrinsic functions one element at a time unless it may change values (-ffast-math). These are written
!> from their series after a reduction of the argument, without branches and calls, so that a loop over them becomes vector
!> code. Errors are below two units in the last place unless stated. An element's result depends on nothing but the element.
!>
!> The functions are elemental; a loop in another file calls a vector version of them (`omp declare simd`). The procedures
!> with a plural name take a whole array, inline the function, and are about twice as fast; so are functions of an array of
!> `lanes` elements, which stand in expressions. NaN gives NaN.
!>
!> Equation (62) of docs/theory.md.
module vector_math
  use, intrinsic :: iso_fortran_env, only: wp => real64, int64
  implicit none
  private
  public :: exponential, exponential_m1, logarithm, logarithm_1p, power, hyperbolic_tangent, arsinh
  public :: cube_root, inverse_cube_root, arctangent
  public :: exponentials, exponentials_m1, logarithms, logarithms_1p, powers, hyperbolic_tangents, arsinhs

  integer, parameter, public :: lanes = 16 !< elements of a block: whole vectors of any processor

  interface exponential
    module procedure exponential_of_one, exponential_of_lanes
  end interface exponential
  interface logarithm
    module procedure logarithm_of_one, logarithm_of_lanes
  end interface logarithm
  interface power
    module procedure power_of_one, power_of_lanes
  end interface power
  interface cube_root
    module procedure cube_root_of_one, cube_root_of_lanes
  end interface cube_root
  interface inverse_cube_root
    module procedure inverse_cube_root_of_one, inverse_cube_root_of_lanes
  end interface inverse_cube_root
  interface arctangent
    module procedure arctangent_of_one, arctangent_of_lanes
  end interface arctangent

  real(wp), parameter :: log2_e = 1.44269504088896340735992468100189214_wp
  !> ln 2 in two parts; the first has so many zeros at its end that its products with exponents are exact.
  real(wp), parameter :: ln2_high = 1524246769571.0_wp*2.0_wp**(-41), ln2_low = 2.823529056303157712258845e-13_wp
  real(wp), parameter :: sqrt_2 = 1.41421356237309504880168872420969808_wp
  real(wp), parameter :: least_exponent = -746.0_wp, largest_exponent = 710.0_wp
  !> Added to a number below 2^51, it leaves the nearest integer in the last bits.
  real(wp), parameter :: rounder = 1.5_wp*2.0_wp**52
  integer(int64), parameter :: rounder_bits = transfer(rounder, 0_int64)
  integer(int64), parameter :: one_bits = transfer(1.0_wp, 0_int64), two_52_bits = transfer(2.0_wp**52, 0_int64)
  !> The next number above sqrt(1/2): fractions from there on to sqrt(2) have logarithms on both sides of 0.
  integer(int64), parameter :: above_root_half_bits = transfer(sqrt_2, 0_int64) - 2_int64**52 + 1_int64
  integer(int64), parameter :: fraction_mask = 2_int64**52 - 1_int64
  real(wp), parameter :: minus_infinity = transfer(-2_int64**52, 0.0_wp)
  real(wp), parameter :: not_a_number = transfer(one_bits + 2_int64**62 + 2_int64**51, 0.0_wp)
  integer, parameter :: fraction_bits = 52
  integer(int64), parameter :: bias = 1023_int64

contains

  !> exp(r) - 1 for |r| <= ln(2)/2, by its series.
  pure elemental function series_m1(r) result(y)
    !$omp declare simd(series_m1) notinbranch
    real(wp), intent(in) :: r  !< [-]
    real(wp) :: y
    y = r + r*r*(1.0_wp/2.0_wp + r*(1.0_wp/6.0_wp + r*(1.0_wp/24.0_wp + r*(1.0_wp/120.0_wp + r*(1.0_wp/720.0_wp + &
      r*(1.0_wp/5040.0_wp + r*(1.0_wp/40320.0_wp + r*(1.0_wp/362880.0_wp + r*(1.0_wp/3628800.0_wp + &
      r*(1.0_wp/39916800.0_wp + r*(1.0_wp/479001600.0_wp + r*(1.0_wp/6227020800.0_wp))))))))))))
  end function series_m1

  !> exp(x); 0 below -745.1, infinity above 709.8.
  pure elemental function exponential_of_one(x) result(y)
    !$omp declare simd(exponential_of_one) notinbranch
    real(wp), intent(in) :: x  !< [-]
    real(wp) :: y
    real(wp) :: within, rounded, k, r
    integer(int64) :: whole, half
    within = merge(least_exponent, x, x < least_exponent)
    within = merge(largest_exponent, within, within > largest_exponent)
    rounded = within*log2_e + rounder
    k = rounded - rounder
    r = (within - k*ln2_high) - k*ln2_low
    ! 2^k as a product of two, each of which is a normal number
    whole = transfer(rounded, 0_int64) - rounder_bits + 2_int64*bias
    half = ishft(whole, -1)
    y = (1.0_wp + series_m1(r))*transfer(ishft(half, fraction_bits), 0.0_wp)*transfer(ishft(whole - half, fraction_bits), 0.0_wp)
  end function exponential_of_one

  !> exp(x) - 1 for x below 709; -1 below -40.
  pure elemental function exponential_m1(x) result(y)
    !$omp declare simd(exponential_m1) notinbranch
    real(wp), intent(in) :: x  !< [-]
    real(wp) :: y
    real(wp) :: within, rounded, k, r, scale
    within = merge(-40.0_wp, x, x < -40.0_wp)
    rounded = within*log2_e + rounder
    k = rounded - rounder
    r = (within - k*ln2_high) - k*ln2_low
    scale = transfer(ishft(transfer(rounded, 0_int64) - rounder_bits + bias, fraction_bits), 0.0_wp)
    y = scale*series_m1(r) + (scale - 1.0_wp)
  end function exponential_m1

  !> ln(1 + f) + exponent ln 2 for sqrt(1/2) - 1 <= f <= sqrt(2) - 1: with s = f/(2 + f), ln(1 + f) = 2 artanh s, and 2 s = f - s f.
  pure elemental function series_logarithm(f, exponent) result(y)
    !$omp declare simd(series_logarithm) notinbranch
    real(wp), intent(in) :: f  !< [-]
    real(wp), intent(in) :: exponent  !< [-]
    real(wp) :: y
    real(wp) :: s, z, rest
    s = f/(2.0_wp + f)
    z = s*s
    rest = z*(2.0_wp/3.0_wp + z*(2.0_wp/5.0_wp + z*(2.0_wp/7.0_wp + z*(2.0_wp/9.0_wp + z*(2.0_wp/11.0_wp + &
      z*(2.0_wp/13.0_wp + z*(2.0_wp/15.0_wp + z*(2.0_wp/17.0_wp + z*(2.0_wp/19.0_wp + z*(2.0_wp/21.0_wp))))))))))
    y = exponent*ln2_high + (f - (s*(f - rest) - exponent*ln2_low))
  end function series_logarithm

  !> ln(x) of a normal number; -infinity at 0 and at subnormal numbers, NaN below.
  pure elemental function logarithm_of_one(x) result(y)
    !$omp declare simd(logarithm_of_one) notinbranch
    real(wp), intent(in) :: x  !< [-]
    real(wp) :: y
    real(wp) :: f, exponent
    integer(int64) :: bits, biased
    bits = transfer(x, 0_int64) - above_root_half_bits
    biased = ishft(bits + one_bits, -fraction_bits)
    f = transfer(iand(bits, fraction_mask) + above_root_half_bits, 0.0_wp) - 1.0_wp
    exponent = transfer(ior(two_52_bits, biased), 0.0_wp) - (2.0_wp**52 + real(bias, wp))
    y = logarithm_where_normal(x, series_logarithm(f, exponent))
  end function logarithm_of_one

  !> ln(1 + x) for x > -1.
  pure elemental function logarithm_1p(x) result(y)
    !$omp declare simd(logarithm_1p) notinbranch
    real(wp), intent(in) :: x  !< [-]
    real(wp) :: y
    real(wp) :: total, added
    total = 1.0_wp + x
    added = total - 1.0_wp
    ! what rounding has taken from the sum
    y = logarithm_of_sum(total, (1.0_wp - (total - added)) + (x - added))
  end function logarithm_1p

  !> ln(x + rest) with a rest below the last bit of x.
  pure elemental function logarithm_of_sum(x, rest) result(y)
    !$omp declare simd(logarithm_of_sum) notinbranch
    real(wp), intent(in) :: x  !< [-]
    real(wp), intent(in) :: rest  !< [-]
    real(wp) :: y
    real(wp) :: fraction, exponent, part, f
    integer(int64) :: bits, biased
    logical :: upper
    bits = transfer(x, 0_int64)
    biased = iand(ishft(bits, -fraction_bits), 2047_int64)
    fraction = transfer(ior(iand(bits, fraction_mask), one_bits), 0.0_wp)
    exponent = transfer(ior(two_52_bits, biased), 0.0_wp) - (2.0_wp**52 + real(bias, wp))
    ! the rest in units of the fraction; 2046 is the largest exponent of a number
    part = rest*transfer(ishft(max(2_int64*bias - biased, 0_int64), fraction_bits), 0.0_wp)
    upper = fraction > sqrt_2
    f = merge((0.5_wp*fraction - 1.0_wp) + 0.5_wp*part, (fraction - 1.0_wp) + part, upper)
    y = logarithm_where_normal(x, series_logarithm(f, merge(exponent + 1.0_wp, exponent, upper)))
  end function logarithm_of_sum

  !> The logarithm of x where x is a normal number, and what stands for it elsewhere.
  pure elemental function logarithm_where_normal(x, logarithm) result(y)
    !$omp declare simd(logarithm_where_normal) notinbranch
    real(wp), intent(in) :: x          !< [-]
    real(wp), intent(in) :: logarithm  !< right for normal numbers [-]
    real(wp) :: y
    y = merge(logarithm, x, x <= huge(x))
    y = merge(y, minus_infinity, x >= tiny(x))
    y = merge(y, not_a_number, x >= 0.0_wp)
  end function logarithm_where_normal

  !> x^y for x >= 0 and y > 0; its relative error is about |y ln x| times that of a product.
  pure elemental function power_of_one(x, y) result(z)
    !$omp declare simd(power_of_one) uniform(y) notinbranch
    real(wp), intent(in) :: x  !< [-]
    real(wp), intent(in) :: y  !< [-]
    real(wp) :: z
    z = exponential_of_one(y*logarithm_of_one(x))
  end function power_of_one

  !> tanh(x); its error is below three units in the last place.
  pure elemental function hyperbolic_tangent(x) result(y)
    !$omp declare simd(hyperbolic_tangent) notinbranch
    real(wp), intent(in) :: x  !< [-]
    real(wp) :: y
    real(wp) :: t
    t = exponential_m1(-2.0_wp*abs(x))
    y = sign(-t/(2.0_wp + t), x)
  end function hyperbolic_tangent

  !> arsinh(x) = sign(x) ln(|x| + sqrt(x^2 + 1)) for |x| below 1e150; its error is below three units in the last place.
  pure elemental function arsinh(x) result(y)
    !$omp declare simd(arsinh) notinbranch
    real(wp), intent(in) :: x  !< [-]
    real(wp) :: y
    real(wp) :: a
    a = abs(x)
    y = sign(logarithm_1p(a + a*a/(1.0_wp + sqrt(1.0_wp + a*a))), x)
  end function arsinh

  !> x^(-1/3) for x > 0; large and finite at 0. With x = 2^(3 k) m and 1/2 <= m < 4, two steps of Newton's method from a
  !> polynomial for m^(-1/3).
  pure elemental function inverse_cube_root_of_one(x) result(y)
    !$omp declare simd(inverse_cube_root_of_one) notinbranch
    real(wp), intent(in) :: x  !< [-]
    real(wp) :: y
    real(wp) :: fraction, exponent, shifted, third, rest, m
    integer(int64) :: bits
    bits = transfer(x, 0_int64)
    fraction = transfer(ior(iand(bits, fraction_mask), one_bits), 0.0_wp)
    exponent = transfer(ior(two_52_bits, iand(ishft(bits, -fraction_bits), 2047_int64)), 0.0_wp) &
      - (2.0_wp**52 + real(bias, wp))
    shifted = exponent*(1.0_wp/3.0_wp) + rounder
    third = shifted - rounder
    rest = exponent - 3.0_wp*third
    y = 1.670006621237_wp - fraction*(1.172879891107_wp - fraction*(0.695482309107_wp - fraction*(0.221237709468_wp &
      - fraction*0.028591001471_wp)))
    m = merge(2.0_wp*fraction, merge(0.5_wp*fraction, fraction, rest < 0.0_wp), rest > 0.0_wp)
    y = y*merge(0.5_wp**(1.0_wp/3.0_wp), merge(2.0_wp**(1.0_wp/3.0_wp), 1.0_wp, rest < 0.0_wp), rest > 0.0_wp)
    y = y + y*(1.0_wp - m*(y*y*y))*(1.0_wp/3.0_wp)
    y = y + y*(1.0_wp - m*(y*y*y))*(1.0_wp/3.0_wp)
    y = y*transfer(ishft(rounder_bits + bias - transfer(shifted, 0_int64), fraction_bits), 0.0_wp)
    y = y + (x - x)  ! the bits of a NaN are no fraction
  end function inverse_cube_root_of_one

  !> x^(1/3) for 0 and normal numbers above it; its error is below five units in the last place.
  pure elemental function cube_root_of_one(x) result(y)
    !$omp declare simd(cube_root_of_one) notinbranch
    real(wp), intent(in) :: x  !< [-]
    real(wp) :: y
    y = inverse_cube_root_of_one(x)
    y = x*(y*y)
  end function cube_root_of_one

  !> Angle [rad] whose tangent is x, for |x| <= 1; its error is below three units in the last place.
  pure elemental function arctangent_of_one(x) result(y)
    !$omp declare simd(arctangent_of_one) notinbranch
    real(wp), intent(in) :: x  !< tangent [-]
    real(wp) :: y
    real(wp), parameter :: quarter_pi = 0.785398163397448309616_wp, tangent_of_eighth = sqrt(2.0_wp) - 1.0_wp
    real(wp) :: t, offset, z, q
    t = abs(x)
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
    y = sign(offset + (t + t*z*q), x)
  end function arctangent_of_one

  ! Functions of a block fill a local array: their result may lie anywhere in memory, which stops the vectors.

  !> exp(x) of a block.
  pure function exponential_of_lanes(x) result(y)
    real(wp), intent(in) :: x(lanes)  !< [-]
    real(wp) :: y(lanes), value(lanes)
    integer :: l
    !$omp simd
    do l = 1, lanes
      value(l) = exponential_of_one(x(l))
    end do
    y = value
  end function exponential_of_lanes

  !> ln(x) of a block.
  pure function logarithm_of_lanes(x) result(y)
    real(wp), intent(in) :: x(lanes)  !< [-]
    real(wp) :: y(lanes), value(lanes)
    integer :: l
    !$omp simd
    do l = 1, lanes
      value(l) = logarithm_of_one(x(l))
    end do
    y = value
  end function logarithm_of_lanes

  !> x^(-1/3) of a block.
  pure function inverse_cube_root_of_lanes(x) result(y)
    real(wp), intent(in) :: x(lanes)  !< [-]
    real(wp) :: y(lanes), value(lanes)
    integer :: l
    !$omp simd
    do l = 1, lanes
      value(l) = inverse_cube_root_of_one(x(l))
    end do
    y = value
  end function inverse_cube_root_of_lanes

  !> x^(1/3) of a block.
  pure function cube_root_of_lanes(x) result(y)
    real(wp), intent(in) :: x(lanes)  !< [-]
    real(wp) :: y(lanes), value(lanes)
    integer :: l
    !$omp simd
    do l = 1, lanes
      value(l) = cube_root_of_one(x(l))
    end do
    y = value
  end function cube_root_of_lanes

  !> Angle [rad] whose tangent is x, for |x| <= 1, of a block.
  pure function arctangent_of_lanes(x) result(y)
    real(wp), intent(in) :: x(lanes)  !< [-]
    real(wp) :: y(lanes), value(lanes)
    integer :: l
    !$omp simd
    do l = 1, lanes
      value(l) = arctangent_of_one(x(l))
    end do
    y = value
  end function arctangent_of_lanes

  !> x^y of a block.
  pure function power_of_lanes(x, y) result(z)
    real(wp), intent(in) :: x(lanes)  !< [-]
    real(wp), intent(in) :: y         !< [-]
    real(wp) :: z(lanes), value(lanes)
    integer :: l
    !$omp simd
    do l = 1, lanes
      value(l) = power_of_one(x(l), y)
    end do
    z = value
  end function power_of_lanes

  !> y = exp(x), element by element.
  pure subroutine exponentials(n, x, y)
    integer, intent(in) :: n  !< elements [-]
    real(wp), intent(in) :: x(n)  !< [-]
    real(wp), intent(out) :: y(n)  !< [-]
    integer :: i
    !$omp simd
    do i = 1, n
      y(i) = exponential_of_one(x(i))
    end do
  end subroutine exponentials

  !> y = exp(x) - 1, element by element.
  pure subroutine exponentials_m1(n, x, y)
    integer, intent(in) :: n  !< elements [-]
    real(wp), intent(in) :: x(n)  !< [-]
    real(wp), intent(out) :: y(n)  !< [-]
    integer :: i
    !$omp simd
    do i = 1, n
      y(i) = exponential_m1(x(i))
    end do
  end subroutine exponentials_m1

  !> y = ln(x), element by element.
  pure subroutine logarithms(n, x, y)
    integer, intent(in) :: n  !< elements [-]
    real(wp), intent(in) :: x(n)  !< [-]
    real(wp), intent(out) :: y(n)  !< [-]
    integer :: i
    !$omp simd
    do i = 1, n
      y(i) = logarithm_of_one(x(i))
    end do
  end subroutine logarithms

  !> y = ln(1 + x), element by element.
  pure subroutine logarithms_1p(n, x, y)
    integer, intent(in) :: n  !< elements [-]
    real(wp), intent(in) :: x(n)  !< [-]
    real(wp), intent(out) :: y(n)  !< [-]
    integer :: i
    !$omp simd
    do i = 1, n
      y(i) = logarithm_1p(x(i))
    end do
  end subroutine logarithms_1p

  !> y = tanh(x), element by element.
  pure subroutine hyperbolic_tangents(n, x, y)
    integer, intent(in) :: n  !< elements [-]
    real(wp), intent(in) :: x(n)  !< [-]
    real(wp), intent(out) :: y(n)  !< [-]
    integer :: i
    !$omp simd
    do i = 1, n
      y(i) = hyperbolic_tangent(x(i))
    end do
  end subroutine hyperbolic_tangents

  !> y = arsinh(x), element by element.
  pure subroutine arsinhs(n, x, y)
    integer, intent(in) :: n  !< elements [-]
    real(wp), intent(in) :: x(n)  !< [-]
    real(wp), intent(out) :: y(n)  !< [-]
    integer :: i
    !$omp simd
    do i = 1, n
      y(i) = arsinh(x(i))
    end do
  end subroutine arsinhs

  !> z = x^y, element by element.
  pure subroutine powers(n, x, y, z)
    integer, intent(in) :: n  !< elements [-]
    real(wp), intent(in) :: x(n)  !< [-]
    real(wp), intent(in) :: y  !< [-]
    real(wp), intent(out) :: z(n)  !< [-]
    integer :: i
    !$omp simd
    do i = 1, n
      z(i) = power_of_one(x(i), y)
    end do
  end subroutine powers

end module vector_math
