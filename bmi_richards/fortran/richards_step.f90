!> A step that is under way: what the kernel has been told of it, and its work, from one call to the next.
!>
!> Equations (10) and (11b) of docs/theory.md.
module richards_step
  use, intrinsic :: iso_c_binding, only: c_f_pointer, c_int64_t, c_loc, c_null_ptr, c_ptr
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use richards_sweep, only: work_t
  use richards_types, only: soil_t, network_t, boundary_t, options_t, state_t, balance_t
  implicit none
  private
  public :: step_t, keep, kept

  type :: step_t
    type(soil_t) :: soil                                                  !< properties of the cells
    type(network_t) :: network                                            !< neighbours and order of the columns
    type(boundary_t) :: boundary                                          !< faces through which water comes from outside
    type(options_t) :: options                                            !< choices of the step
    real(wp), pointer, contiguous :: source(:, :) => null()               !< volume per bulk volume, into the soil positive [h-1]
    real(wp), pointer, contiguous :: prescribed_drainage(:) => null()     !< used if the options say so [m h-1]
    real(wp), pointer, contiguous :: cells(:, :, :) => null()             !< room for the step [any]
    type(state_t) :: state                                                !< head and what follows from it
    type(balance_t) :: balance                                            !< what the step did to each column
    type(work_t) :: work                                                  !< work of the step
    integer :: pass = 0                                                   !< number of the pass under way
    integer :: passes = 0                                                 !< passes that are done
    logical :: converged = .true.                                         !< passes have come to the tolerance, if there is one
  end type step_t

contains

  !> A number that stands for a step.
  function keep(step) result(handle)
    type(step_t), pointer, intent(in) :: step  !< the step
    integer(c_int64_t) :: handle

    handle = transfer(c_loc(step), handle)
  end function keep

  !> The step that a number stands for.
  function kept(handle) result(step)
    integer(c_int64_t), intent(in) :: handle  !< from `keep`
    type(step_t), pointer :: step

    call c_f_pointer(transfer(handle, c_null_ptr), step)
  end function kept
end module richards_step
