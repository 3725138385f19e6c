!> What the perceptron sees of the columns of a block, and what it says: gains of the last solve and weights of the closure.
!>
!> Parameters are stored in single precision, as training leaves them, but computed with in double precision: sums in single
!> precision would differ from PyTorch's by more than heads may. They lie layer by layer, the outputs in groups that are padded
!> to whole ones; each group has its biases first and then its weights, (output of the group, input).
!>
!> Equations (14) and (15) of docs/theory.md, whose change of the coordinate and weights w these are.
module structured_network
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use structured_types, only: columns_t, lanes, network_t
  use vector_math, only: arsinhs, exponentials, hyperbolic_tangents, logarithms
  implicit none
  private
  public :: group, judge_block

  !> Outputs that are summed together.
  integer, parameter :: group = 8
  real(wp), parameter :: largest_gain = 3.0_wp, largest_weight = 8.0_wp
  !> Change by the last solve, in units of the typical change in an hour, at which half of the learned is applied [-].
  real(wp), parameter :: fading_scale = 0.02_wp
  !> Water in an hour, and depth of a pond, that separate linear from logarithmic [m].
  real(wp), parameter :: water_scale = 1.0e-4_wp, ponding_scale = 1.0e-3_wp
  !> Of the typical change: what a second solve changes is small [-].
  real(wp), parameter :: fine = 0.01_wp
  real(wp), parameter :: ln_10 = 2.30258509299404568401799145468436421_wp

