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
!> A part of a domain solves the system with the other parts: between the stages of an iteration `moved` of the columns of other
!> parts is handed in, and sums are those of all parts. They are exact, so that they do not depend on the order of the columns:
!> terms are cut into slices of so few bits that no addition rounds.
!>
!> Equations (11) and (11a) of docs/theory.md.
module richards_correction
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use richards_types, only: soil_t, network_t, state_t, state_head, state_kr, state_dkr
  implicit none
  private
  public :: system_t, allocate_system, set_faces, add_faces, solve_system
  public :: slices, begin_solution, choose_direction, try_direction, follow_direction, try_residual, follow_residual
  public :: add_up, largest_terms, sum_slices, put_together

  !> The solution is accepted when the norm of what is left has fallen by this factor.
  real(wp), parameter :: reduction = 1.0e-2_wp
  !> Iterations after which it is taken as it is.
  integer, parameter :: most_iterations = 60
  !> Slices of a term, and bits of each: the rest of the 52 is room for the sum over 2**30 columns.
  integer, parameter :: slices = 3, bits = 22

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
    real(wp), allocatable :: terms(:, :)        !< of two sums over the columns that are solved here, (column, sum) [m2]
    real(wp) :: sums(2) = 0.0_wp                !< over all columns of the domain [m2]
    real(wp) :: rho = 1.0_wp                    !< product of shadow and residual [m2]
    real(wp) :: alpha = 1.0_wp                  !< step along the direction [-]
    real(wp) :: omega = 1.0_wp                  !< step of least residual [-]
    real(wp) :: wanted = 0.0_wp                 !< sum of squares at which the system is solved [m2]
    integer :: iterations = 0                   !< so far
    logical :: done = .false.                   !< the system is solved as far as it will be
  end type system_t

