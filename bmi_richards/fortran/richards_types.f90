!> What the modules of the kernel hand to each other. Columns are numbered in flow order; arrays are (layer, column), layer 1 at
!> the bottom, so that a column is contiguous in memory. A column ends at its own topmost layer; what its cells above that hold has
!> no effect: they store no water, and nothing flows through their faces. Lengths in m, times in h.
module richards_types
  use, intrinsic :: iso_fortran_env, only: wp => real64
  implicit none
  private
  public :: soil_t, network_t, boundary_t, options_t, state_t, balance_t
  public :: drainage_none, drainage_implicit, drainage_lagged, drainage_prescribed
  public :: ground_ponds, ground_seeps, ground_closed, lanes

  !> Columns that are solved side by side: as many numbers as the widest vector registers hold.
  integer, parameter :: lanes = 8

  !> Bottom boundary: no flow, or gravity drainage from the new head, from the head at the start, or as given.
  integer, parameter :: drainage_none = 0, drainage_implicit = 1, drainage_lagged = 2, drainage_prescribed = 3

  !> What water above the ground does: it stands and flows, leaves at once, or there is none, because the ground is closed.
  integer, parameter :: ground_ponds = 0, ground_seeps = 1, ground_closed = 2

  !> Constant properties of the cells (layer, column).
  type :: soil_t
    integer :: nz = 0                                              !< layers
    integer :: ncol = 0                                            !< columns
    integer, pointer, contiguous :: top(:) => null()               !< topmost layer of each column
    real(wp) :: dx = 0.0_wp                                        !< size of a cell to the east [m]
    real(wp) :: dy = 0.0_wp                                        !< size of a cell to the north [m]
    real(wp), pointer, contiguous :: dz(:) => null()               !< layer thickness [m]
    real(wp), pointer, contiguous :: gap(:) => null()              !< distance of the centres of layers k and k+1 [m]
    real(wp), pointer, contiguous :: alpha(:, :) => null()         !< [m-1]
    real(wp), pointer, contiguous :: n(:, :) => null()             !< [-]
    real(wp), pointer, contiguous :: kr_alpha(:, :) => null()      !< of relative permeability; alpha itself, or its own [m-1]
    real(wp), pointer, contiguous :: kr_n(:, :) => null()          !< of relative permeability; n itself, or its own [-]
    real(wp), pointer, contiguous :: residual(:, :) => null()      !< Sr [-]
    real(wp), pointer, contiguous :: span(:, :) => null()          !< Ss - Sr [-]
    real(wp), pointer, contiguous :: pore(:, :) => null()          !< porosity * dz [m]
    real(wp), pointer, contiguous :: elastic(:, :) => null()       !< specific storage * dz [-]
    real(wp), pointer, contiguous :: vertical(:, :) => null()      !< conductivity of the face k | k+1 [m h-1]
    real(wp), pointer, contiguous :: bottom(:) => null()           !< vertical conductivity of layer 1 (column) [m h-1]
    real(wp), pointer, contiguous :: east(:, :) => null()          !< dz * conductivity of the east face [m2 h-1]
    real(wp), pointer, contiguous :: north(:, :) => null()         !< dz * conductivity of the north face [m2 h-1]
    real(wp), pointer, contiguous :: slope_x(:) => null()          !< fall of gravity along the east face (column) [-]
    real(wp), pointer, contiguous :: slope_y(:) => null()          !< fall of gravity along the north face (column) [-]
    real(wp), pointer, contiguous :: cosine_x(:) => null()         !< factor of the gradient at the east face (column) [-]
    real(wp), pointer, contiguous :: cosine_y(:) => null()         !< factor of the gradient at the north face (column) [-]
    real(wp), pointer, contiguous :: minimum_head(:, :) => null()  !< lowest head of the kr table [m]; one cell if analytic
    real(wp), pointer, contiguous :: floor_water(:, :) => null()   !< water that sinks cannot take [m]
  end type soil_t

  !> Neighbours and the order of overland flow: donors come before the columns they feed. A group is one column, or the
  !> columns of one cycle of the slope field. Groups of a level do not feed each other.
  type :: network_t
    integer, pointer, contiguous :: east(:) => null(), west(:) => null()  !< neighbouring columns, 0 where there is none
    integer, pointer, contiguous :: north(:) => null()                    !< column to the north
    integer, pointer, contiguous :: south(:) => null()                    !< column to the south
    integer, pointer, contiguous :: level_start(:) => null()              !< first group of each level, and one past the last
    integer, pointer, contiguous :: group_start(:) => null()              !< first column of each group, and one past the last
    integer, pointer, contiguous :: donor(:, :) => null()                 !< columns whose ponding flows in, 0 for none
    real(wp), pointer, contiguous :: inflow(:, :) => null()               !< (4, column) face coefficient [h-1 m-2/3]
    real(wp), pointer, contiguous :: outflow(:) => null()                 !< sum over the faces a column feeds [h-1 m-2/3]
    real(wp), pointer, contiguous :: boundary(:) => null()                !< the part that leaves the domain [h-1 m-2/3]
  end type network_t

  !> Faces of the cells through which water comes from outside: at a flux, from a boundary at a pressure head, or as much as holds
  !> the cell at one. Those of column c are the faces start(c) to start(c + 1) - 1; with no face at all nothing but `faces` is set.
  type :: boundary_t
    integer :: faces = 0                                           !< all of them
    integer, pointer, contiguous :: start(:) => null()             !< first face of each column, and one past the last
    integer, pointer, contiguous :: layer(:) => null()             !< layer that the water goes to
    real(wp), pointer, contiguous :: flux(:) => null()             !< per area of a column, inwards positive [m h-1]
    real(wp), pointer, contiguous :: conductance(:) => null()      !< flux per head at kr = 1, 0 where a flux is given [h-1]
    integer, pointer, contiguous :: holds(:) => null()             !< 1 where the cell itself is held at the head, otherwise 0
    real(wp), pointer, contiguous :: head(:) => null()             !< pressure head of the boundary, or of the cell [m]
    real(wp), pointer, contiguous :: kr(:) => null()               !< relative permeability of the cell's soil at it [-]
    real(wp), pointer, contiguous :: lift(:) => null()             !< height of the cell above the face [m]
    real(wp), pointer, contiguous :: inflow(:) => null()           !< what came through over the step, on return [m]
  end type boundary_t

  type :: options_t
    real(wp) :: dt = 1.0_wp              !< [h]
    real(wp) :: tolerance = 1.0e-14_wp   !< largest residual of a cell [m]
    real(wp) :: pass_tolerance = 0.0_wp  !< pass until nothing changes more; 0: the number given [m] or [-]
    integer :: passes = 2                !< passes over the domain, or the most of them
    integer :: drainage = drainage_none  !< what happens at the bottom
    integer :: table_points = 0          !< nodes of the kr table, 0: analytic
    logical :: own_permeability = .false.  !< relative permeability has its own alpha and n
    integer :: threads = 1               !< of the kernel
    logical :: lateral = .true.          !< lateral groundwater flow
    integer :: ground = ground_ponds     !< what water above the ground does
  end type options_t

  !> Head and what follows from it (layer, column).
  type :: state_t
    real(wp), pointer, contiguous :: head(:, :) => null()         !< [m]
    real(wp), pointer, contiguous :: saturation(:, :) => null()   !< [-]
    real(wp), pointer, contiguous :: kr(:, :) => null()           !< [-]
    real(wp), pointer, contiguous :: dsaturation(:, :) => null()  !< [m-1]
    real(wp), pointer, contiguous :: dkr(:, :) => null()          !< [m-1]
  end type state_t

  !> What a step did to each column: depths over the step [m], and what it took to solve.
  type :: balance_t
    real(wp), pointer, contiguous :: storage_change(:) => null()  !< of ground and ponded water [m]
    real(wp), pointer, contiguous :: source(:) => null()          !< as applied [m]
    real(wp), pointer, contiguous :: unmet(:) => null()           !< sinks that were cut, >= 0 [m]
    real(wp), pointer, contiguous :: outflow(:) => null()         !< overland, out of the domain [m]
    real(wp), pointer, contiguous :: drainage(:) => null()        !< through the bottom [m]
    integer, pointer, contiguous :: iterations(:) => null()       !< of Newton's method, all passes together
    integer, pointer, contiguous :: ways(:) => null()             !< to solve the column, the most that a pass needed
    integer, pointer, contiguous :: failed_layer(:) => null()     !< 0, or the layer with the largest residual
    real(wp), pointer, contiguous :: residual(:) => null()        !< largest residual [m] of a failed column
    real(wp), pointer, contiguous :: change(:) => null()          !< in the last pass, of positive head [m] or saturation [-]
  end type balance_t
end module richards_types