contains

  !> Gains and weights of all layers; the bottom one has no weight, because its head follows from its own equation.
  subroutine judge_block(columns, network, b, head, saturation, permeability, source, lateral, moved, change, ponded_before, &
    inflow, gain, weights)
    type(columns_t), intent(in) :: columns                       !< soil and terrain
    type(network_t), intent(in) :: network                       !< parameters
    integer, intent(in) :: b                                     !< block
    real(wp), intent(in) :: head(lanes, columns%layers)          !< of the guess [m]
    real(wp), intent(in) :: saturation(lanes, columns%layers)    !< of the guess [-]
    real(wp), intent(in) :: permeability(lanes, columns%layers)  !< relative, of the guess [-]
    real(wp), intent(in) :: source(lanes, columns%layers)        !< water of the hour [m]
    real(wp), intent(in) :: lateral(lanes, columns%layers)       !< water of the hour [m]
    real(wp), intent(in) :: moved(lanes, columns%layers)         !< change of the coordinate so far [m]
    real(wp), intent(in) :: change(lanes, columns%layers)        !< by the last solve [m]
    real(wp), intent(in) :: ponded_before(lanes)                 !< at the start of the hour [m]
    real(wp), intent(in) :: inflow(lanes)                        !< overland, by the ponding at the start [m]
    real(wp), intent(out) :: gain(lanes, columns%layers)         !< of the last solve's change [-]
    real(wp), intent(out) :: weights(lanes, columns%layers)      !< in the closure [-]
    real(wp) :: values(lanes, maxval(network%widths) + group)
    real(wp), dimension(lanes, 2*columns%layers - 1) :: said, bounded
    real(wp) :: fade(lanes), half, share
    integer :: k, l, layers

    layers = columns%layers
    call see_block(columns, network, b, head, saturation, permeability, source, lateral, moved, change, ponded_before, inflow, &
      values)
    call perceive(network, values)

    half = 0.5_wp*(largest_gain + 1.0_wp)
    share = log(largest_weight)
    do k = 1, 2*layers - 1
      !$omp simd
      do l = 1, lanes
        said(l, k) = values(l, k)/merge(half, share, k <= layers)
      end do
    end do
    call hyperbolic_tangents(lanes*(2*layers - 1), said, bounded)

    ! a solve linearised at a nearly exact guess needs no advice
    fade = 0.0_wp
    do k = 1, layers
      !$omp simd
      do l = 1, lanes
        fade(l) = merge(abs(change(l, k)/network%scale(k)), fade(l), abs(change(l, k)/network%scale(k)) > fade(l))
      end do
    end do
    fade = fade/(fade + fading_scale)
    do k = 1, layers
      !$omp simd
      do l = 1, lanes
        gain(l, k) = 1.0_wp + fade(l)*half*bounded(l, k)
      end do
    end do
    do k = 2, layers
      !$omp simd
      do l = 1, lanes
        said(l, k) = fade(l)*share*bounded(l, layers + k - 1)
      end do
    end do
    weights(:, 1) = 0.0_wp
    call exponentials(lanes*(layers - 1), said(:, 2:layers), weights(:, 2:layers))
  end subroutine judge_block

  !> Features of the columns: numbers without units, of order one.
  subroutine see_block(columns, network, b, head, saturation, permeability, source, lateral, moved, change, ponded_before, inflow, &
    seen)
    type(columns_t), intent(in) :: columns                       !< soil and terrain
    type(network_t), intent(in) :: network                       !< parameters
    integer, intent(in) :: b                                     !< block
    real(wp), intent(in) :: head(lanes, columns%layers)          !< of the guess [m]
    real(wp), intent(in) :: saturation(lanes, columns%layers)    !< of the guess [-]
    real(wp), intent(in) :: permeability(lanes, columns%layers)  !< relative, of the guess [-]
    real(wp), intent(in) :: source(lanes, columns%layers)        !< water of the hour [m]
    real(wp), intent(in) :: lateral(lanes, columns%layers)       !< water of the hour [m]
    real(wp), intent(in) :: moved(lanes, columns%layers)         !< change of the coordinate so far [m]
    real(wp), intent(in) :: change(lanes, columns%layers)        !< by the last solve [m]
    real(wp), intent(in) :: ponded_before(lanes)                 !< at the start of the hour [m]
    real(wp), intent(in) :: inflow(lanes)                        !< overland, by the ponding at the start [m]
    real(wp), intent(inout) :: seen(lanes, *)                    !< features, one after the other [-]
    real(wp), dimension(lanes, columns%layers) :: raw, squashed
    integer :: elements, first, k, l, layers

    layers = columns%layers
    elements = lanes*layers
    first = 0

    do k = 1, layers
      !$omp simd
      do l = 1, lanes
        squashed(l, k) = (saturation(l, k) - columns%residual(l, k, b)) &
          /(columns%maximum(l, k, b) - columns%residual(l, k, b))
        raw(l, k) = columns%alpha(l, k, b)*head(l, k)
      end do
    end do
    call add(layers, 1.0_wp, 0.0_wp)
    call hyperbolic_tangents(elements, raw, squashed)
    call add(layers, 1.0_wp, 0.0_wp)

    raw = head/0.1_wp
    call arsinhs(elements, raw, squashed)
    call add(layers, 1.0_wp/3.0_wp, 0.0_wp)

    do k = 1, layers
      !$omp simd
      do l = 1, lanes
        raw(l, k) = merge(1.0e-12_wp, permeability(l, k), permeability(l, k) < 1.0e-12_wp)
      end do
    end do
    call logarithms(elements, raw, squashed)
    call add(layers, 0.25_wp/ln_10, 1.0_wp)

    do k = 1, layers - 1
      !$omp simd
      do l = 1, lanes
        raw(l, k) = (head(l, k) - head(l, k + 1))/columns%height(k) - 1.0_wp
      end do
    end do
    call arsinhs(lanes*(layers - 1), raw, squashed)
    call add(layers - 1, 1.0_wp, 0.0_wp)

    raw = source/water_scale
    call arsinhs(elements, raw, squashed)
    call add(layers, 1.0_wp/3.0_wp, 0.0_wp)
    raw = lateral/water_scale
    call arsinhs(elements, raw, squashed)
    call add(layers, 1.0_wp/3.0_wp, 0.0_wp)

    do k = 1, layers
      !$omp simd
      do l = 1, lanes
        raw(l, k) = moved(l, k)/network%scale(k)
      end do
    end do
    call arsinhs(elements, raw, squashed)
    call add(layers, 1.0_wp, 0.0_wp)
    do k = 1, layers
      !$omp simd
      do l = 1, lanes
        raw(l, k) = change(l, k)/(fine*network%scale(k))
      end do
    end do
    call arsinhs(elements, raw, squashed)
    call add(layers, 0.5_wp, 0.0_wp)

    do k = 1, 2*layers
      !$omp simd
      do l = 1, lanes
        seen(l, first + k) = network%soil_features(l, k, b)
      end do
    end do
    first = first + 2*layers

    call add_surface(ponded_before/ponding_scale)
    call add_surface(merge(head(:, layers), 0.0_wp, head(:, layers) > 0.0_wp)/ponding_scale)
    call add_surface(inflow/ponding_scale)
    call add_surface(columns%conveyance_out(:, b)/100.0_wp)

  contains

    !> Add squashed values of so many layers, times a factor and plus an offset.
    subroutine add(count, factor, offset)
      integer, intent(in) :: count    !< layers
      real(wp), intent(in) :: factor  !< [-]
      real(wp), intent(in) :: offset  !< [-]
      integer :: i, j
      do j = 1, count
        !$omp simd
        do i = 1, lanes
          seen(i, first + j) = squashed(i, j)*factor + offset
        end do
      end do
      first = first + count
    end subroutine add

    !> Add a feature of the surface.
    subroutine add_surface(value)
      real(wp), intent(in) :: value(lanes)  !< [-]
      real(wp) :: small(lanes)
      call arsinhs(lanes, value, small)
      first = first + 1
      seen(:, first) = small/3.0_wp
    end subroutine add_surface

  end subroutine see_block

  !> The perceptron: linear layers with SiLU, x/(1 + exp(-x)), between them.
  subroutine perceive(network, values)
    type(network_t), intent(in) :: network                                    !< parameters
    real(wp), intent(inout) :: values(lanes, maxval(network%widths) + group)  !< features, then outputs [-]
    real(wp) :: sums(lanes, maxval(network%widths) + group), small(lanes, maxval(network%widths) + group)
    integer :: layer, last, l, o, place

    place = 1
    last = size(network%widths) - 1
    do layer = 1, last
      associate (inputs => network%widths(layer), outputs => network%widths(layer + 1))
        do o = 1, outputs, group
          call add_group(inputs, values, network%parameters(place:), sums(:, o:))
          place = place + group*(1 + inputs)
        end do
        if (layer == last) then
          values(:, :outputs) = sums(:, :outputs)
        else
          do o = 1, outputs
            !$omp simd
            do l = 1, lanes
              small(l, o) = -sums(l, o)
            end do
          end do
          call exponentials(lanes*outputs, small, values)
          do o = 1, outputs
            !$omp simd
            do l = 1, lanes
              values(l, o) = sums(l, o)/(1.0_wp + values(l, o))
            end do
          end do
        end if
      end associate
    end do
  end subroutine perceive

  !> A group of outputs of a linear layer, whose sums stay in registers.
  pure subroutine add_group(inputs, values, parameters, sums)
    integer, intent(in) :: inputs                        !< of the layer
    real(wp), intent(in) :: values(lanes, inputs)        !< [-]
    real(wp), intent(in) :: parameters(group, 0:inputs)  !< biases, then weights [-]
    real(wp), intent(inout) :: sums(lanes, group)        !< [-]
    real(wp) :: summed(lanes, group)
    integer :: i, l, o

    do o = 1, group
      summed(:, o) = parameters(o, 0)
    end do
    do i = 1, inputs
      do o = 1, group
        !$omp simd
        do l = 1, lanes
          summed(l, o) = summed(l, o) + parameters(o, i)*values(l, i)
        end do
      end do
    end do
    sums = summed
  end subroutine add_group

end module structured_network