contains

  !> Room for the system.
  subroutine allocate_system(nz, ncol, own, system)
    integer, intent(in) :: nz              !< layers
    integer, intent(in) :: ncol            !< columns, with those of other parts
    integer, intent(in) :: own             !< columns that are solved here
    type(system_t), intent(out) :: system  !< with arrays of that size

    allocate (system%lower(nz, ncol), system%diagonal(nz, ncol), system%upper(nz, ncol), system%factor(nz, ncol))
    allocate (system%east_own(nz, ncol), system%east_other(nz, ncol))
    allocate (system%north_own(nz, ncol), system%north_other(nz, ncol))
    allocate (system%right(nz, ncol), system%shift(nz, ncol), system%shadow(nz, ncol), system%direction(nz, ncol))
    allocate (system%moved(nz, ncol), system%image(nz, ncol), system%half_image(nz, ncol), system%terms(own, 2))
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

  !> Solve for `shift` on one process. Called by all threads, with the squares of the right-hand side summed.
  subroutine solve_system(network, system)
    type(network_t), intent(in) :: network   !< neighbours and order of the columns
    type(system_t), intent(inout) :: system  !< with its matrix and its right-hand side, which is overwritten

    call begin_solution(system)
    do
      call choose_direction(system)
      if (system%done) exit
      call try_direction(network, system)
      call add_up(system)
      call follow_direction(system)
      call try_residual(network, system)
      call add_up(system)
      call follow_residual(system)
      call add_up(system)
    end do
  end subroutine solve_system

  !> Start from nothing; `sums` has the squares of the right-hand side. Called by all threads, as all stages are.
  subroutine begin_solution(system)
    type(system_t), intent(inout) :: system  !< with its matrix and its right-hand side
    integer :: c

    !$omp do schedule(static)
    do c = 1, size(system%terms, 1)
      system%shift(:, c) = 0.0_wp
      system%direction(:, c) = 0.0_wp
      system%image(:, c) = 0.0_wp
      system%shadow(:, c) = system%right(:, c)
    end do
    !$omp end do
    !$omp single
    system%wanted = reduction**2*system%sums(1)
    system%sums(2) = system%sums(1)
    system%rho = 1.0_wp
    system%alpha = 1.0_wp
    system%omega = 1.0_wp
    system%iterations = 0
    !$omp end single
  end subroutine begin_solution

  !> End, or choose a direction of search; `sums` has the squares of what is left, and its product with the shadow.
  subroutine choose_direction(system)
    type(system_t), intent(inout) :: system  !< done, or with the preconditioned direction in `moved`
    real(wp) :: beta
    integer :: c

    ! written so that NaN ends it
    if (.not. system%sums(1) > system%wanted .or. .not. abs(system%omega) > 0.0_wp &
      .or. system%iterations == most_iterations) then
      !$omp single
      system%done = .true.
      !$omp end single
      return
    end if
    beta = system%sums(2)/system%rho*system%alpha/system%omega
    !$omp do schedule(static)
    do c = 1, size(system%terms, 1)
      system%direction(:, c) = system%right(:, c) &
        + beta*(system%direction(:, c) - system%omega*system%image(:, c))
      system%moved(:, c) = preconditioned(system, c, system%direction(:, c))
    end do
    !$omp end do
    !$omp single
    system%rho = system%sums(2)
    system%iterations = system%iterations + 1
    system%done = .false.
    !$omp end single
  end subroutine choose_direction

  !> What the direction does; the first term is its product with the shadow.
  subroutine try_direction(network, system)
    type(network_t), intent(in) :: network   !< neighbours and order of the columns
    type(system_t), intent(inout) :: system  !< with the preconditioned direction in `moved`
    integer :: c

    !$omp do schedule(static)
    do c = 1, size(system%terms, 1)
      system%image(:, c) = image_of_moved(network, system, c)
      system%terms(c, 1) = dot_product(system%shadow(:, c), system%image(:, c))
      system%terms(c, 2) = 0.0_wp
    end do
    !$omp end do
  end subroutine try_direction

  !> Go along the direction, the step of conjugate gradients, and precondition what is left.
  subroutine follow_direction(system)
    type(system_t), intent(inout) :: system  !< then with the preconditioned residual in `moved`
    integer :: c

    !$omp single
    system%alpha = system%rho/system%sums(1)
    !$omp end single
    !$omp do schedule(static)
    do c = 1, size(system%terms, 1)
      system%right(:, c) = system%right(:, c) - system%alpha*system%image(:, c)
      system%shift(:, c) = system%shift(:, c) + system%alpha*system%moved(:, c)
      system%moved(:, c) = preconditioned(system, c, system%right(:, c))
    end do
    !$omp end do
  end subroutine follow_direction

  !> What the residual does; the terms are its product with the residual, and its squares.
  subroutine try_residual(network, system)
    type(network_t), intent(in) :: network   !< neighbours and order of the columns
    type(system_t), intent(inout) :: system  !< with the preconditioned residual in `moved`
    integer :: c

    !$omp do schedule(static)
    do c = 1, size(system%terms, 1)
      system%half_image(:, c) = image_of_moved(network, system, c)
      system%terms(c, 1) = dot_product(system%half_image(:, c), system%right(:, c))
      system%terms(c, 2) = sum(system%half_image(:, c)**2)
    end do
    !$omp end do
  end subroutine try_residual

  !> Take the step of least residual; the terms are the squares of what is left, and its product with the shadow.
  subroutine follow_residual(system)
    type(system_t), intent(inout) :: system  !< one iteration further
    integer :: c

    !$omp single
    system%omega = 0.0_wp
    if (system%sums(2) > 0.0_wp) system%omega = system%sums(1)/system%sums(2)
    !$omp end single
    !$omp do schedule(static)
    do c = 1, size(system%terms, 1)
      system%shift(:, c) = system%shift(:, c) + system%omega*system%moved(:, c)
      system%right(:, c) = system%right(:, c) - system%omega*system%half_image(:, c)
      system%terms(c, 1) = sum(system%right(:, c)**2)
      system%terms(c, 2) = dot_product(system%shadow(:, c), system%right(:, c))
    end do
    !$omp end do
  end subroutine follow_residual

  !> Sum the terms of all columns on one process. Called by all threads.
  subroutine add_up(system)
    type(system_t), intent(inout) :: system  !< with its terms

    !$omp single
    system%sums = put_together(sum_slices(system, largest_terms(system)))
    !$omp end single
  end subroutine add_up

  !> Sizes of the largest terms of both sums.
  pure function largest_terms(system) result(largest)
    type(system_t), intent(in) :: system  !< with its terms
    real(wp) :: largest(2)                !< [m2]

    largest = [maxval(abs(system%terms(:, 1))), maxval(abs(system%terms(:, 2)))]
  end function largest_terms

  !> Sums of the slices of the terms, each of them exact.
  pure function sum_slices(system, largest) result(sums)
    type(system_t), intent(in) :: system  !< with its terms
    real(wp), intent(in) :: largest(2)    !< sizes of the largest terms of the whole domain [m2]
    real(wp) :: sums(slices, 2)           !< (slice, sum) [m2]
    real(wp) :: grid(slices), left, slice
    integer :: c, i, j

    sums = 0.0_wp
    do j = 1, 2
      if (.not. largest(j) > 0.0_wp) cycle
      if (.not. largest(j) <= huge(1.0_wp)) then
        sums(:, j) = largest(j) - largest(j)  ! not a number
        cycle
      end if
      ! adding 1.5*2**52 units rounds to whole units
      grid = [(1.5_wp*2.0_wp**52*scale(1.0_wp, exponent(largest(j)) - i*bits), i=1, slices)]
      do c = 1, size(system%terms, 1)
        left = system%terms(c, j)
        do i = 1, slices
          slice = (left + grid(i)) - grid(i)
          sums(i, j) = sums(i, j) + slice
          left = left - slice
        end do
      end do
    end do
  end function sum_slices

  !> Sums from those of their slices.
  pure function put_together(sums) result(total)
    real(wp), intent(in) :: sums(slices, 2)  !< (slice, sum) [m2]
    real(wp) :: total(2)                     !< [m2]
    integer :: i

    total = sums(slices, :)
    do i = slices - 1, 1, -1
      total = total + sums(i, :)
    end do
  end function put_together

  !> The solution of the tridiagonal system of a column.
  pure function preconditioned(system, column, vector) result(moved)
    type(system_t), intent(in) :: system    !< factorised
    integer, intent(in) :: column           !< number of the column
    real(wp), intent(in) :: vector(:)       !< right-hand side [m]
    real(wp) :: moved(size(vector))         !< [m]
    integer :: k

    associate (factor => system%factor(:, column))
      moved(1) = vector(1)
      do k = 2, size(vector)
        moved(k) = vector(k) - system%lower(k, column)/factor(k - 1)*moved(k - 1)
      end do
      moved(size(vector)) = moved(size(vector))/factor(size(vector))
      do k = size(vector) - 1, 1, -1
        moved(k) = (moved(k) - system%upper(k, column)*moved(k + 1))/factor(k)
      end do
    end associate
  end function preconditioned

  !> The matrix times `moved`, for the balances of one column.
  pure function image_of_moved(network, system, column) result(image)
    type(network_t), intent(in) :: network      !< neighbours and order of the columns
    type(system_t), intent(in) :: system        !< with its matrix
    integer, intent(in) :: column               !< number of the column
    real(wp) :: image(size(system%moved, 1))    !< [m]
    integer :: nz

    nz = size(image)
    associate (moved => system%moved, east => network%east(column), north => network%north(column), &
      west => network%west(column), south => network%south(column))
      image = system%diagonal(:, column)*moved(:, column)
      image(2:) = image(2:) + system%lower(2:, column)*moved(:nz - 1, column)
      image(:nz - 1) = image(:nz - 1) + system%upper(:nz - 1, column)*moved(2:, column)
      if (east > 0) image = image + system%east_other(:, column)*moved(:, east)
      if (north > 0) image = image + system%north_other(:, column)*moved(:, north)
      if (west > 0) image = image - system%east_own(:, west)*moved(:, west)
      if (south > 0) image = image - system%north_own(:, south)*moved(:, south)
    end associate
  end function image_of_moved
end module richards_correction
