!> What the modules of the kernel hand to each other. Columns are numbered in flow order; arrays are (layer, column), layer 1 at
!! the bottom, so that a column is contiguous in memory. Lengths in m, times in h.
module richards_types
  use, intrinsic :: iso_fortran_env, only: real64
  implicit none
  private
  public :: soil_t, network_t, options_t, state_t, balance_t
  public :: drainage_none, drainage_implicit, drainage_lagged, drainage_prescribed

  !> Bottom boundary: no flow, or gravity drainage from the new head, from the head at the start, or as given.
  integer, parameter :: drainage_none = 0, drainage_implicit = 1, drainage_lagged = 2, drainage_prescribed = 3

  !> Constant properties of the cells (layer, column).
  type :: soil_t
    integer :: nz = 0, ncol = 0
    real(real64) :: dx = 0.0_real64, dy = 0.0_real64
    real(real64), pointer, contiguous :: dz(:) => null()            !< layer thickness [m]
    real(real64), pointer, contiguous :: gap(:) => null()           !< distance of the centres of layers k and k+1 [m]
    real(real64), pointer, contiguous :: alpha(:, :) => null()      !< [m-1]
    real(real64), pointer, contiguous :: n(:, :) => null()          !< [-]
    real(real64), pointer, contiguous :: residual(:, :) => null()   !< Sr [-]
    real(real64), pointer, contiguous :: span(:, :) => null()       !< Ss - Sr [-]
    real(real64), pointer, contiguous :: pore(:, :) => null()       !< porosity * dz [m]
    real(real64), pointer, contiguous :: elastic(:, :) => null()    !< specific storage * dz [-]
    real(real64), pointer, contiguous :: vertical(:, :) => null()   !< conductivity of the face k | k+1 [m h-1]
    real(real64), pointer, contiguous :: bottom(:) => null()        !< vertical conductivity of layer 1 (column) [m h-1]
    real(real64), pointer, contiguous :: east(:, :) => null()       !< dz * conductivity of the east face [m2 h-1]
    real(real64), pointer, contiguous :: north(:, :) => null()      !< dz * conductivity of the north face [m2 h-1]
    real(real64), pointer, contiguous :: slope_x(:) => null()       !< slope of the east face (column) [-]
    real(real64), pointer, contiguous :: slope_y(:) => null()       !< slope of the north face (column) [-]
    real(real64), pointer, contiguous :: minimum_head(:, :) => null()  !< lowest head of the kr table [m]; one cell if analytic
    real(real64), pointer, contiguous :: floor_water(:, :) => null()   !< water that sinks cannot take [m]
  end type soil_t

  !> Neighbours and the order of overland flow: donors come before the columns they feed. A group is one column, or the columns of one cycle of the slope field.
  type :: network_t
    integer, pointer, contiguous :: east(:) => null(), west(:) => null()    !< neighbouring columns, 0 where there is none
    integer, pointer, contiguous :: north(:) => null(), south(:) => null()
    integer, pointer, contiguous :: group_start(:) => null()  !< first column of each group, and one past the last
    integer, pointer, contiguous :: donor(:, :) => null()     !< (4, column) columns whose ponding flows in, 0 where none
    real(real64), pointer, contiguous :: inflow(:, :) => null()   !< (4, column) face coefficient [h-1 m-2/3]
    real(real64), pointer, contiguous :: outflow(:) => null()     !< sum of the coefficients of the faces a column feeds
    real(real64), pointer, contiguous :: boundary(:) => null()    !< the part of `outflow` that leaves the domain
  end type network_t

  type :: options_t
    real(real64) :: dt = 1.0_real64          !< [h]
    real(real64) :: tolerance = 1.0e-14_real64  !< largest residual of a cell [m]
    real(real64) :: pass_tolerance = 0.0_real64  !< pass until nothing changes more; 0: the number given
    integer :: passes = 2                    !< passes over the domain, or the most of them
    integer :: drainage = drainage_none
    integer :: table_points = 0              !< nodes of the kr table, 0: analytic
    integer :: threads = 1
    logical :: lateral = .true.              !< lateral groundwater flow
  end type options_t

  !> Head and what follows from it (layer, column).
  type :: state_t
    real(real64), pointer, contiguous :: head(:, :) => null()         !< [m]
    real(real64), pointer, contiguous :: saturation(:, :) => null()   !< [-]
    real(real64), pointer, contiguous :: kr(:, :) => null()           !< [-]
    real(real64), pointer, contiguous :: dsaturation(:, :) => null()  !< [m-1]
    real(real64), pointer, contiguous :: dkr(:, :) => null()          !< [m-1]
  end type state_t

  !> What a step did to each column: depths over the step [m], and what it took to solve.
  type :: balance_t
    real(real64), pointer, contiguous :: storage_change(:) => null()  !< ground and ponded water
    real(real64), pointer, contiguous :: source(:) => null()          !< as applied
    real(real64), pointer, contiguous :: unmet(:) => null()           !< sinks that were cut, >= 0
    real(real64), pointer, contiguous :: outflow(:) => null()         !< overland, out of the domain
    real(real64), pointer, contiguous :: drainage(:) => null()        !< through the bottom
    integer, pointer, contiguous :: iterations(:) => null()           !< of Newton's method, all passes together
    integer, pointer, contiguous :: ways(:) => null()                 !< to solve the column, the most that a pass needed
    integer, pointer, contiguous :: failed_layer(:) => null()         !< 0, or the layer with the largest residual
    real(real64), pointer, contiguous :: residual(:) => null()        !< largest residual [m] of a failed column
    real(real64), pointer, contiguous :: change(:) => null()          !< largest in the last pass, of positive head [m] or saturation [-]
  end type balance_t

end module richards_types
