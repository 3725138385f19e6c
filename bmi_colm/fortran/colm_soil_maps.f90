!> Water of the soil from maps of the root zone to columns. Maps are (cell, layer), x fastest and layer 1 at the bottom; columns are
!> (layer, column), layer 1 at the top, with layers of their own.
!>
!> Equation (61) of docs/theory.md.
module colm_soil_maps
  use colm_constants, only: wp
  implicit none
  private
  public :: take_soil_water

contains

  !> Head and saturation of the soil layers, and the water that the groundwater can give each: what lies above the saturation at its
  !> floor head, where the compressible storage leaves that much.
  subroutine take_soil_water(cell, owner, share, head_map, saturation_map, capacity, driest, stiffness, floor, threads, head, &
    saturation, available)
    integer, intent(in) :: cell(:)                !< cell of each column
    integer, intent(in) :: owner(:)               !< root-zone layer, from the top, that each soil layer lies in
    real(wp), intent(in) :: share(:)              !< part of that layer's water that the soil layer can take [-]
    real(wp), intent(in) :: head_map(:, :)        !< [m]
    real(wp), intent(in) :: saturation_map(:, :)  !< [-]
    real(wp), intent(in) :: capacity(:, :)        !< water in the pores of the root-zone layers [kg m-2]
    real(wp), intent(in) :: driest(:, :)          !< saturation at the floor head [-]
    real(wp), intent(in) :: stiffness(:, :)       !< specific storage over porosity [m-1]
    real(wp), intent(in) :: floor(:, :)           !< floor head [m]
    integer, intent(in) :: threads                !< of this call
    real(wp), intent(inout) :: head(:, :)         !< [m]
    real(wp), intent(inout) :: saturation(:, :)   !< [-]
    real(wp), intent(inout) :: available(:, :)    !< [kg m-2]
    real(wp) :: compressed, above
    integer :: i, k, o, layers

    layers = size(head_map, 2)
    !$omp parallel do num_threads(threads) schedule(static) private(k, o, compressed, above)
    do i = 1, size(cell)
      do k = 1, size(owner)
        o = owner(k)
        head(k, i) = head_map(cell(i), layers + 1 - o)
        saturation(k, i) = saturation_map(cell(i), layers + 1 - o)
        compressed = stiffness(o, i)*(saturation(k, i)*head(k, i) - driest(o, i)*floor(o, i))
        above = saturation(k, i) - driest(o, i) + min(compressed, 0.0_wp)
        available(k, i) = capacity(o, i)*max(above, 0.0_wp)*share(k)
      end do
    end do
  end subroutine take_soil_water

end module colm_soil_maps
