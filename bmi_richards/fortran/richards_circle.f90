!> Overland flow in circles: columns that feed each other, such as two slopes that fall towards each other.
!>
!> Column by column the water of a pit is passed to and fro, the more often the faster it flows. Newton's method on the flow between
!> the columns of a circle ends that: P = max(h, 0)^(5/3) of a column answers to its inflow I by D = dP/dI, so that
!>     P_i - D_i dt sum_j c_ij P_j = P_i(I_i) + D_i (I_i from outside - I_i),
!> with the conveyances c_ij of the faces. D dt times the conveyance of all faces of a column is below 1, so that the matrix can be
!> eliminated without pivots.
!>
!> Equations (9) and (10) of docs/theory.md.
module richards_circle
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use richards_types, only: network_t
  implicit none
  private
  public :: predict_powers

contains

  !> Replace the powers of a circle by those that its linearised columns would have together.
  subroutine predict_powers(network, first, last, dt, inflow, answer, power)
    type(network_t), intent(in) :: network           !< neighbours and order of the columns
    integer, intent(in) :: first                     !< first column of the circle
    integer, intent(in) :: last                      !< last column of the circle
    real(wp), intent(in) :: dt                       !< [h]
    real(wp), intent(in) :: inflow(:)                !< overland inflow that the columns were solved with [m]
    real(wp), intent(in) :: answer(:)                !< derivative of a column's power by its inflow [m2/3]
    real(wp), intent(inout) :: power(:)              !< max(h, 0)^(5/3) of all columns [m5/3]
    real(wp), allocatable :: matrix(:, :)  ! too large for the stack
    real(wp) :: right(last - first + 1), outside, factor
    integer :: c, i, j, k, side, donor, columns

    columns = last - first + 1
    allocate (matrix(columns, columns), source=0.0_wp)
    do c = first, last
      i = c - first + 1
      matrix(i, i) = 1.0_wp
      outside = 0.0_wp
      do side = 1, 4
        donor = network%donor(side, c)
        if (donor == 0) cycle
        if (donor >= first .and. donor <= last) then
          j = donor - first + 1
          matrix(i, j) = matrix(i, j) - answer(c)*dt*network%inflow(side, c)
        else
          outside = outside + dt*network%inflow(side, c)*power(donor)
        end if
      end do
      right(i) = power(c) + answer(c)*(outside - inflow(c))
    end do

    do k = 1, columns - 1
      do i = k + 1, columns
        if (matrix(i, k) == 0.0_wp) cycle
        factor = matrix(i, k)/matrix(k, k)
        matrix(i, k + 1:) = matrix(i, k + 1:) - factor*matrix(k, k + 1:)
        right(i) = right(i) - factor*right(k)
      end do
    end do
    do i = columns, 1, -1
      right(i) = (right(i) - sum(matrix(i, i + 1:)*right(i + 1:)))/matrix(i, i)
    end do
    power(first:last) = max(right, 0.0_wp)
  end subroutine predict_powers
end module richards_circle
