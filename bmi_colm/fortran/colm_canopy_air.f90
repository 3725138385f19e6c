!> Roughness of the canopy and exchange inside it, between leaves, ground and canopy air.
!>
!> Equations (32) to (34) of docs/theory.md.
module colm_canopy_air
  use colm_constants, only: wp, lanes, von_karman, roughness_soil
  use vector_math, only: exponential, logarithm
  use colm_similarity, only: heat_profile, heat_gradient, heat_roughness
  implicit none
  private
  public :: canopy_geometry, describe_canopies, leaf_boundary_conductance, find_ground_resistance

  !> Geometry of a canopy that does not change within a step.
  type :: canopy_geometry
    real(wp) :: height(lanes)                  !< of the canopy [m]
    real(wp) :: roughness(lanes)               !< roughness length of the canopy [m]
    real(wp) :: displacement(lanes)            !< displacement height [m]
    real(wp) :: attenuation(lanes)             !< of wind and diffusivity with depth below the top [-]
    real(wp) :: sink_height(lanes)             !< where the canopy exchanges heat with the air above [m]
    real(wp) :: closure(lanes)                 !< 0 sparse to 1 closed: whose turbulence rules near the ground [-]
    real(wp) :: mean_wind_ratio(lanes)         !< mean wind in the canopy over the wind at its top [-]
    real(wp) :: roughness_ground(lanes)        !< roughness length of the ground [m]
    real(wp) :: inverse_root_leaf_size(lanes)  !< inverse square root of the leaf size [m-1/2]
  end type canopy_geometry

  !> Diffusivities of heat below the canopy: K_top exp(-decay (height - z)), and K_top z/(closed + sparse phi(z/L)).
  type :: diffusivities
    real(wp) :: height(lanes)          !< of the canopy [m]
    real(wp) :: top(lanes)             !< diffusivity at the canopy top, K_top [m2 s-1]
    real(wp) :: decay(lanes)           !< with depth below the top [m-1]
    real(wp) :: closed(lanes)          !< what a closed canopy takes of the height [m]
    real(wp) :: sparse(lanes)          !< what a sparse one takes of K_top/(kappa u*) [m]
    real(wp) :: ground_obukhov(lanes)  !< Obukhov length of the bare ground, L [m]
  end type diffusivities

  !> Relative; the integrals are stationary in the crossings, so that their error is of the order of its square.
  real(wp), parameter :: crossing_tolerance = 2.0e-3_wp  !< [-]
  ! Raupach (1994)
  real(wp), parameter :: roughness_sublayer = 0.193_wp  !< [-]
  real(wp), parameter :: drag_substrate = 0.003_wp      !< [-]
  real(wp), parameter :: drag_element = 0.3_wp          !< [-]
  real(wp), parameter :: largest_drag = 0.3_wp          !< friction velocity over wind at the top [-]

