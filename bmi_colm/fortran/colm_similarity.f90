!> Monin-Obukhov similarity in the atmospheric surface layer (Zeng, Dickinson and Zhao 1998).
!>
!> Equations (29) to (31) of docs/theory.md. Differences of the profile functions are taken in one logarithm and one
!> arctangent. An expression holds for all lanes; what no lane needs, stable or unstable, is skipped, and changes no bit of
!> the others where one needs it.
module colm_similarity
  use colm_constants, only: wp, lanes, gravity, von_karman, minimum_wind, screen_height
  use vector_math, only: exponential, logarithm, power, cube_root, inverse_cube_root, arctangent
  implicit none
  private
  public :: air_block, bare_exchange, momentum_profile, heat_profile, heat_profile_between, heat_gradient, heat_roughness, &
    first_guess, update_stability, bare_ground_exchange, screen_share

  !> Atmosphere at the reference heights, as the surface layer needs it.
  type :: air_block
    real(wp) :: height_wind(lanes)                    !< height of the wind above the ground [m]
    real(wp) :: height_temperature(lanes)             !< height of the temperature above the ground [m]
    real(wp) :: height_humidity(lanes)                !< height of the humidity above the ground [m]
    real(wp) :: wind(lanes)                           !< at least minimum_wind [m s-1]
    real(wp) :: temperature(lanes)                    !< raised dry-adiabatically to the ground [K]
    real(wp) :: potential_temperature(lanes)          !< [K]
    real(wp) :: virtual_potential_temperature(lanes)  !< [K]
    real(wp) :: humidity(lanes)                       !< specific humidity [kg kg-1]
    real(wp) :: pressure(lanes)                       !< [Pa]
    real(wp) :: density(lanes)                        !< [kg m-3]
  end type air_block

  !> Exchange between ground without vegetation and the air at the reference heights.
  type :: bare_exchange
    real(wp) :: obukhov(lanes)             !< Obukhov length [m]
    real(wp) :: heat_conductance(lanes)    !< [m s-1]
    real(wp) :: vapour_conductance(lanes)  !< [m s-1]
    real(wp) :: screen_share(lanes)        !< of the way from the ground to the reference height, 0 to 1 [-]
  end type bare_exchange

  ! Zeng, Dickinson and Zhao (1998)
  real(wp), parameter :: convective_momentum = -1.574_wp     !< zeta of free convection, wind [-]
  real(wp), parameter :: convective_heat = -0.465_wp         !< zeta of free convection, heat [-]
  real(wp), parameter :: convective_exponent = 0.333_wp      !< of zeta beyond these [-]
  real(wp), parameter :: boundary_layer_height = 1000.0_wp   !< [m]
  real(wp), parameter :: first_convective_velocity = 0.5_wp  !< [m s-1]
  real(wp), parameter :: air_viscosity = 1.5e-5_wp           !< kinematic [m2 s-1]
  integer, parameter :: iterations = 6, allowed_sign_changes = 4

