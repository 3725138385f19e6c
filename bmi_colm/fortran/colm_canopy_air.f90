!> Roughness of the canopy and exchange inside it, between leaves, ground and canopy air.
!>
!> Equations (32) to (34) of docs/theory.md.
module colm_canopy_air
  use colm_constants, only: wp, von_karman, roughness_soil
  use colm_similarity, only: momentum_profile, heat_profile, heat_gradient, heat_roughness
  implicit none
  private
  public :: canopy_geometry, describe_canopy, leaf_boundary_conductance, ground_resistance

  !> Geometry of a canopy that does not change within a step.
  type :: canopy_geometry
    real(wp) :: height                  !< of the canopy [m]
    real(wp) :: roughness               !< roughness length of the canopy [m]
    real(wp) :: displacement            !< displacement height [m]
    real(wp) :: attenuation             !< of wind and diffusivity with depth below the top [-]
    real(wp) :: sink_height             !< where the canopy exchanges heat with the air above [m]
    real(wp) :: closure                 !< 0 sparse to 1 closed: whose turbulence rules near the ground [-]
    real(wp) :: mean_wind_ratio         !< mean wind in the canopy over the wind at its top [-]
    real(wp) :: roughness_ground        !< roughness length of the ground [m]
    real(wp) :: inverse_root_leaf_size  !< inverse square root of the leaf size [m-1/2]
  end type canopy_geometry

  !> Relative; the integrals are stationary in the crossings, so that their error is of the order of its square.
  real(wp), parameter :: crossing_tolerance = 2.0e-3_wp  !< [-]
  ! Raupach (1994)
  real(wp), parameter :: roughness_sublayer = 0.193_wp  !< [-]
  real(wp), parameter :: drag_substrate = 0.003_wp      !< [-]
  real(wp), parameter :: drag_element = 0.3_wp          !< [-]
  real(wp), parameter :: largest_drag = 0.3_wp          !< friction velocity over wind at the top [-]

