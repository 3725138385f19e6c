!> What a pass has left unbalanced, spread over the neighbours at once: one Newton step of all columns together.
!>
!> A pass takes lateral flow from the latest heads, so on fine grids and in long steps, where a cell passes on more water than it
!> holds, changes wander by one column a pass. Between passes to a tolerance the heads are therefore moved by d, the solution of
!>     J d = r,
!> with the water r [m] by which lateral flow from the new heads differs from what the pass took, and the Jacobian J of the
!> columns and of the lateral faces between them. BiCGSTAB (van der Vorst, 1992) solves it roughly, with the tridiagonal
!> systems of the columns as preconditioner. The moved heads are where the next pass starts: they change how many passes are
!> needed, not what the passes converge to.
!>
!> Equations (11) and (11a) of docs/theory.md.
module richards_correction
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use richards_types, only: soil_t, network_t, state_t, state_head, state_kr, state_dkr
  implicit none
  private
  public :: system_t, allocate_system, set_faces, add_faces, solve_system

  !> The solution is accepted when the norm of what is left has fallen by this factor.
  real(wp), parameter :: reduction = 1.0e-2_wp
  !> Iterations after which it is taken as it is.
  integer, parameter :: most_iterations = 60

  !> Matrix, right-hand side and work of the linear system, (layer, column).
  type :: system_t
    real(wp), allocatable :: lower(:, :)        !< of the Jacobian, layer k-1 [-]
    real(wp), allocatable :: diagonal(:, :)     !< of the Jacobian, lateral faces included [-]
    real(wp), allocatable :: upper(:, :)        !< of the Jacobian, layer k+1 [-]
    real(wp), allocatable :: east_own(:, :)     !< dt * derivative of the flux through the east face by the own head [-]
    real(wp), allocatable :: east_other(:, :)   !< by the head of the eastern neighbour [-]
    real(wp), allocatable :: north_own(:, :)    !< the same for the north face, by the own head [-]
    real(wp), allocatable :: north_other(:, :)  !< by the head of the northern neighbour [-]
    real(wp), allocatable :: right(:, :)        !< right-hand side, then what is left of it [m]
    real(wp), allocatable :: shift(:, :)        !< solution [m]
    real(wp), allocatable :: factor(:, :)       !< pivots of the tridiagonal systems [-]
    ! vectors and scalars of van der Vorst (1992)
    real(wp), allocatable :: shadow(:, :)       !< the first residual [m]
    real(wp), allocatable :: direction(:, :)    !< of the search [m]
    real(wp), allocatable :: moved(:, :)        !< a vector after preconditioning [m]
    real(wp), allocatable :: image(:, :)        !< the matrix times the preconditioned direction [m]
    real(wp), allocatable :: half_image(:, :)   !< the matrix times the preconditioned residual [m]
    real(wp), allocatable :: partial(:, :)      !< sums of the columns, added in their order by one thread [m2]
    real(wp) :: rho = 1.0_wp                    !< product of shadow and residual [m2]
    real(wp) :: alpha = 1.0_wp                  !< step along the direction [-]
    real(wp) :: beta = 0.0_wp                   !< share of the old direction in the new [-]
    real(wp) :: omega = 1.0_wp                  !< step of least residual [-]
    real(wp) :: wanted = 0.0_wp                 !< sum of squares at which the system is solved [m2]
    logical :: done = .false.                   !< the system is solved as far as it will be
  end type system_t

