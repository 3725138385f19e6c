!> Flat interface of colm_soil_maps, which f2py wraps beside what the build makes from the table of columns.

!> Water of the soil from maps to columns; see take_soil_water there.
subroutine take_soil_water(cells, layers, n, n_soil, cell, owner, share, head_map, saturation_map, capacity, driest, stiffness, &
  floor, threads, head, saturation, available)
  use, intrinsic :: iso_c_binding, only: c_double
  use colm_soil_maps, only: take => take_soil_water
  implicit none
  integer, intent(in) :: cells, layers, n, n_soil, threads
  integer, intent(in) :: cell(n), owner(n_soil)
  real(c_double), intent(in) :: share(n_soil), head_map(cells, layers), saturation_map(cells, layers)
  real(c_double), intent(in) :: capacity(layers, n), driest(layers, n), stiffness(layers, n), floor(layers, n)
  real(c_double), intent(inout) :: head(n_soil, n), saturation(n_soil, n), available(n_soil, n)
  !f2py threadsafe

  call take(cell, owner, share, head_map, saturation_map, capacity, driest, stiffness, floor, threads, head, saturation, available)
end subroutine take_soil_water
