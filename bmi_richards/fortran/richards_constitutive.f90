!> Retention and relative permeability of van Genuchten (1980) with Mualem's m = 1 - 1/n, and their derivatives, for all elements
!> of a block at once.
!>
!> With x = -alpha h and b = (1 + x^n)^-m:  S = Sr + (Ss - Sr) b  and  kr = (1 - x^(n-1) b)^2 sqrt(b);
!> S = Ss and kr = 1 where h >= 0.  Lengths in m. kr may have an alpha and an n of its own.
!>
!> Equations (2) and (3) of docs/theory.md.
module richards_constitutive
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use van_genuchten, only: suction_powers
  implicit none
  private
  public :: evaluate_analytic, evaluate_permeability, evaluate_table

contains

  !> Saturation, relative permeability and their derivatives by the pressure head.
  pure subroutine evaluate_analytic(elements, head, alpha, n, half_m, residual, span, saturation, kr, dsaturation, dkr)
    integer, intent(in) :: elements                !< of the arrays
    real(wp), intent(in) :: head(elements)         !< pressure head [m]
    real(wp), intent(in) :: alpha(elements)        !< [m-1]
    real(wp), intent(in) :: n(elements)            !< [-]
    real(wp), intent(in) :: half_m(elements)       !< (1 - 1/n)/2 [-]
    real(wp), intent(in) :: residual(elements)     !< Sr [-]
    real(wp), intent(in) :: span(elements)         !< Ss - Sr [-]
    real(wp), intent(out) :: saturation(elements)  !< [-]
    real(wp), intent(out) :: kr(elements)          !< relative permeability [-]
    real(wp), intent(out) :: dsaturation(elements) !< [m-1]
    real(wp), intent(out) :: dkr(elements)         !< [m-1]
    real(wp), dimension(elements) :: x, power, root
    real(wp) :: b, g, inverse, slope
    logical :: dry
    integer :: i

    call suction_powers(elements, head, alpha, n, half_m, x, power, root)
    !$omp simd private(b, g, inverse, slope, dry)
    do i = 1, elements
      dry = head(i) < 0.0_wp
      inverse = 1.0_wp/x(i)
      b = root(i)*root(i)
      g = power(i)*inverse*b
      slope = alpha(i)*(n(i) - 1.0_wp)*inverse/(1.0_wp + power(i))
      saturation(i) = residual(i) + merge(span(i)*b, span(i), dry)
      kr(i) = merge((1.0_wp - g)*(1.0_wp - g)*root(i), 1.0_wp, dry)
      dsaturation(i) = merge(span(i)*slope*power(i)*b, 0.0_wp, dry)
      dkr(i) = merge(slope*root(i)*(1.0_wp - g)*(2.0_wp*g + 0.5_wp*(1.0_wp - g)*power(i)), 0.0_wp, dry)
    end do
  end subroutine evaluate_analytic

  !> Relative permeability and its derivative alone.
  pure subroutine evaluate_permeability(elements, head, alpha, n, half_m, kr, dkr)
    integer, intent(in) :: elements         !< of the arrays
    real(wp), intent(in) :: head(elements)  !< pressure head [m]
    real(wp), intent(in) :: alpha(elements) !< of relative permeability [m-1]
    real(wp), intent(in) :: n(elements)     !< of relative permeability [-]
    real(wp), intent(in) :: half_m(elements) !< (1 - 1/n)/2 [-]
    real(wp), intent(out) :: kr(elements)   !< relative permeability [-]
    real(wp), intent(out) :: dkr(elements)  !< derivative of kr by head [m-1]
    real(wp), dimension(elements) :: nothing, one, saturation, dsaturation

    nothing = 0.0_wp
    one = 1.0_wp
    call evaluate_analytic(elements, head, alpha, n, half_m, nothing, one, saturation, kr, dsaturation, dkr)
  end subroutine evaluate_permeability

  !> Relative permeability interpolated linearly between `points` nodes from `minimum_head` to 0, and 0 below `minimum_head`.
  !>
  !> The nodes are evaluated where they are needed: no table is stored, so every cell may have its own parameters.
  pure subroutine evaluate_table(elements, head, alpha, n, half_m, points, minimum_head, kr, dkr)
    integer, intent(in) :: elements                !< of the arrays
    integer, intent(in) :: points                  !< nodes of the table
    real(wp), intent(in) :: head(elements)         !< pressure head [m]
    real(wp), intent(in) :: alpha(elements)        !< of relative permeability [m-1]
    real(wp), intent(in) :: n(elements)            !< of relative permeability [-]
    real(wp), intent(in) :: half_m(elements)       !< (1 - 1/n)/2 [-]
    real(wp), intent(in) :: minimum_head(elements) !< < 0 [m]
    real(wp), intent(inout) :: kr(elements)        !< relative permeability, that of saturated cells on entry [-]
    real(wp), intent(inout) :: dkr(elements)       !< derivative of kr by head [m-1]
    real(wp), dimension(elements) :: spacing, position, node, node_head, below, above
    logical :: in_table
    integer :: i

    do i = 1, elements
      spacing(i) = -minimum_head(i)/real(points - 1, wp)
      position(i) = min(max(-head(i)/spacing(i), 0.0_wp), real(points - 1, wp))
      node(i) = min(aint(position(i)), real(points - 2, wp))  ! nodes count from saturation downwards
      node_head(i) = -node(i)*spacing(i)
    end do
    call find_permeability(elements, node_head, alpha, n, half_m, above)
    do i = 1, elements
      node_head(i) = -(node(i) + 1.0_wp)*spacing(i)
    end do
    call find_permeability(elements, node_head, alpha, n, half_m, below)
    do i = 1, elements
      if (head(i) >= 0.0_wp) cycle
      in_table = head(i) > minimum_head(i)
      dkr(i) = merge((above(i) - below(i))/spacing(i), 0.0_wp, in_table)
      kr(i) = merge(above(i) + (below(i) - above(i))*(position(i) - node(i)), 0.0_wp, in_table)
    end do
  end subroutine evaluate_table

  !> Relative permeability alone.
  pure subroutine find_permeability(elements, head, alpha, n, half_m, kr)
    integer, intent(in) :: elements          !< of the arrays
    real(wp), intent(in) :: head(elements)   !< [m]
    real(wp), intent(in) :: alpha(elements)  !< [m-1]
    real(wp), intent(in) :: n(elements)      !< exponent of van Genuchten [-]
    real(wp), intent(in) :: half_m(elements) !< (1 - 1/n)/2 [-]
    real(wp), intent(out) :: kr(elements)    !< [-]
    real(wp), dimension(elements) :: x, power, root
    real(wp) :: g
    integer :: i

    call suction_powers(elements, head, alpha, n, half_m, x, power, root)
    !$omp simd private(g)
    do i = 1, elements
      g = 1.0_wp - power(i)/x(i)*root(i)*root(i)
      kr(i) = merge(g*g*root(i), 1.0_wp, head(i) < 0.0_wp)
    end do
  end subroutine find_permeability
end module richards_constitutive