contains

  !> Room for the system.
  subroutine allocate_system(nz, ncol, system)
    integer, intent(in) :: nz              !< layers
    integer, intent(in) :: ncol            !< columns
    type(system_t), intent(out) :: system  !< with arrays of that size

    allocate (system%lower(nz, ncol), system%diagonal(nz, ncol), system%upper(nz, ncol), system%factor(nz, ncol))
    allocate (system%east_own(nz, ncol), system%east_other(nz, ncol))
    allocate (system%north_own(nz, ncol), system%north_other(nz, ncol))
    allocate (system%right(nz, ncol), system%shift(nz, ncol), system%shadow(nz, ncol), system%direction(nz, ncol))
    allocate (system%moved(nz, ncol), system%image(nz, ncol), system%half_image(nz, ncol), system%partial(ncol, 2))
  end subroutine allocate_system

  !> Derivatives of the fluxes through the upper faces of a column.
  subroutine set_faces(soil, network, state, dt, column, system)
    type(soil_t), intent(in) :: soil         !< properties of the cells
    type(network_t), intent(in) :: network   !< neighbours and order of the columns
    type(state_t), intent(in) :: state       !< head and what follows from it
    real(wp), intent(in) :: dt               !< length of the step [h]
    integer, intent(in) :: column            !< number of the column
    type(system_t), intent(inout) :: system  !< its derivatives are set

    call derive(network%east(column), soil%east(:, column), soil%slope_x(column), soil%cosine_x(column), soil%dx, &
      system%east_own(:, column), system%east_other(:, column))
    call derive(network%north(column), soil%north(:, column), soil%slope_y(column), soil%cosine_y(column), soil%dy, &
      system%north_own(:, column), system%north_other(:, column))

  contains

    !> Derivatives of one face.
    subroutine derive(neighbour, transmissivity, slope, cosine, distance, own, other)
      integer, intent(in) :: neighbour                 !< column on the other side, 0 for none
      real(wp), intent(in) :: transmissivity(soil%nz)  !< dz times conductivity of the face [m2 h-1]
      real(wp), intent(in) :: slope                    !< fall of gravity along the face [-]
      real(wp), intent(in) :: cosine                   !< factor of the gradient [-]
      real(wp), intent(in) :: distance                 !< of the centres [m]
      real(wp), intent(out) :: own(soil%nz)            !< dt * derivative by the own head [-]
      real(wp), intent(out) :: other(soil%nz)          !< dt * derivative by the other head [-]
      real(wp) :: gradient, conductance
      integer :: k

      own = 0.0_wp
      other = 0.0_wp
      if (neighbour == 0) return
      do k = 1, soil%nz
        gradient = (state%cells(k, state_head, column) - state%cells(k, state_head, neighbour))/distance*cosine - slope
        conductance = dt*transmissivity(k)/distance
        if (gradient > 0.0_wp) then
          other(k) = -conductance*state%cells(k, state_kr, column)*cosine/distance
          own(k) = conductance*state%cells(k, state_dkr, column)*gradient - other(k)
        else
          own(k) = conductance*state%cells(k, state_kr, neighbour)*cosine/distance
          other(k) = conductance*state%cells(k, state_dkr, neighbour)*gradient - own(k)
        end if
      end do
    end subroutine derive
  end subroutine set_faces

  !> Add the faces of a column to its diagonal and factorise its tridiagonal system.
  subroutine add_faces(network, column, system)
    type(network_t), intent(in) :: network   !< neighbours and order of the columns
    integer, intent(in) :: column            !< number of the column
    type(system_t), intent(inout) :: system  !< its diagonal without lateral faces, and the derivatives of all faces
    integer :: k

    associate (diagonal => system%diagonal(:, column), factor => system%factor(:, column))
      diagonal = diagonal + system%east_own(:, column) + system%north_own(:, column)
      if (network%west(column) > 0) diagonal = diagonal - system%east_other(:, network%west(column))
      if (network%south(column) > 0) diagonal = diagonal - system%north_other(:, network%south(column))
      factor(1) = diagonal(1)
      do k = 2, size(diagonal)
        factor(k) = diagonal(k) - system%lower(k, column)/factor(k - 1)*system%upper(k - 1, column)
      end do
    end associate
  end subroutine add_faces

  !> Solve for `shift`. Called by all threads; sums are taken in the order of the columns, so that they do not depend on threads.
  subroutine solve_system(network, system)
    type(network_t), intent(in) :: network   !< neighbours and order of the columns
    type(system_t), intent(inout) :: system  !< with its matrix and its right-hand side, which is overwritten
    integer :: c, iteration

    !$omp do schedule(static)
    do c = 1, size(system%partial, 1)
      system%shift(:, c) = 0.0_wp
      system%direction(:, c) = 0.0_wp
      system%image(:, c) = 0.0_wp
      system%shadow(:, c) = system%right(:, c)
      system%partial(c, 1) = sum(system%right(:, c)**2)
    end do
    !$omp end do
    !$omp single
    system%wanted = reduction**2*sum(system%partial(:, 1))
    system%rho = 1.0_wp
    system%alpha = 1.0_wp
    system%omega = 1.0_wp
    system%done = .not. system%wanted > 0.0_wp
    !$omp end single
    do iteration = 1, most_iterations
      if (system%done) exit
      call search_along_direction()
      call stabilise()
    end do

  contains

    !> The step of conjugate gradients.
    subroutine search_along_direction()
      integer :: i
      real(wp) :: previous

      !$omp do schedule(static)
      do i = 1, size(system%partial, 1)
        system%partial(i, 1) = dot_product(system%shadow(:, i), system%right(:, i))
      end do
      !$omp end do
      !$omp single
      previous = system%rho
      system%rho = sum(system%partial(:, 1))
      system%beta = system%rho/previous*system%alpha/system%omega
      !$omp end single
      !$omp do schedule(static)
      do i = 1, size(system%partial, 1)
        system%direction(:, i) = system%right(:, i) &
          + system%beta*(system%direction(:, i) - system%omega*system%image(:, i))
        call precondition(i, system%direction(:, i))
      end do
      !$omp end do
      !$omp do schedule(static)
      do i = 1, size(system%partial, 1)
        call multiply(i, system%image(:, i))
        system%partial(i, 1) = dot_product(system%shadow(:, i), system%image(:, i))
      end do
      !$omp end do
      !$omp single
      system%alpha = system%rho/sum(system%partial(:, 1))
      !$omp end single
      !$omp do schedule(static)
      do i = 1, size(system%partial, 1)
        system%right(:, i) = system%right(:, i) - system%alpha*system%image(:, i)
        system%shift(:, i) = system%shift(:, i) + system%alpha*system%moved(:, i)
      end do
      !$omp end do
    end subroutine search_along_direction

    !> The step of least residual, and whether it was the last.
    subroutine stabilise()
      integer :: i

      !$omp do schedule(static)
      do i = 1, size(system%partial, 1)
        call precondition(i, system%right(:, i))
      end do
      !$omp end do
      !$omp do schedule(static)
      do i = 1, size(system%partial, 1)
        call multiply(i, system%half_image(:, i))
        system%partial(i, 1) = dot_product(system%half_image(:, i), system%right(:, i))
        system%partial(i, 2) = sum(system%half_image(:, i)**2)
      end do
      !$omp end do
      !$omp single
      system%omega = 0.0_wp
      if (sum(system%partial(:, 2)) > 0.0_wp) system%omega = sum(system%partial(:, 1))/sum(system%partial(:, 2))
      !$omp end single
      !$omp do schedule(static)
      do i = 1, size(system%partial, 1)
        system%shift(:, i) = system%shift(:, i) + system%omega*system%moved(:, i)
        system%right(:, i) = system%right(:, i) - system%omega*system%half_image(:, i)
        system%partial(i, 1) = sum(system%right(:, i)**2)
      end do
      !$omp end do
      !$omp single
      ! written so that NaN ends it
      system%done = .not. sum(system%partial(:, 1)) > system%wanted .or. .not. abs(system%omega) > 0.0_wp
      !$omp end single
    end subroutine stabilise

    !> `moved` of a column: the solution of its tridiagonal system.
    subroutine precondition(i, vector)
      integer, intent(in) :: i            !< number of the column
      real(wp), intent(in) :: vector(:)   !< right-hand side [m]
      integer :: k

      associate (moved => system%moved(:, i), factor => system%factor(:, i))
        moved(1) = vector(1)
        do k = 2, size(vector)
          moved(k) = vector(k) - system%lower(k, i)/factor(k - 1)*moved(k - 1)
        end do
        moved(size(vector)) = moved(size(vector))/factor(size(vector))
        do k = size(vector) - 1, 1, -1
          moved(k) = (moved(k) - system%upper(k, i)*moved(k + 1))/factor(k)
        end do
      end associate
    end subroutine precondition

    !> The matrix times `moved`, for the balances of one column.
    subroutine multiply(i, product)
      integer, intent(in) :: i              !< number of the column
      real(wp), intent(out) :: product(:)   !< [m]
      integer :: nz

      nz = size(product)
      product = system%diagonal(:, i)*system%moved(:, i)
      product(2:) = product(2:) + system%lower(2:, i)*system%moved(:nz - 1, i)
      product(:nz - 1) = product(:nz - 1) + system%upper(:nz - 1, i)*system%moved(2:, i)
      if (network%east(i) > 0) product = product + system%east_other(:, i)*system%moved(:, network%east(i))
      if (network%north(i) > 0) product = product + system%north_other(:, i)*system%moved(:, network%north(i))
      if (network%west(i) > 0) then
        product = product - system%east_own(:, network%west(i))*system%moved(:, network%west(i))
      end if
      if (network%south(i) > 0) then
        product = product - system%north_own(:, network%south(i))*system%moved(:, network%south(i))
      end if
    end subroutine multiply
  end subroutine solve_system
end module richards_correction
