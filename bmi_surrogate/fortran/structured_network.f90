!> What the network says of the columns of a block: gains of the last solve and weights of the closure.
!>
!> It is a perceptron that sees a whole column, or one that all layers share: each with the layer below and the one above, and
!> with the mean and the largest over the column of what the inner layer before has found.
!>
!> Parameters are stored in single precision, as training leaves them, but computed with in double precision: sums in single
!> precision would differ from PyTorch's by more than heads may. They lie layer by layer, the outputs in groups that are padded
!> to whole ones; each group has its biases first and then its weights, (output of the group, input). Of the shared network an
!> inner layer has two such sets: biases and weights of the column's summary, then weights of the three layers without biases.
!>
!> Equations (14) and (15) of docs/theory.md, whose change of the coordinate and weights w these are, and (15b), the shared one.
module structured_network
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use structured_features, only: see_block, surface_features
  use structured_types, only: columns_t, lanes, network_t
  use vector_math, only: exponentials, hyperbolic_tangents
  implicit none
  private
  public :: group, judge_block

  !> Outputs that are summed together.
  integer, parameter :: group = 8
  real(wp), parameter :: largest_gain = 3.0_wp, largest_weight = 8.0_wp
  !> Change by the last solve, in units of the typical change in an hour, at which half of the learned is applied [-].
  real(wp), parameter :: fading_scale = 0.02_wp

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
    real(wp) :: values(lanes, values_size(network, columns%layers))
    real(wp), dimension(lanes, 2*columns%layers - 1) :: said, bounded
    real(wp) :: fade(lanes), half, share
    integer :: k, l, layers

    layers = columns%layers
    call see_block(columns, network, b, head, saturation, permeability, source, lateral, moved, change, ponded_before, inflow, &
      values)
    if (network%shared) then
      call perceive_layers(network, layers, values)
    else
      call perceive(network, values)
    end if

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

  !> Numbers that what the network sees, and each of its layers finds, have room in.
  pure integer function values_size(network, layers)
    type(network_t), intent(in) :: network  !< parameters
    integer, intent(in) :: layers           !< of a column
    values_size = maxval(network%widths)
    if (network%shared) then
      values_size = values_size*(layers + 2) + surface_features
    else
      values_size = values_size + group
    end if
  end function values_size

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

  !> The network along the layers of the columns: for each inner layer a sum of the column's summary and of three layers, with
  !> SiLU; for the last one of the layer itself. Gives gains, then weights of all layers but the bottom one.
  subroutine perceive_layers(network, layers, values)
    type(network_t), intent(in) :: network                                  !< parameters
    integer, intent(in) :: layers                                           !< of a column
    real(wp), intent(inout) :: values(lanes, values_size(network, layers))  !< features, then outputs [-]
    real(wp) :: found(lanes, values_size(network, layers)), small(lanes, values_size(network, layers))
    real(wp) :: summary(lanes, 2*maxval(network%widths) + surface_features)
    real(wp), dimension(lanes, group) :: of_column, sums
    integer :: count, inputs, k, l, layer, o, outputs, place, summaries

    inputs = network%widths(1)
    summaries = surface_features
    summary(:, :summaries) = values(:, inputs*(layers + 2) + 1:inputs*(layers + 2) + surface_features)
    place = 1
    do layer = 1, size(network%widths) - 2
      outputs = network%widths(layer + 1)
      do o = 1, outputs, group
        count = min(group, outputs - o + 1)
        call add_group(summaries, summary, network%parameters(place:), of_column)
        place = place + group*(1 + summaries)
        do k = 1, layers
          sums = of_column
          call add_products(3*inputs, values(:, inputs*(k - 1) + 1:), network%parameters(place:), sums)
          found(:, outputs*k + o:outputs*k + o + count - 1) = sums(:, :count)
        end do
        place = place + group*3*inputs
      end do
      do k = outputs + 1, outputs*(layers + 1)
        !$omp simd
        do l = 1, lanes
          small(l, k) = -found(l, k)
        end do
      end do
      call exponentials(lanes*outputs*layers, small(:, outputs + 1:), values(:, outputs + 1:))
      do k = outputs + 1, outputs*(layers + 1)
        !$omp simd
        do l = 1, lanes
          values(l, k) = found(l, k)/(1.0_wp + values(l, k))
        end do
      end do
      values(:, :outputs) = 0.0_wp
      values(:, outputs*(layers + 1) + 1:outputs*(layers + 2)) = 0.0_wp
      call summarise(outputs, layers, values(:, outputs + 1:), summary, summaries)
      inputs = outputs
    end do
    do k = 1, layers
      call add_group(inputs, values(:, inputs*k + 1:), network%parameters(place:), sums)
      found(:, k) = sums(:, 1)
      if (k > 1) found(:, layers + k - 1) = sums(:, 2)
    end do
    values(:, :2*layers - 1) = found(:, :2*layers - 1)
  end subroutine perceive_layers

  !> Mean and largest over the layers of a column, put before the features of the surface.
  pure subroutine summarise(width, layers, values, summary, summaries)
    integer, intent(in) :: width                        !< numbers of a layer
    integer, intent(in) :: layers                       !< of a column
    real(wp), intent(in) :: values(lanes, width, layers)  !< [-]
    real(wp), intent(inout) :: summary(lanes, *)        !< its last numbers are those of the surface [-]
    integer, intent(inout) :: summaries                 !< numbers of the summary
    real(wp) :: surface(lanes, surface_features)
    integer :: i, k, l

    surface = summary(:, summaries - surface_features + 1:summaries)
    summaries = 2*width + surface_features
    do i = 1, width
      summary(:, i) = values(:, i, 1)
      summary(:, width + i) = values(:, i, 1)
    end do
    do k = 2, layers
      do i = 1, width
        !$omp simd
        do l = 1, lanes
          summary(l, i) = summary(l, i) + values(l, i, k)
          summary(l, width + i) = merge(values(l, i, k), summary(l, width + i), values(l, i, k) > summary(l, width + i))
        end do
      end do
    end do
    summary(:, :width) = summary(:, :width)/layers
    summary(:, 2*width + 1:summaries) = surface
  end subroutine summarise

  !> Add products with weights to a group of sums, which stay in registers.
  pure subroutine add_products(inputs, values, weights, sums)
    integer, intent(in) :: inputs                   !< of the layer
    real(wp), intent(in) :: values(lanes, inputs)   !< [-]
    real(wp), intent(in) :: weights(group, inputs)  !< [-]
    real(wp), intent(inout) :: sums(lanes, group)   !< [-]
    real(wp) :: summed(lanes, group)
    integer :: i, l, o

    summed = sums
    do i = 1, inputs
      do o = 1, group
        !$omp simd
        do l = 1, lanes
          summed(l, o) = summed(l, o) + weights(o, i)*values(l, i)
        end do
      end do
    end do
    sums = summed
  end subroutine add_products

end module structured_network
