!> Powers of the ponded depth in the kinematic wave, for all columns of a block at once.
!>
!> Equation (10) of docs/theory.md.
module ponding
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use vector_math, only: powers
  implicit none
  private
  public :: ponding_powers

  !> Of the depth in Manning's formula [-].
  real(wp), parameter, public :: depth_exponent = 5.0_wp/3.0_wp

contains

  !> max(h, 0)^(2/3) and max(h, 0)^(5/3).
  pure subroutine ponding_powers(columns, head, root, power)
    integer, intent(in) :: columns          !< of the block
    real(wp), intent(in) :: head(columns)   !< of the top cells [m]
    real(wp), intent(out) :: root(columns)  !< to 2/3 [m2/3]
    real(wp), intent(out) :: power(columns) !< to 5/3 [m5/3]
    real(wp) :: depth(columns)
    integer :: l

    root = 0.0_wp
    power = 0.0_wp
    if (all(head <= 0.0_wp)) return
    !$omp simd
    do l = 1, columns
      depth(l) = merge(tiny(head), head(l), head(l) < tiny(head))
    end do
    call powers(columns, depth, 2.0_wp/3.0_wp, root)
    !$omp simd
    do l = 1, columns
      root(l) = merge(root(l), 0.0_wp, head(l) > 0.0_wp)
      power(l) = max(head(l), 0.0_wp)*root(l)  ! never a negative zero, which would tell of the neighbours
    end do
  end subroutine ponding_powers
end module ponding
