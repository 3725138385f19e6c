!> Retention and relative permeability of van Genuchten (1980) with Mualem's m = 1 - 1/n, and their derivatives.
!!
!! With x = -alpha h and b = (1 + x^n)^-m:  S = Sr + (Ss - Sr) b  and  kr = (1 - x^(n-1) b)^2 sqrt(b);
!! S = Ss and kr = 1 where h >= 0.  Lengths in m.
module richards_constitutive
  use, intrinsic :: iso_fortran_env, only: real64
  implicit none
  private
  public :: evaluate_analytic, evaluate_table

contains

  !> Saturation, relative permeability and their derivatives by the pressure head, for the layers of one column.
  pure subroutine evaluate_analytic(nz, head, alpha, n, residual, span, saturation, kr, dsaturation, dkr)
    integer, intent(in) :: nz
    real(real64), intent(in) :: head(nz)      !< pressure head [m]
    real(real64), intent(in) :: alpha(nz)     !< [m-1]
    real(real64), intent(in) :: n(nz)         !< [-]
    real(real64), intent(in) :: residual(nz)  !< Sr [-]
    real(real64), intent(in) :: span(nz)      !< Ss - Sr [-]
    real(real64), intent(out) :: saturation(nz), kr(nz)
    real(real64), intent(out) :: dsaturation(nz), dkr(nz)  !< [m-1]
    real(real64) :: x, u, v, b, g, slope
    integer :: k

    do k = 1, nz
      if (head(k) >= 0.0_real64) then
        saturation(k) = residual(k) + span(k)
        kr(k) = 1.0_real64
        dsaturation(k) = 0.0_real64
        dkr(k) = 0.0_real64
      else
        x = -alpha(k) * head(k)
        u = exp(n(k) * log(x))                                  ! x^n
        v = 1.0_real64 + u
        b = exp(-(1.0_real64 - 1.0_real64 / n(k)) * log(v))     ! (1 + x^n)^-m
        g = u / x * b                                           ! x^(n-1) b
        slope = alpha(k) * (n(k) - 1.0_real64) / (v * x)
        saturation(k) = residual(k) + span(k) * b
        dsaturation(k) = span(k) * slope * u * b
        b = sqrt(b)
        kr(k) = (1.0_real64 - g)**2 * b
        dkr(k) = slope * b * (1.0_real64 - g) * (2.0_real64 * g + 0.5_real64 * (1.0_real64 - g) * u)
      end if
    end do
  end subroutine evaluate_analytic

  !> The same with kr interpolated linearly between `points` nodes from `minimum_head` to 0, and 0 below `minimum_head`.
  !!
  !! The nodes are evaluated where they are needed: no table is stored, so every cell may have its own parameters.
  pure subroutine evaluate_table(nz, head, alpha, n, residual, span, points, minimum_head, saturation, kr, dsaturation, dkr)
    integer, intent(in) :: nz, points
    real(real64), intent(in) :: head(nz), alpha(nz), n(nz), residual(nz), span(nz)
    real(real64), intent(in) :: minimum_head(nz)  !< < 0 [m]
    real(real64), intent(out) :: saturation(nz), kr(nz), dsaturation(nz), dkr(nz)
    real(real64) :: spacing, below, above, position
    integer :: k, node

    call evaluate_analytic(nz, head, alpha, n, residual, span, saturation, kr, dsaturation, dkr)
    do k = 1, nz
      if (head(k) >= 0.0_real64) cycle
      if (head(k) <= minimum_head(k)) then
        kr(k) = 0.0_real64
        dkr(k) = 0.0_real64
        cycle
      end if
      spacing = -minimum_head(k) / real(points - 1, real64)
      position = -head(k) / spacing
      node = min(int(position), points - 2)  ! nodes count from saturation downwards
      above = node_permeability(-node * spacing, alpha(k), n(k))
      below = node_permeability(-(node + 1) * spacing, alpha(k), n(k))
      dkr(k) = (above - below) / spacing
      kr(k) = above + (below - above) * (position - node)
    end do
  end subroutine evaluate_table

  pure function node_permeability(head, alpha, n) result(kr)
    real(real64), intent(in) :: head, alpha, n
    real(real64) :: kr, x, u, b

    if (head >= 0.0_real64) then
      kr = 1.0_real64
    else
      x = -alpha * head
      u = exp(n * log(x))
      b = exp(-(1.0_real64 - 1.0_real64 / n) * log(1.0_real64 + u))
      kr = (1.0_real64 - u / x * b)**2 * sqrt(b)
    end if
  end function node_permeability

end module richards_constitutive
