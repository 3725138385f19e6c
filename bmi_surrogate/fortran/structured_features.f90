!> What the network sees of the columns of a block: numbers without units, of order one, of the guess that the last solve is
!> linearised at.
!>
!> They stand feature by feature, each in all layers, where one perceptron sees a whole column; where a network goes along its
!> layers, layer by layer, with an empty layer below the bottom and one above the top. Those of the surface come last.
!>
!> Equations (14) and (15) of docs/theory.md, which the features are of.
module structured_features
  use, intrinsic :: iso_fortran_env, only: wp => real64
  use structured_types, only: columns_t, lanes, network_t
  use vector_math, only: arsinhs, hyperbolic_tangents, logarithms
  implicit none
  private
  public :: see_block, surface_features

  !> Features of the surface.
  integer, parameter :: surface_features = 4
  !> Water in an hour, and depth of a pond, that separate linear from logarithmic [m].
  real(wp), parameter :: water_scale = 1.0e-4_wp, ponding_scale = 1.0e-3_wp
  !> Of the typical change: what a second solve changes is small [-].
  real(wp), parameter :: fine = 0.01_wp
  real(wp), parameter :: ln_10 = 2.30258509299404568401799145468436421_wp

contains

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
    integer :: elements, f, first, k, l, layers, soil, step, wide

    layers = columns%layers
    elements = lanes*layers
    soil = size(network%soil_features, 2)/layers
    wide = network%widths(1)
    ! the next feature of layer k is number first + k*step
    first = merge(1, 0, network%shared)
    step = merge(wide, 1, network%shared)
    if (network%shared) seen(:, :wide*(layers + 2)) = 0.0_wp

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

    do f = 1, soil
      do k = 1, layers
        !$omp simd
        do l = 1, lanes
          squashed(l, k) = network%soil_features(l, (f - 1)*layers + k, b)
        end do
      end do
      call add(layers, 1.0_wp, 0.0_wp)
    end do
    if (network%shared) first = wide*(layers + 2)

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
          seen(i, first + j*step) = squashed(i, j)*factor + offset
        end do
      end do
      first = first + merge(1, count, network%shared)
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

end module structured_features
