!> What the modules of the kernel hand to each other. Columns are numbered in the order of overland flow and lie in blocks:
!> arrays are (lane, layer, block) or (lane, block), layer 1 at the bottom, so that a loop over the lanes of a block, which know
!> nothing of each other, is vector code. Behind the last column there is at least one lane of dry soil without neighbours,
!> which stands for the neighbours that columns lack. Lengths in m, times in h.
module structured_types
  use, intrinsic :: iso_fortran_env, only: wp => real64
  implicit none
  private
  public :: lanes, sides, columns_t, network_t, effort_t, prediction_t, no_prediction, of_persistence, of_solve

  !> Columns of a block.
  integer, parameter :: lanes = 16
  !> Faces over which water can flow onto a column.
  integer, parameter :: sides = 4

  !> Soil, terrain and neighbourhood.
  type :: columns_t
    integer :: layers = 0                                                  !< of a column
    integer :: blocks = 0                                                  !< of columns
    real(wp), pointer, contiguous :: dz(:) => null()                       !< thickness [m]
    real(wp), pointer, contiguous :: height(:) => null()                   !< distance of the centres of layers k and k+1 [m]
    real(wp), pointer, contiguous :: porosity(:, :, :) => null()           !< [-]
    real(wp), pointer, contiguous :: specific_storage(:, :, :) => null()   !< [m-1]
    real(wp), pointer, contiguous :: alpha(:, :, :) => null()              !< [m-1]
    real(wp), pointer, contiguous :: n(:, :, :) => null()                  !< [-]
    real(wp), pointer, contiguous :: m(:, :, :) => null()                  !< 1 - 1/n [-]
    real(wp), pointer, contiguous :: residual(:, :, :) => null()           !< least saturation [-]
    real(wp), pointer, contiguous :: maximum(:, :, :) => null()            !< largest saturation [-]
    real(wp), pointer, contiguous :: vertical(:, :, :) => null()           !< conductivity of the face k | k+1 [m h-1]
    real(wp), pointer, contiguous :: east_conductance(:, :, :) => null()   !< of the east face [h-1]
    real(wp), pointer, contiguous :: north_conductance(:, :, :) => null()  !< of the north face [h-1]
    real(wp), pointer, contiguous :: rise_east(:, :) => null()             !< of the ground to the eastern neighbour [m]
    real(wp), pointer, contiguous :: rise_north(:, :) => null()            !< of the ground to the northern neighbour [m]
    real(wp), pointer, contiguous :: cosine_east(:, :) => null()           !< factor of the pressure gradient, east face [-]
    real(wp), pointer, contiguous :: cosine_north(:, :) => null()          !< factor of the pressure gradient, north face [-]
    real(wp), pointer, contiguous :: conveyance_in(:, :) => null()         !< (side, column) of a donor's face [h-1 m-2/3]
    real(wp), pointer, contiguous :: conveyance_out(:, :) => null()        !< of all faces that a column feeds [h-1 m-2/3]
    integer, pointer, contiguous :: east(:, :) => null()                   !< bottom of the neighbour in (lane, layer, block)
    integer, pointer, contiguous :: west(:, :) => null()                   !< the same to the west
    integer, pointer, contiguous :: north(:, :) => null()                  !< the same to the north
    integer, pointer, contiguous :: south(:, :) => null()                  !< the same to the south
    integer, pointer, contiguous :: donor(:, :) => null()                  !< (side, column) column whose ponded water flows in
    integer, pointer, contiguous :: level_start(:) => null()               !< first column of each level, and one past the last
    integer, pointer, contiguous :: cell(:, :) => null()                   !< of a map; 0 in lanes without a column of this process
  end type columns_t

  !> The network that judges a column; with one width there is none.
  type :: network_t
    logical :: shared = .false.                                        !< by all layers, or it sees a whole column
    integer, pointer, contiguous :: widths(:) => null()                !< of its layers, input first
    real(wp), pointer, contiguous :: parameters(:) => null()           !< layer by layer; see structured_network [-]
    real(wp), pointer, contiguous :: soil_features(:, :, :) => null()  !< features that do not change [-]
    real(wp), pointer, contiguous :: scale(:) => null()                !< typical change of a layer's coordinate in an hour [m]
  end type network_t

  !> What increments of another model's prediction are added to.
  integer, parameter :: no_prediction = 0, of_persistence = 1, of_solve = 2

  !> What another model predicts for the end of the hour, whose balances are closed in the place of refinements.
  type :: prediction_t
    integer :: base = no_prediction                           !< one of the three
    real(wp), pointer, contiguous :: head(:, :, :) => null()  !< without a prediction of no size [m]
  end type prediction_t

  !> How many solves, and how long to search for closed balances.
  type :: effort_t
    integer :: refinements = 0   !< solves after the first
    integer :: sweeps = 0        !< most Newton sweeps of the last closure's first search
    integer :: later_sweeps = 0  !< of its repetitions
    integer :: rough_sweeps = 0  !< of the closures between solves
    integer :: repetitions = 0   !< most of the last closure, with better overland inflow
  end type effort_t

end module structured_types