contains

  !> Integrated profile of wind from the roughness length to z: u = u*/kappa F [-].
  pure function momentum_profile(z, roughness, obukhov) result(f)
    real(wp), intent(in) :: z(lanes)          !< height above the displacement [m]
    real(wp), intent(in) :: roughness(lanes)  !< roughness length [m]
    real(wp), intent(in) :: obukhov(lanes)    !< Obukhov length [m]
    real(wp) :: f(lanes)
    real(wp), dimension(lanes) :: zeta, zeta0, x, x2, x0, x02, size, reach, beyond

    zeta = 1.0_wp/obukhov
    zeta0 = roughness*zeta
    zeta = z*zeta
    reach = merge(min(z, convective_momentum*obukhov), min(z, obukhov), zeta < 0.0_wp)
    if (any(zeta < 0.0_wp)) then
      x2 = sqrt(1.0_wp - 16.0_wp*min(0.0_wp, max(convective_momentum, zeta)))
      x = sqrt(x2)
      x02 = sqrt(1.0_wp - 16.0_wp*min(0.0_wp, zeta0))
      x0 = sqrt(x02)
      f = logarithm(reach*((1.0_wp + x0)**2*(1.0_wp + x02))/(roughness*((1.0_wp + x)**2*(1.0_wp + x2)))) &
        + 2.0_wp*arctangent((x - x0)/(1.0_wp + x*x0))
    else
      f = logarithm(reach/roughness)
    end if
    beyond = merge(5.0_wp*(min(1.0_wp, zeta) - zeta0), 0.0_wp, zeta >= 0.0_wp)
    if (any(zeta > 1.0_wp .or. zeta < convective_momentum)) then
      size = logarithm(max(1.0_wp, abs(zeta)))
      beyond = merge(beyond + (5.0_wp*size + (zeta - 1.0_wp)), beyond, zeta > 1.0_wp)
      beyond = merge(1.14_wp*(exponential(convective_exponent*size) - (-convective_momentum)**convective_exponent), beyond, &
        zeta < convective_momentum)
    end if
    f = f + beyond
  end function momentum_profile

  !> Integrated profile of temperature or humidity from the roughness length to z [-].
  pure function heat_profile(z, roughness, obukhov) result(f)
    real(wp), intent(in) :: z(lanes)          !< height above the displacement [m]
    real(wp), intent(in) :: roughness(lanes)  !< roughness length [m]
    real(wp), intent(in) :: obukhov(lanes)    !< Obukhov length [m]
    real(wp) :: f(lanes)
    real(wp), dimension(lanes) :: zeta, zeta0, reach
    zeta = 1.0_wp/obukhov
    zeta0 = roughness*zeta
    zeta = z*zeta
    reach = reach_of_heat(z, obukhov)
    if (any(zeta < 0.0_wp)) then
      f = logarithm(reach*(1.0_wp + sqrt(1.0_wp - 16.0_wp*min(0.0_wp, zeta0)))**2/(roughness*(1.0_wp + root_of_heat(zeta))**2))
    else
      f = logarithm(reach/roughness)
    end if
    f = f + heat_beyond(zeta) - 5.0_wp*max(0.0_wp, zeta0)
  end function heat_profile

  !> The same from one height to a higher one [-].
  pure function heat_profile_between(lower, upper, obukhov) result(f)
    real(wp), intent(in) :: lower(lanes)    !< height above the displacement [m]
    real(wp), intent(in) :: upper(lanes)    !< height above the displacement [m]
    real(wp), intent(in) :: obukhov(lanes)  !< Obukhov length [m]
    real(wp) :: f(lanes)
    real(wp), dimension(lanes) :: low, high, ratio
    high = 1.0_wp/obukhov
    low = lower*high
    high = upper*high
    ratio = reach_of_heat(upper, obukhov)/reach_of_heat(lower, obukhov)
    if (any(high < 0.0_wp)) ratio = ratio*((1.0_wp + root_of_heat(low))/(1.0_wp + root_of_heat(high)))**2
    f = logarithm(ratio) + heat_beyond(high) - heat_beyond(low)
  end function heat_profile_between

  !> Height up to which the profile of heat is logarithmic with the Businger-Dyer function or linear [m].
  pure function reach_of_heat(z, obukhov) result(y)
    real(wp), intent(in) :: z(lanes)        !< height above the displacement [m]
    real(wp), intent(in) :: obukhov(lanes)  !< Obukhov length [m]
    real(wp) :: y(lanes)
    y = min(z, merge(convective_heat*obukhov, obukhov, obukhov < 0.0_wp))
  end function reach_of_heat

  !> Square of the x of the Businger-Dyer function of heat there; 1 in stable air [-].
  pure function root_of_heat(zeta) result(y)
    real(wp), intent(in) :: zeta(lanes)  !< height over Obukhov length [-]
    real(wp) :: y(lanes)
    y = sqrt(1.0_wp - 16.0_wp*min(0.0_wp, max(convective_heat, zeta)))
  end function root_of_heat

  !> What stability adds to the profile of heat: free convection, or stable air [-].
  pure function heat_beyond(zeta) result(y)
    real(wp), intent(in) :: zeta(lanes)  !< height over Obukhov length [-]
    real(wp) :: y(lanes)
    real(wp), dimension(lanes) :: size
    y = merge(5.0_wp*min(1.0_wp, zeta), 0.0_wp, zeta >= 0.0_wp)
    if (.not. any(zeta > 1.0_wp .or. zeta < convective_heat)) return
    size = logarithm(max(-convective_heat, abs(zeta)))
    y = merge(y + (5.0_wp*size + (zeta - 1.0_wp)), y, zeta > 1.0_wp)
    y = merge(0.8_wp*((-convective_heat)**(-convective_exponent) - exponential(-convective_exponent*size)), y, &
      zeta < convective_heat)
  end function heat_beyond

  !> Dimensionless gradient of temperature, the derivative of heat_profile times z [-].
  pure function heat_gradient(zeta) result(y)
    real(wp), intent(in) :: zeta(lanes)  !< height over Obukhov length [-]
    real(wp) :: y(lanes)
    y = merge(1.0_wp + 5.0_wp*zeta, 5.0_wp + zeta, zeta <= 1.0_wp)
    if (any(zeta < 0.0_wp)) y = merge(1.0_wp/sqrt(1.0_wp - 16.0_wp*min(0.0_wp, zeta)), y, zeta < 0.0_wp)
    if (any(zeta < convective_heat)) y = merge(0.9_wp*von_karman**(4.0_wp/3.0_wp) &
      *inverse_cube_root(max(-convective_heat, -zeta)), y, zeta < convective_heat)
  end function heat_gradient

  !> Obukhov length and effective wind from the bulk Richardson number; the differences are air minus surface.
  pure subroutine first_guess(air, z, roughness, temperature_difference, humidity_difference, wind, obukhov)
    type(air_block), intent(in) :: air                     !< atmosphere
    real(wp), intent(in) :: z(lanes)                       !< height of the wind above the displacement [m]
    real(wp), intent(in) :: roughness(lanes)               !< roughness length [m]
    real(wp), intent(in) :: temperature_difference(lanes)  !< air minus surface [K]
    real(wp), intent(in) :: humidity_difference(lanes)     !< air minus surface [kg kg-1]
    real(wp), intent(out) :: wind(lanes)                   !< effective wind, with convection [m s-1]
    real(wp), intent(out) :: obukhov(lanes)                !< Obukhov length [m]
    real(wp), dimension(lanes) :: virtual_difference, richardson, zeta, unstable, stable

    virtual_difference = temperature_difference*(1.0_wp + 0.61_wp*air%humidity) &
      + 0.61_wp*air%potential_temperature*humidity_difference
    wind = merge(max(air%wind, minimum_wind), sqrt(air%wind**2 + first_convective_velocity**2), virtual_difference >= 0.0_wp)
    richardson = gravity*z*virtual_difference/(air%virtual_potential_temperature*wind**2)
    zeta = richardson*logarithm(z/roughness)
    stable = min(2.0_wp, max(1.0e-6_wp, zeta/(1.0_wp - 5.0_wp*min(richardson, 0.19_wp))))
    unstable = max(-100.0_wp, min(-1.0e-6_wp, zeta))
    obukhov = z/merge(stable, unstable, richardson >= 0.0_wp)
  end subroutine first_guess

  !> Obukhov length and effective wind from the scales of the last iteration.
  pure subroutine update_stability(air, z, ustar, tstar, qstar, wind, obukhov)
    type(air_block), intent(in) :: air       !< atmosphere
    real(wp), intent(in) :: z(lanes)         !< height of the wind above the displacement [m]
    real(wp), intent(in) :: ustar(lanes)     !< friction velocity [m s-1]
    real(wp), intent(in) :: tstar(lanes)     !< scale of temperature [K]
    real(wp), intent(in) :: qstar(lanes)     !< scale of specific humidity [kg kg-1]
    real(wp), intent(out) :: wind(lanes)     !< effective wind, with convection [m s-1]
    real(wp), intent(out) :: obukhov(lanes)  !< Obukhov length [m]
    real(wp), dimension(lanes) :: buoyancy, zeta, convective_velocity

    buoyancy = gravity*(tstar*(1.0_wp + 0.61_wp*air%humidity) + 0.61_wp*air%potential_temperature*qstar) &
      /air%virtual_potential_temperature
    zeta = z*von_karman*buoyancy/ustar**2
    wind = max(air%wind, minimum_wind)
    if (any(zeta < 0.0_wp)) then
      convective_velocity = cube_root(max(0.0_wp, -ustar*buoyancy*boundary_layer_height))
      wind = merge(sqrt(air%wind**2 + convective_velocity**2), wind, zeta < 0.0_wp)
    end if
    zeta = merge(min(2.0_wp, max(1.0e-6_wp, zeta)), max(-100.0_wp, min(-1.0e-6_wp, zeta)), zeta >= 0.0_wp)
    obukhov = z/zeta
  end subroutine update_stability

  !> Roughness length of heat over ground [m].
  pure function heat_roughness(roughness, ustar) result(y)
    real(wp), intent(in) :: roughness(lanes)  !< roughness length [m]
    real(wp), intent(in) :: ustar(lanes)      !< friction velocity [m s-1]
    real(wp) :: y(lanes)
    y = roughness*exponential(-0.13_wp*power(ustar*roughness/air_viscosity, 0.45_wp))
  end function heat_roughness

  !> How far, 0 to 1, the air at screen height above a level is on its way to that at the reference height [-].
  pure function screen_share(level, z_top, to_screen, to_top) result(share)
    real(wp), intent(in) :: level(lanes)      !< height of the level above the displacement [m]
    real(wp), intent(in) :: z_top(lanes)      !< reference height above the displacement [m]
    real(wp), intent(in) :: to_screen(lanes)  !< integrated profile from the level to screen height above it [-]
    real(wp), intent(in) :: to_top(lanes)     !< integrated profile from the level to the reference height [-]
    real(wp) :: share(lanes)
    share = merge(to_screen/to_top, 1.0_wp, level + screen_height < z_top)
  end function screen_share

  !> Exchange of ground without vegetation; its stability and friction velocity are used for the air under a canopy.
  pure subroutine bare_ground_exchange(air, roughness, ground_temperature, ground_humidity, b)
    type(air_block), intent(in) :: air                 !< atmosphere
    real(wp), intent(in) :: roughness(lanes)           !< roughness length [m]
    real(wp), intent(in) :: ground_temperature(lanes)  !< [K]
    real(wp), intent(in) :: ground_humidity(lanes)     !< specific humidity at the ground [kg kg-1]
    type(bare_exchange), intent(out) :: b              !< exchange of the ground if it were bare
    real(wp), dimension(lanes) :: z_wind, z_temperature, z_humidity, dt, dq, wind, obukhov, previous, roughness_heat
    real(wp), dimension(lanes) :: ustar, to_heat, to_vapour, tstar, qstar, new_wind, new_obukhov, new_roughness, new_ustar
    real(wp), dimension(lanes) :: new_to_heat, new_to_vapour
    logical :: undecided(lanes)  ! about the sign of the Obukhov length: such lanes keep what they have
    integer :: i, l, sign_changes(lanes)

    z_wind = air%height_wind
    z_temperature = air%height_temperature
    z_humidity = air%height_humidity
    dt = air%temperature - ground_temperature
    dq = air%humidity - ground_humidity
    undecided = .false.
    sign_changes = 0
    roughness_heat = roughness
    call first_guess(air, z_wind, roughness, dt, dq, wind, obukhov)
    do i = 1, iterations
      if (i > 1) then
        new_roughness = heat_roughness(roughness, ustar)
        roughness_heat = merge(roughness_heat, new_roughness, undecided)
      end if
      new_ustar = von_karman*wind/momentum_profile(z_wind, roughness, obukhov)
      new_to_heat = heat_profile(z_temperature, roughness_heat, obukhov)
      new_to_vapour = new_to_heat
      if (any(air%height_humidity /= air%height_temperature)) new_to_vapour = heat_profile(z_humidity, roughness_heat, obukhov)
      ustar = merge(ustar, new_ustar, undecided)
      to_heat = merge(to_heat, new_to_heat, undecided)
      to_vapour = merge(to_vapour, new_to_vapour, undecided)
      tstar = von_karman*dt/to_heat
      qstar = von_karman*dq/to_vapour
      call update_stability(air, z_wind, ustar, tstar, qstar, new_wind, new_obukhov)
      do l = 1, lanes
        if (undecided(l)) cycle
        previous(l) = obukhov(l)
        wind(l) = new_wind(l)
        obukhov(l) = new_obukhov(l)
        if (previous(l)*obukhov(l) < 0.0_wp) sign_changes(l) = sign_changes(l) + 1
        undecided(l) = sign_changes(l) >= allowed_sign_changes
      end do
    end do
    b%heat_conductance = von_karman*ustar/to_heat
    b%vapour_conductance = von_karman*ustar/to_vapour
    b%screen_share = screen_share(roughness_heat, z_temperature, &
      heat_profile(roughness_heat + screen_height, roughness_heat, previous), to_heat)
    b%obukhov = obukhov
  end subroutine bare_ground_exchange
end module colm_similarity
