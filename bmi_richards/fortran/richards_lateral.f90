!> Lateral groundwater flow between neighbouring columns, from the latest heads.
!>
!> Through the face between a cell i and its east (north) neighbour j, per area of a cell [m h-1]:
!>     F = dz K kr_up [(h_i - h_j) / dx c - s] / dx,
!> with the harmonic mean K, fall s and factor c of the slope formulation, and kr taken upstream by the sign of the bracket.
!> Every face is computed once, so what leaves one cell enters the other. Fluxes from old heads overshoot on fine grids, where a
!> cell holds less water than its faces carry in a step; `response` is what a column's own head makes of its lateral flow, with
!> which the passes before the last are damped.
!>
!> Equations (7) and (11) of docs/theory.md.
module richards_lateral
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use richards_types, only: soil_t, network_t, state_t
  implicit none
  private
  public :: face_fluxes, net_inflow, response

contains

  !> Fluxes [m h-1] out of a column through its east and its north faces.
  subroutine face_fluxes(soil, network, state, column, east, north)
    type(soil_t), intent(in) :: soil         !< properties of the cells
    type(network_t), intent(in) :: network   !< neighbours and order of the columns
    type(state_t), intent(in) :: state       !< head and what follows from it
    integer, intent(in) :: column            !< number of the column
    real(wp), intent(out) :: east(soil%nz)   !< flux through the east face [m h-1]
    real(wp), intent(out) :: north(soil%nz)  !< flux through the north face [m h-1]

    call faces(network%east(column), soil%east(:, column), soil%slope_x(column), soil%cosine_x(column), soil%dx, east)
    call faces(network%north(column), soil%north(:, column), soil%slope_y(column), soil%cosine_y(column), soil%dy, north)

  contains

    !> Fluxes through the faces of one side.
    subroutine faces(neighbour, transmissivity, slope, cosine, distance, flux)
      integer, intent(in) :: neighbour                 !< column on the other side, 0 for none
      real(wp), intent(in) :: transmissivity(soil%nz)  !< dz times conductivity of the face [m2 h-1]
      real(wp), intent(in) :: slope                    !< fall of gravity along the face [-]
      real(wp), intent(in) :: cosine                   !< factor of the gradient [-]
      real(wp), intent(in) :: distance                 !< of the centres [m]
      real(wp), intent(out) :: flux(soil%nz)           !< out of the column [m h-1]
      real(wp) :: gradient
      integer :: k

      if (neighbour == 0) then
        flux = 0.0_wp
        return
      end if
      do k = 1, soil%nz
        gradient = (state%head(k, column) - state%head(k, neighbour))/distance*cosine - slope
        flux(k) = transmissivity(k)/distance*gradient &
          *merge(state%kr(k, column), state%kr(k, neighbour), gradient > 0.0_wp)
      end do
    end subroutine faces
  end subroutine face_fluxes

  !> Net lateral inflow of a column [m h-1] from the fluxes of all faces.
  pure subroutine net_inflow(soil, network, east, north, column, inflow)
    type(soil_t), intent(in) :: soil                   !< properties of the cells
    type(network_t), intent(in) :: network             !< neighbours and order of the columns
    real(wp), intent(in) :: east(soil%nz, soil%ncol)   !< fluxes through all east faces [m h-1]
    real(wp), intent(in) :: north(soil%nz, soil%ncol)  !< fluxes through all north faces [m h-1]
    integer, intent(in) :: column                      !< number of the column
    real(wp), intent(out) :: inflow(soil%nz)           !< net lateral inflow [m h-1]

    inflow = -east(:, column) - north(:, column)
    if (network%west(column) > 0) inflow = inflow + east(:, network%west(column))
    if (network%south(column) > 0) inflow = inflow + north(:, network%south(column))
  end subroutine net_inflow

  !> Decrease of the net lateral inflow per rise of a column's own heads [h-1], at constant kr.
  subroutine response(soil, network, state, column, conductance)
    type(soil_t), intent(in) :: soil               !< properties of the cells
    type(network_t), intent(in) :: network         !< neighbours and order of the columns
    type(state_t), intent(in) :: state             !< head and what follows from it
    integer, intent(in) :: column                  !< number of the column
    real(wp), intent(out) :: conductance(soil%nz)  !< decrease of inflow per rise of head [h-1]

    conductance = 0.0_wp
    call add(network%east(column), column, soil%east, soil%dx)
    call add(network%west(column), network%west(column), soil%east, soil%dx)
    call add(network%north(column), column, soil%north, soil%dy)
    call add(network%south(column), network%south(column), soil%north, soil%dy)

  contains

    !> Add the response of the faces of one side.
    subroutine add(neighbour, lower, transmissivity, distance)
      integer, intent(in) :: neighbour                            !< column on the other side, 0 for none
      integer, intent(in) :: lower                                !< column that the face belongs to
      real(wp), intent(in) :: transmissivity(soil%nz, soil%ncol)  !< dz times conductivity of the face [m2 h-1]
      real(wp), intent(in) :: distance                            !< of the centres [m]

      if (neighbour == 0) return
      ! the larger kr of the two, whichever is upstream: damping may be too strong, not too weak
      conductance = conductance + transmissivity(:, lower)/distance**2*max(state%kr(:, column), state%kr(:, neighbour))
    end subroutine add
  end subroutine response
end module richards_lateral
