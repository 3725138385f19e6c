!> Which columns are solved side by side.
!>
!> A block holds columns of one level of the flow order, with the same number of layers, or a whole cycle. Columns that took as
!> many iterations of Newton's method in the step before lie together, because a block is solved when its slowest column is. No
!> result depends on that.
!>
!> Equation (10) of docs/theory.md.
module richards_order
  use richards_types, only: soil_t, network_t, lanes
  implicit none
  private
  public :: order_t, arrange

  !> Columns with more iterations are not told apart.
  integer, parameter :: most_iterations = 40

  type :: order_t
    integer :: blocks = 0               !< how many
    integer, allocatable :: column(:)   !< numbers of the columns, block by block
    integer, allocatable :: start(:)    !< first entry of each block in `column`, and one past the last
    integer, allocatable :: width(:)    !< columns of each block that are solved side by side: all, or 1 of a cycle
  end type order_t

contains

  !> Form the blocks, in flow order.
  subroutine arrange(soil, network, iterations, order)
    type(soil_t), intent(in) :: soil                 !< properties of the cells
    type(network_t), intent(in) :: network           !< neighbours and order of the columns
    integer, intent(in) :: iterations(soil%ncol)     !< of each column in the step before
    type(order_t), intent(inout) :: order            !< its blocks are set
    integer :: single(soil%ncol), singles, c, first, group, last, level

    if (.not. allocated(order%column)) then
      allocate (order%column(soil%ncol), order%start(soil%ncol + 1), order%width(soil%ncol))
    end if
    order%blocks = 0
    order%start(1) = 1
    do level = 1, size(network%level_start) - 1
      singles = 0
      do group = network%level_start(level), network%level_start(level + 1) - 1
        first = network%group_start(group)
        last = network%group_start(group + 1) - 1
        if (first < last) then
          call add_block([(c, c=first, last)], 1)
        else
          singles = singles + 1
          single(singles) = first
        end if
      end do
      if (singles > lanes) call sort(single(:singles))
      first = 1
      do c = 2, singles + 1
        if (c <= singles .and. c - first < lanes) then
          if (soil%top(single(c)) == soil%top(single(first))) cycle
        end if
        call add_block(single(first:c - 1), c - first)
        first = c
      end do
    end do

  contains

    !> The next block.
    subroutine add_block(columns, width)
      integer, intent(in) :: columns(:)  !< their numbers
      integer, intent(in) :: width       !< how many are solved side by side
      integer :: start

      start = order%start(order%blocks + 1)
      order%column(start:start + size(columns) - 1) = columns
      order%blocks = order%blocks + 1
      order%width(order%blocks) = width
      order%start(order%blocks + 1) = start + size(columns)
    end subroutine add_block

    !> Sort columns by layers and iterations; those that agree keep their order.
    subroutine sort(columns)
      integer, intent(inout) :: columns(:)  !< their numbers
      integer :: key(size(columns)), sorted(size(columns)), next(0:soil%nz*(most_iterations + 1)), largest, i

      do i = 1, size(columns)
        key(i) = (soil%nz - soil%top(columns(i)))*(most_iterations + 1) + min(iterations(columns(i)), most_iterations)
      end do
      largest = maxval(key)
      next(:largest + 1) = 0
      do i = 1, size(columns)
        next(key(i) + 1) = next(key(i) + 1) + 1
      end do
      do i = 1, largest
        next(i) = next(i) + next(i - 1)
      end do
      do i = 1, size(columns)
        next(key(i)) = next(key(i)) + 1
        sorted(next(key(i))) = columns(i)
      end do
      columns = sorted
    end subroutine sort
  end subroutine arrange
end module richards_order
