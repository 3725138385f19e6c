!> Roughness of the canopy and exchange inside it, between leaves, ground and canopy air.
module colm_canopy_air
  use colm_constants, only: wp, von_karman, roughness_soil
  use colm_similarity, only: momentum_profile, heat_profile, heat_gradient, heat_roughness
  implicit none
  private
  public :: canopy_geometry, describe_canopy, leaf_boundary_conductance, ground_resistance

  !> Geometry of a canopy that does not change within a step.
  type :: canopy_geometry
    real(wp) :: height, roughness, displacement  ! m
    real(wp) :: attenuation                      ! of wind and diffusivity with depth below the top
    real(wp) :: sink_height                      ! m, where the canopy exchanges heat with the air above
    real(wp) :: closure                          ! 0 sparse .. 1 closed: whose turbulence rules near the ground
    real(wp) :: mean_wind_ratio                  ! mean wind in the canopy over the wind at its top
    real(wp) :: roughness_ground                 ! m
    real(wp) :: inverse_root_leaf_size           ! m-1/2
  end type canopy_geometry

  real(wp), parameter :: roughness_sublayer = 0.193_wp         ! Raupach 1994
  real(wp), parameter :: drag_substrate = 0.003_wp, drag_element = 0.3_wp, largest_drag = 0.3_wp

contains

  !> Roughness and displacement (Raupach 1994 with Choudhury and Monteith 1988), wind profile, closure.
  pure subroutine describe_canopy(height, area, roughness_ground, inverse_root_leaf_size, c)
    real(wp), intent(in) :: height, area, roughness_ground, inverse_root_leaf_size
    type(canopy_geometry), intent(out) :: c
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

  pure real(wp) function displacement_shape(area)
    real(wp), intent(in) :: area
    displacement_shape = 1.1_wp*log(1.0_wp + (0.2_wp*area)**0.25_wp)
  end function displacement_shape

  !> Mean over the canopy of the smaller of the exponential and the logarithmic wind profile, relative to the top.
  pure real(wp) function mean_wind_ratio(height, z0, attenuation) result(mean)
    real(wp), intent(in) :: height, z0, attenuation
    real(wp) :: depth, span, low, high, crossing
    integer :: i

    depth = height - z0
    span = log(height/z0)
    ! log minus exponential is concave and zero at the top: at most one more crossing, if the exponential falls off faster
    crossing = height
    if (attenuation/depth > 1.0_wp/(height*span)) then
      low = z0
      high = height
      ! start below the maximum of the difference, where it is positive
      do i = 1, 60
        crossing = 0.5_wp*(low + high)
        if (log(crossing/z0)/span < exp(-attenuation*(height - crossing)/depth)) then
          low = crossing
        else
          high = crossing
        end if
        if (high - low < 1.0e-4_wp*height) exit
      end do
    end if
    mean = (crossing*(log(crossing/z0) - 1.0_wp) + z0)/span &
      + depth/attenuation*(1.0_wp - exp(-attenuation*(height - crossing)/depth))
    mean = mean/depth
  end function mean_wind_ratio

  !> Conductance of the leaf boundary layer [m s-1 per leaf area].
  pure real(wp) function leaf_boundary_conductance(c, ustar, obukhov)
    type(canopy_geometry), intent(in) :: c
    real(wp), intent(in) :: ustar, obukhov
    real(wp) :: top_wind
    top_wind = ustar/von_karman*momentum_profile(c%height - c%displacement, c%roughness, obukhov)
    leaf_boundary_conductance = 0.01_wp*c%inverse_root_leaf_size*sqrt(top_wind*c%mean_wind_ratio)
  end function leaf_boundary_conductance

  !> Resistance [s m-1] between the ground and the canopy air, from the smaller of two diffusivities:
  !> one that decays exponentially from the canopy top, one that grows from the ground.
  pure real(wp) function ground_resistance(c, ustar, obukhov, ground_obukhov) result(resistance)
    type(canopy_geometry), intent(in) :: c
    real(wp), intent(in) :: ustar, obukhov, ground_obukhov
    real(wp) :: bottom, top, top_diffusivity, decay, lowest, z1, z2

    bottom = heat_roughness(c%roughness_ground, ustar)
    top = c%sink_height
    top_diffusivity = von_karman*(c%height - c%displacement)*ustar/heat_gradient((c%height - c%displacement)/obukhov)
    decay = c%attenuation/(c%height - bottom)

    ! excess of the exponential diffusivity: positive near the ground, smallest near z = 1/decay
    if (excess(top) <= 0.0_wp) then
      z1 = root(bottom, top)
      z2 = top
    else
      lowest = 1.0_wp/decay
      z1 = top
      z2 = top
      if (lowest < top .and. lowest > bottom) then
        if (excess(lowest) < 0.0_wp) then
          z1 = root(bottom, lowest)
          z2 = root(top, lowest)
        end if
      end if
    end if
    resistance = slow(bottom, z1) + fast(z1, z2) + slow(z2, top)

  contains

    !> Resistance of the diffusivity that grows from the ground.
    pure real(wp) function slow(a, b)
      real(wp), intent(in) :: a, b
      slow = 0.0_wp
      if (b > a) slow = c%closure*c%height/top_diffusivity*log(b/a) &
        + (1.0_wp - c%closure)/(von_karman*ustar)*heat_profile(b, a, ground_obukhov)
    end function slow

    !> Resistance of the diffusivity that decays from the top.
    pure real(wp) function fast(a, b)
      real(wp), intent(in) :: a, b
      fast = 0.0_wp
      if (b > a) fast = (exp(decay*(c%height - a)) - exp(decay*(c%height - b)))/(decay*top_diffusivity)
    end function fast

    !> K_exp/K_growing - 1
    pure real(wp) function excess(z)
      real(wp), intent(in) :: z
      excess = top_diffusivity*exp(-decay*(c%height - z)) &
        *(c%closure*c%height/(top_diffusivity*z) &
        + (1.0_wp - c%closure)*heat_gradient(z/ground_obukhov)/(von_karman*z*ustar)) - 1.0_wp
    end function excess

    !> Root between plus (excess > 0) and minus (excess < 0); the resistance is stationary in it, so a coarse one will do.
    pure real(wp) function root(plus, minus)
      real(wp), intent(in) :: plus, minus
      real(wp) :: a, b
      integer :: i
      a = plus
      b = minus
      do i = 1, 60
        root = 0.5_wp*(a + b)
        if (abs(b - a) < 1.0e-4_wp*c%height) exit
        if (excess(root) > 0.0_wp) then
          a = root
        else
          b = root
        end if
      end do
    end function root
  end function ground_resistance
end module colm_canopy_air
