!> Lateral groundwater flow between neighbouring columns, from the latest heads.
!>
!> Through the face between a cell i and its east (north) neighbour j, per area of a cell [m h-1]:
!>     F = dz K kr_up [(h_i - h_j) / dx c - s] / dx,
!> with the harmonic mean K, fall s and factor c of the slope formulation, and kr taken upstream by the sign of the bracket.
!> Both cells of a face compute its flux, from the same numbers in the same way: what leaves one enters the other, and no column
!> waits for a neighbour. Fluxes from old heads overshoot on fine grids, where a cell holds less water than its faces carry in a
!> step; `response` is what a column's own head makes of its lateral flow, with which the passes before the last are damped.
!>
!> Equations (7) and (11) of docs/theory.md.
module richards_lateral
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use richards_types, only: soil_t, network_t, state_t, state_head, state_kr, state_dkr
  implicit none
  private
  public :: net_inflow, response

contains

  !> Net lateral inflow of a column [m h-1].
  subroutine net_inflow(soil, network, state, column, inflow)
    type(soil_t), intent(in) :: soil          !< properties of the cells
    type(network_t), intent(in) :: network    !< neighbours and order of the columns
    type(state_t), intent(in) :: state        !< head and what follows from it
    integer, intent(in) :: column             !< number of the column
    real(wp), intent(out) :: inflow(soil%nz)  !< [m h-1]

    inflow = 0.0_wp
    if (network%east(column) > 0) call add(column, network%east(column), soil%east, soil%slope_x, soil%cosine_x, soil%dx, -1.0_wp)
    if (network%north(column) > 0) &
      call add(column, network%north(column), soil%north, soil%slope_y, soil%cosine_y, soil%dy, -1.0_wp)
    if (network%west(column) > 0) call add(network%west(column), column, soil%east, soil%slope_x, soil%cosine_x, soil%dx, 1.0_wp)
    if (network%south(column) > 0) &
      call add(network%south(column), column, soil%north, soil%slope_y, soil%cosine_y, soil%dy, 1.0_wp)

  contains

    !> Add the fluxes through the faces of one side.
    subroutine add(lower, upper, transmissivity, slope, cosine, distance, sense)
      integer, intent(in) :: lower                                !< column west or south of the faces, which they belong to
      integer, intent(in) :: upper                                !< column east or north of them
      real(wp), intent(in) :: transmissivity(soil%nz, soil%ncol)  !< dz times conductivity of the faces [m2 h-1]
      real(wp), intent(in) :: slope(soil%ncol)                    !< fall of gravity along the faces [-]
      real(wp), intent(in) :: cosine(soil%ncol)                   !< factor of the gradient [-]
      real(wp), intent(in) :: distance                            !< of the centres [m]
      real(wp), intent(in) :: sense                               !< 1 where the column is the upper one, -1 where the lower [-]

      call add_fluxes(soil%nz, state%cells(:, state_head, lower), state%cells(:, state_kr, lower), &
        state%cells(:, state_head, upper), state%cells(:, state_kr, upper), transmissivity(:, lower), slope(lower), &
        cosine(lower)/distance, sense/distance, inflow)
    end subroutine add
  end subroutine net_inflow

  !> Add the fluxes from one column to another.
  pure subroutine add_fluxes(nz, head, kr, other_head, other_kr, transmissivity, slope, closeness, per_distance, inflow)
    integer, intent(in) :: nz                   !< layers
    real(wp), intent(in) :: head(nz)            !< of the column that they come from [m]
    real(wp), intent(in) :: kr(nz)              !< relative permeability of it [-]
    real(wp), intent(in) :: other_head(nz)      !< of the other column [m]
    real(wp), intent(in) :: other_kr(nz)        !< relative permeability of it [-]
    real(wp), intent(in) :: transmissivity(nz)  !< dz times conductivity of the face [m2 h-1]
    real(wp), intent(in) :: slope               !< fall of gravity along the face [-]
    real(wp), intent(in) :: closeness           !< factor of the gradient by the distance of the centres [m-1]
    real(wp), intent(in) :: per_distance        !< inverse of the distance, with the sign that the flux has as inflow [m-1]
    real(wp), intent(inout) :: inflow(nz)       !< [m h-1]
    real(wp) :: gradient
    integer :: k

    !$omp simd private(gradient)
    do k = 1, nz
      gradient = (head(k) - other_head(k))*closeness - slope
      inflow(k) = inflow(k) + transmissivity(k)*per_distance*gradient*merge(kr(k), other_kr(k), gradient > 0.0_wp)
    end do
  end subroutine add_fluxes

  !> Decrease of the net lateral inflow per rise of a column's own heads [h-1].
  subroutine response(soil, network, state, column, conductance)
    type(soil_t), intent(in) :: soil               !< properties of the cells
    type(network_t), intent(in) :: network         !< neighbours and order of the columns
    type(state_t), intent(in) :: state             !< head and what follows from it
    integer, intent(in) :: column                  !< number of the column
    real(wp), intent(out) :: conductance(soil%nz)  !< decrease of inflow per rise of head [h-1]

    conductance = 0.0_wp
    call add(network%east(column), column, soil%east, soil%slope_x, soil%cosine_x, soil%dx, 1.0_wp)
    call add(network%west(column), network%west(column), soil%east, soil%slope_x, soil%cosine_x, soil%dx, -1.0_wp)
    call add(network%north(column), column, soil%north, soil%slope_y, soil%cosine_y, soil%dy, 1.0_wp)
    call add(network%south(column), network%south(column), soil%north, soil%slope_y, soil%cosine_y, soil%dy, -1.0_wp)

  contains

    !> Add the response of the faces of one side.
    subroutine add(neighbour, lower, transmissivity, slope, cosine, distance, sense)
      integer, intent(in) :: neighbour                            !< column on the other side, 0 for none
      integer, intent(in) :: lower                                !< column that the face belongs to
      real(wp), intent(in) :: transmissivity(soil%nz, soil%ncol)  !< dz times conductivity of the face [m2 h-1]
      real(wp), intent(in) :: slope(soil%ncol)                    !< fall of gravity along the faces [-]
      real(wp), intent(in) :: cosine(soil%ncol)                   !< factor of the gradient [-]
      real(wp), intent(in) :: distance                            !< of the centres [m]
      real(wp), intent(in) :: sense                               !< 1 on the upper side of the column, -1 on the lower [-]
      real(wp) :: outward
      integer :: k

      if (neighbour == 0) return
      do k = 1, soil%nz
        outward = (state%cells(k, state_head, column) - state%cells(k, state_head, neighbour))/distance*cosine(lower) &
          - sense*slope(lower)
        ! the larger kr of the two, whichever is upstream: damping may be too strong, not too weak
        conductance(k) = conductance(k) + transmissivity(k, lower)/distance*( &
          max(state%cells(k, state_kr, column), state%cells(k, state_kr, neighbour))*cosine(lower)/distance &
          + max(outward, 0.0_wp)*state%cells(k, state_dkr, column))
      end do
    end subroutine add
  end subroutine response
end module richards_lateral
