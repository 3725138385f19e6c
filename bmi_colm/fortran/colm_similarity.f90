!> Monin-Obukhov similarity in the atmospheric surface layer (Zeng, Dickinson and Zhao 1998).
!>
!> Equations (29) to (31) of docs/theory.md.
module colm_similarity
  use colm_constants, only: wp, pi, gravity, von_karman, minimum_wind, screen_height
  implicit none
  private
  public :: air_column, bare_exchange, momentum_profile, heat_profile, heat_gradient, first_guess, update_stability
  public :: bare_ground_exchange, heat_roughness, screen_share

  !> Atmosphere at the reference heights, as the surface layer needs it.
  type :: air_column
    real(wp) :: height_wind                    !< height of the wind above the ground [m]
    real(wp) :: height_temperature             !< height of the temperature above the ground [m]
    real(wp) :: height_humidity                !< height of the humidity above the ground [m]
    real(wp) :: wind                           !< at least minimum_wind [m s-1]
    real(wp) :: temperature                    !< raised dry-adiabatically to the ground [K]
    real(wp) :: potential_temperature          !< [K]
    real(wp) :: virtual_potential_temperature  !< [K]
    real(wp) :: humidity                       !< specific humidity [kg kg-1]
    real(wp) :: pressure                       !< [Pa]
    real(wp) :: density                        !< [kg m-3]
  end type air_column

  !> Exchange between ground without vegetation and the air at the reference heights.
  type :: bare_exchange
    real(wp) :: obukhov             !< Obukhov length [m]
    real(wp) :: heat_conductance    !< [m s-1]
    real(wp) :: vapour_conductance  !< [m s-1]
    real(wp) :: screen_share        !< of the way from the ground to the reference height, 0 to 1 [-]
  end type bare_exchange

  ! Zeng, Dickinson and Zhao (1998)
  real(wp), parameter :: convective_momentum = -1.574_wp     !< zeta of free convection, wind [-]
  real(wp), parameter :: convective_heat = -0.465_wp         !< zeta of free convection, heat [-]
  real(wp), parameter :: boundary_layer_height = 1000.0_wp   !< [m]
  real(wp), parameter :: first_convective_velocity = 0.5_wp  !< [m s-1]
  real(wp), parameter :: air_viscosity = 1.5e-5_wp           !< kinematic [m2 s-1]
  integer, parameter :: iterations = 6, allowed_sign_changes = 4