contains

  !> Roughness and displacement (Raupach 1994 with Choudhury and Monteith 1988), wind profile, closure.
  pure subroutine describe_canopies(height, area, roughness_ground, inverse_root_leaf_size, c)
    real(wp), intent(in) :: height(lanes)                  !< of the canopy [m]
    real(wp), intent(in) :: area(lanes)                    !< of leaves and stems [m2 m-2]
    real(wp), intent(in) :: roughness_ground(lanes)        !< roughness length of the ground [m]
    real(wp), intent(in) :: inverse_root_leaf_size(lanes)  !< inverse square root of the leaf size [m-1/2]
    type(canopy_geometry), intent(out) :: c                !< geometry of the canopy
    real(wp), dimension(lanes) :: drag, sparse_drag, sparse_area, displacement, start, roughness

    c%height = height
    c%roughness_ground = roughness_ground
    c%inverse_root_leaf_size = inverse_root_leaf_size
    drag = min(largest_drag, sqrt(drag_substrate + drag_element*(1.0_wp - exponential(-0.5_wp*area))))

    ! area at which the roughness of the canopy equals that of the bare soil: displacement starts from there
    sparse_drag = max(sqrt(0.0031_wp), -von_karman/(logarithm(roughness_soil/height) - roughness_sublayer))
    sparse_area = -2.0_wp*logarithm(1.0_wp - (sparse_drag**2 - drag_substrate)/drag_element)
    displacement = displacement_shape(area)
    start = displacement_shape(max(0.0_wp, sparse_area))
    displacement = displacement - merge(start, 0.0_wp, area > sparse_area)
    displacement = height*max(0.0_wp, displacement)

    roughness = (height - displacement)*exponential(-von_karman/drag + roughness_sublayer)
    c%displacement = merge(0.0_wp, displacement, roughness < roughness_soil)
    c%roughness = max(roughness_soil, roughness)

    c%attenuation = height/(height - c%displacement)*drag/von_karman
    c%sink_height = c%roughness + max(0.5_wp*height, c%displacement)
    c%closure = 1.0_wp/(1.0_wp + exponential(-(c%displacement/height - 0.4_wp)/0.08_wp))
    call find_mean_wind(c)
  end subroutine describe_canopies

  !> Displacement over canopy height of a given area, but for its start [-].
  pure function displacement_shape(area) result(y)
    real(wp), intent(in) :: area(lanes)  !< of leaves and stems [m2 m-2]
    real(wp) :: y(lanes)
    y = 1.1_wp*logarithm(1.0_wp + sqrt(sqrt(0.2_wp*area)))
  end function displacement_shape

  !> Mean over the canopy of the smaller of the exponential and the logarithmic wind profile, relative to the top.
  pure subroutine find_mean_wind(c)
    type(canopy_geometry), intent(inout) :: c  !< its mean_wind_ratio is set
    real(wp), dimension(lanes) :: depth, span, crossing, decayed, step
    logical :: open(lanes)
    integer :: i

    ! logarithmic minus exponential wind is concave and zero at the top: it has at most one more root, if the exponential
    ! falls off faster; Newton's method comes to it from the left without passing it
    depth = c%height - c%roughness_ground
    span = logarithm(c%height/c%roughness_ground)
    open = c%attenuation/depth > 1.0_wp/(c%height*span)
    crossing = merge(c%roughness_ground, c%height, open)
    do i = 1, 30
      if (.not. any(open)) exit
      decayed = exponential(-c%attenuation*(c%height - crossing)/depth)
      step = (decayed - logarithm(crossing/c%roughness_ground)/span) &
        /(1.0_wp/(crossing*span) - decayed*c%attenuation/depth)
      crossing = merge(crossing + step, crossing, open)
      open = open .and. step >= crossing_tolerance*crossing
    end do
    c%mean_wind_ratio = ((crossing*(logarithm(crossing/c%roughness_ground) - 1.0_wp) + c%roughness_ground) &
      /span + depth/c%attenuation*(1.0_wp - exponential(-c%attenuation*(c%height - crossing)/depth))) &
      /depth
  end subroutine find_mean_wind

  !> Conductance of the leaf boundary layer [m s-1 per leaf area].
  pure function leaf_boundary_conductance(c, top_wind) result(y)
    type(canopy_geometry), intent(in) :: c   !< geometry of the canopies
    real(wp), intent(in) :: top_wind(lanes)  !< at the top of the canopy [m s-1]
    real(wp) :: y(lanes)
    y = 0.01_wp*c%inverse_root_leaf_size*sqrt(top_wind*c%mean_wind_ratio)
  end function leaf_boundary_conductance

  !> Resistance between the ground and the canopy air, from the smaller of two diffusivities: one that decays
  !> exponentially from the canopy top, one that grows from the ground. They cross once below the sink, twice, or never.
  pure subroutine find_ground_resistance(c, ustar, obukhov, ground_obukhov, crossing, resistance)
    type(canopy_geometry), intent(in) :: c             !< geometry of the canopy
    real(wp), intent(in) :: ustar(lanes)               !< friction velocity [m s-1]
    real(wp), intent(in) :: obukhov(lanes)             !< Obukhov length [m]
    real(wp), intent(in) :: ground_obukhov(lanes)      !< Obukhov length of the bare ground [m]
    real(wp), intent(inout) :: crossing(lanes)         !< height of the lower crossing, a first guess on entry [m]
    real(wp), intent(out) :: resistance(lanes)         !< [s m-1]
    type(diffusivities) :: k
    real(wp), dimension(lanes) :: bottom, upper, lowest, below
    logical, dimension(lanes) :: once, twice

    bottom = heat_roughness(c%roughness_ground, ustar)
    k%height = c%height
    k%top = von_karman*(c%height - c%displacement)*ustar/heat_gradient((c%height - c%displacement)/obukhov)
    k%decay = c%attenuation/(c%height - bottom)
    k%closed = c%closure*c%height
    k%sparse = (1.0_wp - c%closure)*k%top/(von_karman*ustar)
    k%ground_obukhov = ground_obukhov
    ! the ratio is above 1 near the ground and smallest near z = 1/decay
    lowest = min(1.0_wp/k%decay, c%sink_height)
    once = logarithm_of_ratio(k, c%sink_height) <= 0.0_wp
    twice = .not. once .and. lowest > bottom .and. lowest < c%sink_height
    if (any(twice)) twice = twice .and. logarithm_of_ratio(k, lowest) < 0.0_wp
    below = merge(c%sink_height, lowest, once)
    upper = merge(0.5_wp*(lowest + c%sink_height), c%sink_height, twice)
    crossing = merge(crossing, c%sink_height, once .or. twice)
    call find_crossing(k, bottom, below, once .or. twice, crossing)
    if (any(twice)) call find_crossing(k, c%sink_height, lowest, twice, upper)
    resistance = growing(k, bottom, crossing) + decaying(k, crossing, upper)
    if (any(twice)) resistance = resistance + growing(k, upper, c%sink_height)
  end subroutine find_ground_resistance

  !> Logarithm of the diffusivity that decays from the canopy top over the one that grows from the ground [-].
  pure function logarithm_of_ratio(k, z) result(y)
    type(diffusivities), intent(in) :: k  !< below the canopy
    real(wp), intent(in) :: z(lanes)      !< height above the ground [m]
    real(wp) :: y(lanes)
    y = logarithm((k%closed + k%sparse*heat_gradient(z/k%ground_obukhov))/z) - k%decay*(k%height - z)
  end function logarithm_of_ratio

  !> Resistance between two heights where diffusivity grows from the ground; 0 where the upper end is not above [s m-1].
  pure function growing(k, a, b) result(y)
    type(diffusivities), intent(in) :: k  !< below the canopy
    real(wp), intent(in) :: a(lanes)      !< lower end [m]
    real(wp), intent(in) :: b(lanes)      !< upper end [m]
    real(wp) :: y(lanes)
    y = (k%closed*logarithm(b/a) + k%sparse*heat_profile(b, a, k%ground_obukhov))/k%top
    y = merge(y, 0.0_wp, b > a)
  end function growing

  !> Resistance between two heights where diffusivity decays from the canopy top; 0 where the upper end is not above [s m-1].
  pure function decaying(k, a, b) result(y)
    type(diffusivities), intent(in) :: k  !< below the canopy
    real(wp), intent(in) :: a(lanes)      !< lower end [m]
    real(wp), intent(in) :: b(lanes)      !< upper end [m]
    real(wp) :: y(lanes)
    y = (exponential(k%decay*(k%height - a)) - exponential(k%decay*(k%height - b)))/(k%decay*k%top)
    y = max(0.0_wp, y)
  end function decaying

  !> Heights between above (ratio > 1) and below (ratio < 1) where the logarithm of the ratio is 0: Newton's method with the
  !> slope of neutral air, inside a bracket.
  pure subroutine find_crossing(k, above, below, wanted, z)
    type(diffusivities), intent(in) :: k    !< below the canopy
    real(wp), intent(in) :: above(lanes)    !< heights where the ratio is above 1 [m]
    real(wp), intent(in) :: below(lanes)    !< heights where the ratio is below 1 [m]
    logical, intent(in) :: wanted(lanes)    !< lanes that have a crossing; others keep their height
    real(wp), intent(inout) :: z(lanes)     !< heights of the crossing, first guesses on entry [m]
    real(wp), dimension(lanes) :: a, b, r, slope, new, step
    logical :: open(lanes)
    integer :: i

    open = wanted
    a = above
    b = below
    z = merge(0.5_wp*(a + b), z, open .and. (z - a)*(z - b) >= 0.0_wp)
    do i = 1, 60
      r = logarithm_of_ratio(k, z)
      a = merge(z, a, r > 0.0_wp)
      b = merge(b, z, r > 0.0_wp)
      slope = k%decay - 1.0_wp/z
      new = z - r/merge(slope, 1.0_wp, abs(slope) > 1.0e-6_wp)
      new = merge(0.5_wp*(a + b), new, abs(slope) <= 1.0e-6_wp .or. (new - a)*(new - b) >= 0.0_wp)
      step = abs(new - z)
      z = merge(new, z, open)
      open = open .and. step >= crossing_tolerance*z
      if (.not. any(open)) exit
    end do
  end subroutine find_crossing
end module colm_canopy_air
