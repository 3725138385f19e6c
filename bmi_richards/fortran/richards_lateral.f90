!> Lateral groundwater flow between neighbouring columns, from the latest heads.
!!
!! Through the face between a cell i and its east (north) neighbour j, per area of a cell [m h-1]:
!!     F = dz K kr_up [(h_i - h_j) / dx - s_i] / dx,
!! with the harmonic mean K, the slope of the left (lower) cell and kr taken upstream by the sign of the bracket.
!! Every face is computed once, so what leaves one cell enters the other. Fluxes from old heads overshoot on fine grids, where a
!! cell holds less water than its faces carry in a step; `response` is what a column's own head makes of its lateral flow, with
!! which the passes before the last are damped.
module richards_lateral
  use, intrinsic :: iso_fortran_env, only: real64
  use richards_types, only: soil_t, network_t, state_t
  implicit none
  private
  public :: face_fluxes, net_inflow, response

contains

  !> Fluxes [m h-1] out of a column through its east and its north faces.
  subroutine face_fluxes(soil, network, state, column, east, north)
    type(soil_t), intent(in) :: soil
    type(network_t), intent(in) :: network
    type(state_t), intent(in) :: state
    integer, intent(in) :: column
    real(real64), intent(out) :: east(soil%nz), north(soil%nz)

    call faces(network%east(column), soil%east(:, column), soil%slope_x(column), soil%dx, east)
    call faces(network%north(column), soil%north(:, column), soil%slope_y(column), soil%dy, north)

  contains

    subroutine faces(neighbour, transmissivity, slope, distance, flux)
      integer, intent(in) :: neighbour
      real(real64), intent(in) :: transmissivity(soil%nz), slope, distance
      real(real64), intent(out) :: flux(soil%nz)
      real(real64) :: gradient
      integer :: k

      if (neighbour == 0) then
        flux = 0.0_real64
        return
      end if
      do k = 1, soil%nz
        gradient = (state%head(k, column) - state%head(k, neighbour)) / distance - slope
        flux(k) = transmissivity(k) / distance * gradient &
                  * merge(state%kr(k, column), state%kr(k, neighbour), gradient > 0.0_real64)
      end do
    end subroutine faces

  end subroutine face_fluxes

  !> Net lateral inflow of a column [m h-1] from the fluxes of all faces.
  pure subroutine net_inflow(soil, network, east, north, column, inflow)
    type(soil_t), intent(in) :: soil
    type(network_t), intent(in) :: network
    real(real64), intent(in) :: east(soil%nz, soil%ncol), north(soil%nz, soil%ncol)
    integer, intent(in) :: column
    real(real64), intent(out) :: inflow(soil%nz)

    inflow = -east(:, column) - north(:, column)
    if (network%west(column) > 0) inflow = inflow + east(:, network%west(column))
    if (network%south(column) > 0) inflow = inflow + north(:, network%south(column))
  end subroutine net_inflow

  !> Decrease of the net lateral inflow per rise of a column's own heads [h-1], at constant kr.
  subroutine response(soil, network, state, column, conductance)
    type(soil_t), intent(in) :: soil
    type(network_t), intent(in) :: network
    type(state_t), intent(in) :: state
    integer, intent(in) :: column
    real(real64), intent(out) :: conductance(soil%nz)

    conductance = 0.0_real64
    call add(network%east(column), column, soil%east, soil%dx)
    call add(network%west(column), network%west(column), soil%east, soil%dx)
    call add(network%north(column), column, soil%north, soil%dy)
    call add(network%south(column), network%south(column), soil%north, soil%dy)

  contains

    subroutine add(neighbour, lower, transmissivity, distance)
      integer, intent(in) :: neighbour, lower
      real(real64), intent(in) :: transmissivity(soil%nz, soil%ncol), distance

      if (neighbour == 0) return
      ! the larger kr of the two, whichever is upstream: damping may be too strong, not too weak
      conductance = conductance + transmissivity(:, lower) / distance**2 * max(state%kr(:, column), state%kr(:, neighbour))
    end subroutine add

  end subroutine response

end module richards_lateral
