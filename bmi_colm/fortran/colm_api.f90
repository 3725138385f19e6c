!> Flat interface that f2py wraps; all physics is in the modules beside this file.
subroutine max_threads(n)
  use omp_lib, only: omp_get_max_threads
  implicit none
  integer, intent(out) :: n
  n = omp_get_max_threads()
end subroutine max_threads
