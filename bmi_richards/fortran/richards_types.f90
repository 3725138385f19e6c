!> What the modules of the kernel hand to each other. Columns are numbered in flow order; arrays are (layer, column), layer 1 at
!> the bottom, or (layer, property, column), so that what a column is solved with lies together in memory. A column ends at its own
!> topmost layer; what its cells above that hold has no effect: they store no water, and nothing flows through their faces. Lengths
!> in m, times in h.
module richards_types
  use, intrinsic :: iso_fortran_env, only: wp => real64
  implicit none
  private
  public :: soil_t, network_t, boundary_t, options_t, state_t, balance_t
  public :: drainage_none, drainage_implicit, drainage_lagged, drainage_prescribed
  public :: soil_alpha, soil_n, soil_residual, soil_span, soil_pore, soil_elastic, soil_vertical, soil_floor, soil_properties
  public :: state_head, state_saturation, state_kr, state_dsaturation, state_dkr, state_variables
  public :: work_start, work_water, work_lateral, work_fields
  public :: ground_ponds, ground_seeps, ground_closed, lanes

  !> Columns that are solved side by side: as many numbers as the widest vector registers hold.
  integer, parameter :: lanes = 8

  !> Bottom boundary: no flow, or gravity drainage from the new head, from the head at the start, or as given.
  integer, parameter :: drainage_none = 0, drainage_implicit = 1, drainage_lagged = 2, drainage_prescribed = 3

  !> What water above the ground does: it stands and flows, leaves at once, or there is none, because the ground is closed.
  integer, parameter :: ground_ponds = 0, ground_seeps = 1, ground_closed = 2

  !> Properties of the cells of a column that lie together in memory: alpha [m-1] and n [-] of retention, residual saturation and
  !> what is above it up to the maximum [-], porosity*dz [m], specific storage*dz [-], conductivity of the face k | k+1 [m h-1], and
  !> water that sinks cannot take [m].
  integer, parameter :: soil_alpha = 1, soil_n = 2, soil_residual = 3, soil_span = 4, soil_pore = 5, soil_elastic = 6, &
    soil_vertical = 7, soil_floor = 8, soil_properties = 8
  !> Variables of the state: head [m], saturation [-], relative permeability [-], and their derivatives by head [m-1].
  integer, parameter :: state_head = 1, state_saturation = 2, state_kr = 3, state_dsaturation = 4, state_dkr = 5, &
    state_variables = 5

  !> What a step keeps: head [m] and water [m] at its start, with what stands on open ground in the topmost cell, and the net
  !> lateral inflow of the pass [m h-1].
  integer, parameter :: work_start = 1, work_water = 2, work_lateral = 3, work_fields = 3

  !> Constant properties of the cells (layer, column).
  type :: soil_t
    integer :: nz = 0                                              !< layers
    integer :: ncol = 0                                            !< columns
    integer, pointer, contiguous :: top(:) => null()               !< topmost layer of each column
    real(wp) :: dx = 0.0_wp                                        !< size of a cell to the east [m]
    real(wp) :: dy = 0.0_wp                                        !< size of a cell to the north [m]
    real(wp), pointer, contiguous :: dz(:) => null()               !< layer thickness [m]
    real(wp), pointer, contiguous :: gap(:) => null()              !< distance of the centres of layers k and k+1 [m]
    real(wp), pointer, contiguous :: cells(:, :, :) => null()      !< (layer, property, column) properties as numbered above [any]
    real(wp), pointer, contiguous :: kr_alpha(:, :) => null()      !< alpha of kr if it is its own or a table's, else one cell [m-1]
    real(wp), pointer, contiguous :: kr_n(:, :) => null()          !< n of it, likewise [-]
    real(wp), pointer, contiguous :: bottom(:) => null()           !< vertical conductivity of layer 1 (column) [m h-1]
    real(wp), pointer, contiguous :: east(:, :) => null()          !< dz * conductivity of the east face [m2 h-1]
    real(wp), pointer, contiguous :: north(:, :) => null()         !< dz * conductivity of the north face [m2 h-1]
    real(wp), pointer, contiguous :: slope_x(:) => null()          !< fall of gravity along the east face (column) [-]
    real(wp), pointer, contiguous :: slope_y(:) => null()          !< fall of gravity along the north face (column) [-]
    real(wp), pointer, contiguous :: cosine_x(:) => null()         !< factor of the gradient at the east face (column) [-]
    real(wp), pointer, contiguous :: cosine_y(:) => null()         !< factor of the gradient at the north face (column) [-]
    real(wp), pointer, contiguous :: minimum_head(:, :) => null()  !< lowest head of the kr table, likewise [m]
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

  !> Head and what follows from it.
  type :: state_t
    real(wp), pointer, contiguous :: cells(:, :, :) => null()  !< (layer, variable, column), as numbered above [any]
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