contains

  !> Roughness and displacement (Raupach 1994 with Choudhury and Monteith 1988), wind profile, closure.
  pure subroutine describe_canopy(height, area, roughness_ground, inverse_root_leaf_size, c)
    real(wp), intent(in) :: height                  !< of the canopy [m]
    real(wp), intent(in) :: area                    !< of leaves and stems [m2 m-2]
    real(wp), intent(in) :: roughness_ground        !< roughness length of the ground [m]
    real(wp), intent(in) :: inverse_root_leaf_size  !< inverse square root of the leaf size [m-1/2]
    type(canopy_geometry), intent(out) :: c         !< geometry of the canopy
    real(wp) :: drag, sparse_drag, sparse_area

    c%height = height
    c%roughness_ground = roughness_ground
    c%inverse_root_leaf_size = inverse_root_leaf_size
    drag = min(largest_drag, sqrt(drag_substrate + drag_element*(1.0_wp - exp(-0.5_wp*area))))

    ! area at which the roughness of the canopy equals that of the bare soil: displacement starts from there
    sparse_drag = max(sqrt(0.0031_wp), -von_karman/(log(roughness_soil/height) - roughness_sublayer))
    sparse_area = -2.0_wp*log(1.0_wp - (sparse_drag**2 - drag_substrate)/drag_element)
    c%displacement = displacement_shape(area)
    if (area > sparse_area) c%displacement = c%displacement - displacement_shape(sparse_area)
    c%displacement = height*max(0.0_wp, c%displacement)

    c%roughness = (height - c%displacement)*exp(-von_karman/drag + roughness_sublayer)
    if (c%roughness < roughness_soil) then
      c%roughness = roughness_soil
      c%displacement = 0.0_wp
    end if

    c%attenuation = height/(height - c%displacement)*drag/von_karman
    c%sink_height = c%roughness + max(0.5_wp*height, c%displacement)
    c%closure = 1.0_wp/(1.0_wp + exp(-(c%displacement/height - 0.4_wp)/0.08_wp))
    c%mean_wind_ratio = mean_wind_ratio(height, roughness_ground, c%attenuation)
  end subroutine describe_canopy

  !> Displacement over canopy height of a given area, but for its start [-].
  pure real(wp) function displacement_shape(area)
    real(wp), intent(in) :: area  !< of leaves and stems [m2 m-2]
    displacement_shape = 1.1_wp*log(1.0_wp + (0.2_wp*area)**0.25_wp)
  end function displacement_shape

  !> Mean over the canopy of the smaller of the exponential and the logarithmic wind profile, relative to the top.
  pure real(wp) function mean_wind_ratio(height, z0, attenuation) result(mean)
    real(wp), intent(in) :: height       !< of the canopy [m]
    real(wp), intent(in) :: z0           !< roughness length of the ground [m]
    real(wp), intent(in) :: attenuation  !< of wind with depth below the top [-]
    real(wp) :: depth, span, crossing, step, decayed
    integer :: i

    depth = height - z0
    span = log(height/z0)
    ! logarithmic minus exponential wind is concave and zero at the top: it has at most one more root, if the exponential
    ! falls off faster; Newton's method comes to it from the left without passing it
    crossing = height
    if (attenuation/depth > 1.0_wp/(height*span)) then
      crossing = z0
      do i = 1, 30
        decayed = exp(-attenuation*(height - crossing)/depth)
        step = (decayed - log(crossing/z0)/span)/(1.0_wp/(crossing*span) - decayed*attenuation/depth)
        crossing = crossing + step
        if (step < crossing_tolerance*crossing) exit
      end do
    end if
    mean = (crossing*(log(crossing/z0) - 1.0_wp) + z0)/span &
      + depth/attenuation*(1.0_wp - exp(-attenuation*(height - crossing)/depth))
    mean = mean/depth
  end function mean_wind_ratio

  !> Conductance of the leaf boundary layer [m s-1 per leaf area].
  pure real(wp) function leaf_boundary_conductance(c, ustar, obukhov)
    type(canopy_geometry), intent(in) :: c  !< geometry of the canopy
    real(wp), intent(in) :: ustar           !< friction velocity [m s-1]
    real(wp), intent(in) :: obukhov         !< Obukhov length [m]
    real(wp) :: top_wind
    top_wind = ustar/von_karman*momentum_profile(c%height - c%displacement, c%roughness, obukhov)
    leaf_boundary_conductance = 0.01_wp*c%inverse_root_leaf_size*sqrt(top_wind*c%mean_wind_ratio)
  end function leaf_boundary_conductance

  !> Resistance [s m-1] between the ground and the canopy air, from the smaller of two diffusivities:
  !> one that decays exponentially from the canopy top, one that grows from the ground.
  !> crossing is the height of their lower crossing, a first guess on entry.
  pure subroutine ground_resistance(c, ustar, obukhov, ground_obukhov, crossing, resistance)
    type(canopy_geometry), intent(in) :: c  !< geometry of the canopy
    real(wp), intent(in) :: ustar           !< friction velocity [m s-1]
    real(wp), intent(in) :: obukhov         !< Obukhov length [m]
    real(wp), intent(in) :: ground_obukhov  !< Obukhov length of the bare ground [m]
    real(wp), intent(inout) :: crossing     !< height of the lower crossing, a first guess on entry [m]
    real(wp), intent(out) :: resistance     !< [s m-1]
    real(wp) :: bottom, top, top_diffusivity, decay, lowest, upper

    bottom = heat_roughness(c%roughness_ground, ustar)
    top = c%sink_height
    top_diffusivity = von_karman*(c%height - c%displacement)*ustar/heat_gradient((c%height - c%displacement)/obukhov)
    decay = c%attenuation/(c%height - bottom)

    ! ratio of exponential to growing diffusivity: above 1 near the ground, smallest near z = 1/decay
    upper = top
    if (ratio(top) <= 1.0_wp) then
      call find_crossing(bottom, top, crossing)
    else
      lowest = 1.0_wp/decay
      if (lowest > bottom .and. lowest < top .and. ratio(min(lowest, top)) < 1.0_wp) then
        upper = 0.5_wp*(lowest + top)
        call find_crossing(top, lowest, upper)
        call find_crossing(bottom, lowest, crossing)
      else
        crossing = top
      end if
    end if
    resistance = growing(bottom, crossing) + decaying(crossing, upper) + growing(upper, top)

  contains

    !> Resistance between two heights where diffusivity grows from the ground [s m-1].
    pure real(wp) function growing(a, b)
      real(wp), intent(in) :: a  !< lower end [m]
      real(wp), intent(in) :: b  !< upper end [m]
      growing = 0.0_wp
      if (b > a) growing = c%closure*c%height/top_diffusivity*log(b/a) &
        + (1.0_wp - c%closure)/(von_karman*ustar)*heat_profile(b, a, ground_obukhov)
    end function growing

    !> Resistance between two heights where diffusivity decays from the canopy top [s m-1].
    pure real(wp) function decaying(a, b)
      real(wp), intent(in) :: a  !< lower end [m]
      real(wp), intent(in) :: b  !< upper end [m]
      decaying = 0.0_wp
      if (b > a) decaying = (exp(decay*(c%height - a)) - exp(decay*(c%height - b)))/(decay*top_diffusivity)
    end function decaying

    !> Decaying over growing diffusivity [-].
    pure real(wp) function ratio(z)
      real(wp), intent(in) :: z  !< height [m]
      ratio = exp(-decay*(c%height - z))/z*(c%closure*c%height &
        + (1.0_wp - c%closure)*top_diffusivity*heat_gradient(z/ground_obukhov)/(von_karman*ustar))
    end function ratio

    !> Height between above (ratio > 1) and below (ratio < 1) where the ratio is 1: Newton's method for its logarithm
    !> with the slope of neutral air, inside a bracket.
    pure subroutine find_crossing(above, below, z)
      real(wp), intent(in) :: above  !< height where the ratio is above 1 [m]
      real(wp), intent(in) :: below  !< height where the ratio is below 1 [m]
      real(wp), intent(inout) :: z   !< height of the crossing, a first guess on entry [m]
      real(wp) :: a, b, r, slope, previous
      integer :: i
      a = above
      b = below
      if ((z - a)*(z - b) >= 0.0_wp) z = 0.5_wp*(a + b)
      do i = 1, 60
        r = ratio(z)
        if (r > 1.0_wp) then
          a = z
        else
          b = z
        end if
        previous = z
        slope = decay - 1.0_wp/z
        z = 0.5_wp*(a + b)
        if (abs(slope) > 1.0e-6_wp) z = previous - log(r)/slope
        if ((z - a)*(z - b) >= 0.0_wp) z = 0.5_wp*(a + b)
        if (abs(z - previous) < crossing_tolerance*z) exit
      end do
    end subroutine find_crossing
  end subroutine ground_resistance
end module colm_canopy_air
