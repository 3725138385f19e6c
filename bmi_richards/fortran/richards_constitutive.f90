!> Retention and relative permeability of van Genuchten (1980) with Mualem's m = 1 - 1/n, and their derivatives.
!>
!> With x = -alpha h and b = (1 + x^n)^-m:  S = Sr + (Ss - Sr) b  and  kr = (1 - x^(n-1) b)^2 sqrt(b);
!> S = Ss and kr = 1 where h >= 0.  Lengths in m. kr may have an alpha and an n of its own.
!>
!> Equations (2) and (3) of docs/theory.md.
module richards_constitutive
  use, intrinsic :: iso_fortran_env, only: wp => real64
  implicit none
  private
  public :: evaluate_analytic, evaluate_permeability, evaluate_table

contains

  !> Saturation, relative permeability and their derivatives by the pressure head, for the layers of one column.
  pure subroutine evaluate_analytic(nz, head, alpha, n, residual, span, saturation, kr, dsaturation, dkr)
    integer, intent(in) :: nz                          !< layers
    real(wp), intent(in) :: head(nz)                   !< pressure head [m]
    real(wp), intent(in) :: alpha(nz)                  !< [m-1]
    real(wp), intent(in) :: n(nz)                      !< [-]
    real(wp), intent(in) :: residual(nz)               !< Sr [-]
    real(wp), intent(in) :: span(nz)                   !< Ss - Sr [-]
    real(wp), intent(out) :: saturation(nz)            !< [-]
    real(wp), intent(out) :: kr(nz)                    !< relative permeability [-]
    real(wp), intent(out) :: dsaturation(nz), dkr(nz)  !< [m-1]
    real(wp) :: x, u, v, b, g, slope
    integer :: k

    do k = 1, nz
      if (head(k) >= 0.0_wp) then
        saturation(k) = residual(k) + span(k)
        kr(k) = 1.0_wp
        dsaturation(k) = 0.0_wp
        dkr(k) = 0.0_wp
      else
        x = -alpha(k)*head(k)
        u = exp(n(k)*log(x))                                  ! x^n
        v = 1.0_wp + u
        b = exp(-(1.0_wp - 1.0_wp/n(k))*log(v))     ! (1 + x^n)^-m
        g = u/x*b                                           ! x^(n-1) b
        slope = alpha(k)*(n(k) - 1.0_wp)/(v*x)
        saturation(k) = residual(k) + span(k)*b
        dsaturation(k) = span(k)*slope*u*b
        b = sqrt(b)
        kr(k) = (1.0_wp - g)**2*b
        dkr(k) = slope*b*(1.0_wp - g)*(2.0_wp*g + 0.5_wp*(1.0_wp - g)*u)
      end if
    end do
  end subroutine evaluate_analytic

  !> Relative permeability and its derivative alone, for the layers of one column.
  pure subroutine evaluate_permeability(nz, head, alpha, n, kr, dkr)
    integer, intent(in) :: nz          !< layers
    real(wp), intent(in) :: head(nz)   !< pressure head [m]
    real(wp), intent(in) :: alpha(nz)  !< of relative permeability [m-1]
    real(wp), intent(in) :: n(nz)      !< of relative permeability [-]
    real(wp), intent(out) :: kr(nz)    !< relative permeability [-]
    real(wp), intent(out) :: dkr(nz)   !< derivative of kr by head [m-1]
    real(wp) :: nothing(nz), one(nz), saturation(nz), dsaturation(nz)

    nothing = 0.0_wp
    one = 1.0_wp
    call evaluate_analytic(nz, head, alpha, n, nothing, one, saturation, kr, dsaturation, dkr)
  end subroutine evaluate_permeability

  !> Relative permeability interpolated linearly between `points` nodes from `minimum_head` to 0, and 0 below `minimum_head`.
  !>
  !> The nodes are evaluated where they are needed: no table is stored, so every cell may have its own parameters.
  pure subroutine evaluate_table(nz, head, alpha, n, points, minimum_head, kr, dkr)
    integer, intent(in) :: nz                 !< layers
    integer, intent(in) :: points             !< nodes of the table
    real(wp), intent(in) :: head(nz)          !< pressure head [m]
    real(wp), intent(in) :: alpha(nz)         !< of relative permeability [m-1]
    real(wp), intent(in) :: n(nz)             !< of relative permeability [-]
    real(wp), intent(in) :: minimum_head(nz)  !< < 0 [m]
    real(wp), intent(inout) :: kr(nz)         !< relative permeability, that of saturated cells on entry [-]
    real(wp), intent(inout) :: dkr(nz)        !< derivative of kr by head [m-1]
    real(wp) :: spacing, below, above, position
    integer :: k, node

    do k = 1, nz
      if (head(k) >= 0.0_wp) cycle
      if (head(k) <= minimum_head(k)) then
        kr(k) = 0.0_wp
        dkr(k) = 0.0_wp
        cycle
      end if
      spacing = -minimum_head(k)/real(points - 1, wp)
      position = -head(k)/spacing
      node = min(int(position), points - 2)  ! nodes count from saturation downwards
      above = node_permeability(-node*spacing, alpha(k), n(k))
      below = node_permeability(-(node + 1)*spacing, alpha(k), n(k))
      dkr(k) = (above - below)/spacing
      kr(k) = above + (below - above)*(position - node)
    end do
  end subroutine evaluate_table

  !> Relative permeability at a node of the table [-].
  pure function node_permeability(head, alpha, n) result(kr)
    real(wp), intent(in) :: head   !< pressure head [m]
    real(wp), intent(in) :: alpha  !< [m-1]
    real(wp), intent(in) :: n      !< exponent of van Genuchten [-]
    real(wp) :: kr, x, u, b

    if (head >= 0.0_wp) then
      kr = 1.0_wp
    else
      x = -alpha*head
      u = exp(n*log(x))
      b = exp(-(1.0_wp - 1.0_wp/n)*log(1.0_wp + u))
      kr = (1.0_wp - u/x*b)**2*sqrt(b)
    end if
  end function node_permeability
end module richards_constitutive