contains

  !> Integrated profile of wind from the roughness length to z: u = u*/kappa F.
  pure real(wp) function momentum_profile(z, roughness, obukhov) result(f)
    real(wp), intent(in) :: z          !< height above the displacement [m]
    real(wp), intent(in) :: roughness  !< roughness length [m]
    real(wp), intent(in) :: obukhov    !< Obukhov length [m]
    real(wp) :: zeta

    zeta = z/obukhov
    if (zeta < convective_momentum) then
      f = log(convective_momentum*obukhov/roughness) - psi_momentum(convective_momentum) + psi_momentum(roughness/obukhov) &
        + 1.14_wp*((-zeta)**0.333_wp - (-convective_momentum)**0.333_wp)
    else if (zeta < 0.0_wp) then
      f = log(z/roughness) - psi_momentum(zeta) + psi_momentum(roughness/obukhov)
    else
      f = stable_profile(z, roughness, obukhov)
    end if
  end function momentum_profile

  !> The same for temperature or humidity.
  pure real(wp) function heat_profile(z, roughness, obukhov) result(f)
    real(wp), intent(in) :: z          !< height above the displacement [m]
    real(wp), intent(in) :: roughness  !< roughness length [m]
    real(wp), intent(in) :: obukhov    !< Obukhov length [m]
    real(wp) :: zeta

    zeta = z/obukhov
    if (zeta < convective_heat) then
      f = log(convective_heat*obukhov/roughness) - psi_heat(convective_heat) + psi_heat(roughness/obukhov) &
        + 0.8_wp*((-convective_heat)**(-0.333_wp) - (-zeta)**(-0.333_wp))
    else if (zeta < 0.0_wp) then
      f = log(z/roughness) - psi_heat(zeta) + psi_heat(roughness/obukhov)
    else
      f = stable_profile(z, roughness, obukhov)
    end if
  end function heat_profile

  !> The same for both in stable air [-].
  pure real(wp) function stable_profile(z, roughness, obukhov) result(f)
    real(wp), intent(in) :: z          !< height above the displacement [m]
    real(wp), intent(in) :: roughness  !< roughness length [m]
    real(wp), intent(in) :: obukhov    !< Obukhov length [m]
    real(wp) :: zeta
    zeta = z/obukhov
    if (zeta <= 1.0_wp) then
      f = log(z/roughness) + 5.0_wp*zeta - 5.0_wp*roughness/obukhov
    else
      f = log(obukhov/roughness) + 5.0_wp - 5.0_wp*roughness/obukhov + 5.0_wp*log(zeta) + zeta - 1.0_wp
    end if
  end function stable_profile

  !> Businger-Dyer function of wind in unstable air [-].
  pure real(wp) function psi_momentum(zeta)
    real(wp), intent(in) :: zeta  !< height over Obukhov length [-]
    real(wp) :: x, x2
    x2 = sqrt(1.0_wp - 16.0_wp*zeta)
    x = sqrt(x2)
    psi_momentum = log((0.5_wp*(1.0_wp + x))**2*(0.5_wp*(1.0_wp + x2))) - 2.0_wp*atan(x) + 0.5_wp*pi
  end function psi_momentum

  !> Businger-Dyer function of heat in unstable air [-].
  pure real(wp) function psi_heat(zeta)
    real(wp), intent(in) :: zeta  !< height over Obukhov length [-]
    psi_heat = 2.0_wp*log(0.5_wp*(1.0_wp + sqrt(1.0_wp - 16.0_wp*zeta)))
  end function psi_heat

  !> Dimensionless gradient of temperature, the derivative of heat_profile times z.
  pure real(wp) function heat_gradient(zeta)
    real(wp), intent(in) :: zeta  !< height over Obukhov length [-]
    if (zeta < convective_heat) then
      heat_gradient = 0.9_wp*von_karman**(4.0_wp/3.0_wp)*(-zeta)**(-1.0_wp/3.0_wp)
    else if (zeta < 0.0_wp) then
      heat_gradient = 1.0_wp/sqrt(1.0_wp - 16.0_wp*zeta)
    else if (zeta <= 1.0_wp) then
      heat_gradient = 1.0_wp + 5.0_wp*zeta
    else
      heat_gradient = 5.0_wp + zeta
    end if
  end function heat_gradient

  !> Obukhov length and effective wind from the bulk Richardson number.
  !> z is the wind height above the displacement; the differences are air minus surface.
  pure subroutine first_guess(air, z, roughness, temperature_difference, humidity_difference, wind, obukhov)
    type(air_column), intent(in) :: air             !< atmosphere
    real(wp), intent(in) :: z                       !< height above the displacement [m]
    real(wp), intent(in) :: roughness               !< roughness length [m]
    real(wp), intent(in) :: temperature_difference  !< air minus surface [K]
    real(wp), intent(in) :: humidity_difference     !< air minus surface [kg kg-1]
    real(wp), intent(out) :: wind                   !< effective wind, with convection [m s-1]
    real(wp), intent(out) :: obukhov                !< Obukhov length [m]
    real(wp) :: virtual_difference, richardson, zeta

    virtual_difference = temperature_difference*(1.0_wp + 0.61_wp*air%humidity) &
      + 0.61_wp*air%potential_temperature*humidity_difference
    if (virtual_difference >= 0.0_wp) then
      wind = max(air%wind, minimum_wind)
    else
      wind = sqrt(air%wind**2 + first_convective_velocity**2)
    end if
    richardson = gravity*z*virtual_difference/(air%virtual_potential_temperature*wind**2)
    if (richardson >= 0.0_wp) then
      zeta = min(2.0_wp, max(1.0e-6_wp, richardson*log(z/roughness)/(1.0_wp - 5.0_wp*min(richardson, 0.19_wp))))
    else
      zeta = max(-100.0_wp, min(-1.0e-6_wp, richardson*log(z/roughness)))
    end if
    obukhov = z/zeta
  end subroutine first_guess

  !> Obukhov length and effective wind from the scales of the last iteration.
  pure subroutine update_stability(air, z, ustar, tstar, qstar, wind, obukhov)
    type(air_column), intent(in) :: air  !< atmosphere
    real(wp), intent(in) :: z            !< height above the displacement [m]
    real(wp), intent(in) :: ustar        !< friction velocity [m s-1]
    real(wp), intent(in) :: tstar        !< scale of temperature [K]
    real(wp), intent(in) :: qstar        !< scale of specific humidity [kg kg-1]
    real(wp), intent(out) :: wind        !< effective wind, with convection [m s-1]
    real(wp), intent(out) :: obukhov     !< Obukhov length [m]
    real(wp) :: virtual_scale, zeta, convective_velocity

    virtual_scale = tstar*(1.0_wp + 0.61_wp*air%humidity) + 0.61_wp*air%potential_temperature*qstar
    zeta = z*von_karman*gravity*virtual_scale/(ustar**2*air%virtual_potential_temperature)
    if (zeta >= 0.0_wp) then
      zeta = min(2.0_wp, max(zeta, 1.0e-6_wp))
      wind = max(air%wind, minimum_wind)
    else
      zeta = max(-100.0_wp, min(zeta, -1.0e-6_wp))
      convective_velocity = (-gravity*ustar*virtual_scale*boundary_layer_height/air%virtual_potential_temperature) &
        **(1.0_wp/3.0_wp)
      wind = sqrt(air%wind**2 + convective_velocity**2)
    end if
    obukhov = z/zeta
  end subroutine update_stability

  !> Roughness length of heat over ground.
  pure real(wp) function heat_roughness(roughness, ustar)
    real(wp), intent(in) :: roughness  !< roughness length [m]
    real(wp), intent(in) :: ustar      !< friction velocity [m s-1]
    heat_roughness = roughness*exp(-0.13_wp*(ustar*roughness/air_viscosity)**0.45_wp)
  end function heat_roughness

  !> How far, 0..1, the air at screen height above a level is on its way to that at the reference height z_top;
  !> both heights and profiles as in heat_profile, between the level and z_top it has grown by to_top.
  pure real(wp) function screen_share(level, z_top, profile_at_level, to_top, roughness, obukhov) result(share)
    real(wp), intent(in) :: level             !< height of the level [m]
    real(wp), intent(in) :: z_top             !< reference height [m]
    real(wp), intent(in) :: profile_at_level  !< integrated profile up to the level [-]
    real(wp), intent(in) :: to_top            !< integrated profile from the level to the reference height [-]
    real(wp), intent(in) :: roughness         !< roughness length [m]
    real(wp), intent(in) :: obukhov           !< Obukhov length [m]
    share = 1.0_wp
    if (level + screen_height < z_top) &
      share = (heat_profile(level + screen_height, roughness, obukhov) - profile_at_level)/to_top
  end function screen_share

  !> Exchange of ground without vegetation; its stability and friction velocity are used for the air under a canopy.
  pure subroutine bare_ground_exchange(air, roughness, ground_temperature, ground_humidity, b)
    type(air_column), intent(in) :: air         !< atmosphere
    real(wp), intent(in) :: roughness           !< roughness length [m]
    real(wp), intent(in) :: ground_temperature  !< [K]
    real(wp), intent(in) :: ground_humidity     !< specific humidity at the ground [kg kg-1]
    type(bare_exchange), intent(out) :: b       !< exchange of the ground if it were bare
    real(wp) :: wind, roughness_heat, ustar, tstar, qstar, obukhov, previous, dt, dq, to_heat, to_vapour
    integer :: i, sign_changes

    dt = air%temperature - ground_temperature
    dq = air%humidity - ground_humidity
    roughness_heat = roughness
    sign_changes = 0
    call first_guess(air, air%height_wind, roughness, dt, dq, wind, obukhov)
    do i = 1, iterations
      if (i > 1) roughness_heat = heat_roughness(roughness, ustar)
      ustar = von_karman*wind/momentum_profile(air%height_wind, roughness, obukhov)
      to_heat = heat_profile(air%height_temperature, roughness_heat, obukhov)
      to_vapour = to_heat
      if (air%height_humidity /= air%height_temperature) &
        to_vapour = heat_profile(air%height_humidity, roughness_heat, obukhov)
      tstar = von_karman*dt/to_heat
      qstar = von_karman*dq/to_vapour
      previous = obukhov
      call update_stability(air, air%height_wind, ustar, tstar, qstar, wind, obukhov)
      if (previous*obukhov < 0.0_wp) sign_changes = sign_changes + 1
      if (sign_changes >= allowed_sign_changes) exit
    end do
    b%heat_conductance = von_karman*ustar/to_heat
    b%vapour_conductance = von_karman*ustar/to_vapour
    b%screen_share = screen_share(roughness_heat, air%height_temperature, 0.0_wp, to_heat, roughness_heat, previous)
    b%obukhov = obukhov
  end subroutine bare_ground_exchange
end module colm_similarity
