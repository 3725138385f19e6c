!> Ground albedo and the two-stream transfer of radiation through the canopy
!> (Dickinson 1983, Sellers 1985; sunlit and shaded leaves after Dai, Dickinson and Wang 2004).
!>
!> Equations (19) to (24) of docs/theory.md.
module colm_two_stream
  use colm_constants, only: wp, freezing_point, direct, diffuse, land_ice, open_water, least_canopy_area
  use colm_types, only: n_snow, n_band, column_parameters, column_state
  implicit none
  private
  public :: radiative_properties, leaf_projection, longwave_gap

  real(wp), parameter, public :: lowest_sun = 0.001_wp                   ! cosine of the zenith angle
  ! Dickinson et al. (1993)
  real(wp), parameter :: fresh_snow_albedo(n_band) = [0.85_wp, 0.65_wp]    !< [-]
  real(wp), parameter :: ageing_of_snow_albedo(n_band) = [0.2_wp, 0.5_wp]  !< [-]
  ! Oleson et al. (2013)
  real(wp), parameter :: ice_albedo(n_band) = [0.60_wp, 0.40_wp]  !< of ice without snow [-]
  ! Pivovarov (1972)
  real(wp), parameter :: water_diffuse_albedo = 0.10_wp  !< [-]
  ! empirical, as in the Common Land Model (Dai et al. 2003)
  real(wp), parameter :: night_extinction_direct = 1.0_wp     !< [-]
  real(wp), parameter :: night_extinction_diffuse = 0.718_wp  !< [-]
  real(wp), parameter :: day_extinction_diffuse = 0.719_wp    !< [-]

contains

  !> Albedo, absorption by sunlit and shaded leaves and extinction for the sun at mu.
  !> soil_water is the liquid volume fraction of the top layer, snow_gain the growth of snow water [kg m-2] in the step.
  pure subroutine radiative_properties(p, s, mu, soil_water, snow_gain, time_step)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(inout) :: s    !< state of the column
    real(wp), intent(in) :: mu                !< cosine of the sun's zenith angle [-]
    real(wp), intent(in) :: soil_water        !< liquid volume fraction of the top layer [-]
    real(wp), intent(in) :: snow_gain         !< growth of the snow water in the step [kg m-2]
    real(wp), intent(in) :: time_step         !< length of the step [s]
    real(wp) :: ground(2), area, leaf, stem, reflectance, transmittance
    integer :: band

    s%cosine_zenith = mu
    if (mu <= 0.0_wp) then
      ! the longwave gap keeps its last daytime value
      s%albedo = 1.0_wp
      s%sunlit_absorption = 0.0_wp
      s%shaded_absorption = 0.0_wp
      s%extinction_direct = night_extinction_direct
      s%extinction_diffuse = night_extinction_diffuse
      return
    end if

    call age_snow(s, snow_gain, time_step)
    s%extinction_diffuse = day_extinction_diffuse
    stem = s%stem_area*s%exposed_fraction
    area = s%leaf_area + stem
    if (area < least_canopy_area) then
      do band = 1, n_band
        s%albedo(:, band) = ground_albedo(p, s, mu, soil_water, band)
      end do
      s%sunlit_absorption = 0.0_wp
      s%shaded_absorption = 0.0_wp
      s%extinction_direct = night_extinction_direct
      s%longwave_gap = 1.0_wp
      return
    end if
    leaf = s%leaf_area/area
    s%longwave_gap = longwave_gap(p%leaf_angle, area)
    do band = 1, n_band
      ground = ground_albedo(p, s, mu, soil_water, band)
      reflectance = leaf*p%leaf_reflectance(band) + (1.0_wp - leaf)*p%stem_reflectance(band)
      transmittance = leaf*p%leaf_transmittance(band) + (1.0_wp - leaf)*p%stem_transmittance(band)
      call canopy_transfer(p%leaf_angle, area, reflectance, transmittance, max(mu, lowest_sun), ground, &
        s%albedo(:, band), s%sunlit_absorption(:, band), s%shaded_absorption(:, band), s%extinction_direct)
    end do
  end subroutine radiative_properties

  !> Ross-Goudriaan coefficients: projection of leaves towards mu is phi(1) + phi(2) mu.
  pure function leaf_projection(chi) result(phi)
    real(wp), intent(in) :: chi  !< departure of leaf angles from a spherical distribution [-]
    real(wp) :: phi(2), x
    x = chi
    if (abs(x) <= 0.01_wp) x = 0.01_wp
    phi(1) = 0.5_wp - 0.633_wp*x - 0.33_wp*x**2
    phi(2) = 0.877_wp*(1.0_wp - 2.0_wp*phi(1))
  end function leaf_projection

  !> Mean inverse optical depth of diffuse light.
  pure real(wp) function inverse_diffuse_depth(phi)
    real(wp), intent(in) :: phi(2)  !< coefficients of the projection [-]
    inverse_diffuse_depth = (1.0_wp - phi(1)/phi(2)*log((phi(1) + phi(2))/phi(1)))/phi(2)
  end function inverse_diffuse_depth

  !> Share of longwave radiation that passes the canopy [-].
  pure real(wp) function longwave_gap(chi, area)
    real(wp), intent(in) :: chi   !< departure of leaf angles from a spherical distribution [-]
    real(wp), intent(in) :: area  !< of leaves and stems [m2 m-2]
    longwave_gap = exp(-min(50.0_wp, max(1.0e-5_wp, area/inverse_diffuse_depth(leaf_projection(chi)))))
  end function longwave_gap

  !> Albedo of the ground, direct and diffuse [-]: equations (19) and (20).
  pure function ground_albedo(p, s, mu, soil_water, band) result(albedo)
    type(column_parameters), intent(in) :: p  !< constants of the column
    type(column_state), intent(in) :: s       !< state of the column
    real(wp), intent(in) :: mu                !< cosine of the sun's zenith angle [-]
    real(wp), intent(in) :: soil_water        !< liquid volume fraction of the top layer [-]
    integer, intent(in) :: band               !< visible or near infrared
    real(wp) :: albedo(2), bare(2), snow_diffuse, snow_direct, grazing

    if (p%ground == land_ice .or. (p%ground == open_water .and. s%ice(n_snow + 1) > 0.0_wp)) then
      bare = ice_albedo(band)
    else if (p%ground == open_water) then
      bare = [0.05_wp/(mu + 0.15_wp), water_diffuse_albedo]
    else
      bare = min(p%albedo_dry(band), p%albedo_saturated(band) + max(0.11_wp - 0.40_wp*soil_water, 0.0_wp))
    end if
    snow_diffuse = fresh_snow_albedo(band)*(1.0_wp - ageing_of_snow_albedo(band)*(1.0_wp - 1.0_wp/(1.0_wp + s%snow_age)))
    grazing = max(0.0_wp, 1.5_wp/(1.0_wp + 4.0_wp*mu) - 0.5_wp)
    snow_direct = snow_diffuse + 0.4_wp*grazing*(1.0_wp - snow_diffuse)
    albedo(direct) = (1.0_wp - s%snow_fraction)*bare(direct) + s%snow_fraction*snow_direct
    albedo(diffuse) = (1.0_wp - s%snow_fraction)*bare(diffuse) + s%snow_fraction*snow_diffuse
  end function ground_albedo

  !> Ageing of the snow surface (Dickinson et al. 1993, Yang et al. 1997).
  pure subroutine age_snow(s, snow_gain, time_step)
    type(column_state), intent(inout) :: s  !< state of the column
    real(wp), intent(in) :: snow_gain       !< growth of the snow water in the step [kg m-2]
    real(wp), intent(in) :: time_step       !< length of the step [s]
    real(wp) :: arg, growth

    if (s%snow_layers == 0 .or. s%snow_water > 800.0_wp) s%snow_age = 0.0_wp   ! bulk snow is always fresh
    if (s%snow_water <= 0.0_wp .or. s%snow_water > 800.0_wp) return
    arg = 5000.0_wp*(1.0_wp/freezing_point - 1.0_wp/top_temperature(s))
    growth = 1.0e-6_wp*time_step*(exp(arg) + exp(min(0.0_wp, 10.0_wp*arg)) + 0.3_wp)
    s%snow_age = max(0.0_wp, (s%snow_age + growth)*(1.0_wp - 0.1_wp*max(0.0_wp, snow_gain)))
  end subroutine age_snow

  !> Temperature of the top layer [K].
  pure real(wp) function top_temperature(s)
    type(column_state), intent(in) :: s  !< state of the column
    top_temperature = s%temperature(n_snow + 1 - s%snow_layers)
  end function top_temperature

  !> Transfer of one band through a canopy of given leaf and stem area over ground of given albedo.
  !>
  !> With x the cumulative area from the top, upward and downward diffuse fluxes obey
  !>   m dU/dx = b U - c D - d exp(-K x),   -m dD/dx = b D - c U - f exp(-K x)
  !> with general solution: a particular part ~ exp(-K x) plus modes exp(-h x) (from above) and exp(-h (A - x)) (from below),
  !> so that no exponential can grow.
  pure subroutine canopy_transfer(chi, area, reflectance, transmittance, mu, ground, albedo, sunlit, shaded, extinction)
    real(wp), intent(in) :: chi            !< departure of leaf angles from a spherical distribution [-]
    real(wp), intent(in) :: area           !< of leaves and stems [m2 m-2]
    real(wp), intent(in) :: reflectance    !< of leaves and stems [-]
    real(wp), intent(in) :: transmittance  !< of leaves and stems [-]
    real(wp), intent(in) :: mu             !< cosine of the sun's zenith angle [-]
    real(wp), intent(in) :: ground(2)      !< albedo of the ground, direct and diffuse [-]
    real(wp), intent(out) :: albedo(2)     !< direct and diffuse [-]
    real(wp), intent(out) :: sunlit(2)     !< absorbed by sunlit leaves, direct and diffuse [-]
    real(wp), intent(out) :: shaded(2)     !< absorbed by shaded leaves, direct and diffuse [-]
    real(wp), intent(out) :: extinction    !< of the direct beam per area [m2 m-2]
    real(wp) :: phi(2), projection, k, m, omega, b, c, h, r, d, f, beta, single, determinant
    real(wp) :: up, down, beam, mode, from_above, from_below, canopy, into_sunlit, x
    real(wp) :: weight_beam, weight_above, weight_below

    phi = leaf_projection(chi)
    projection = phi(1) + phi(2)*mu
    k = projection/mu
    extinction = k
    m = inverse_diffuse_depth(phi)
    omega = reflectance + transmittance

    ! scattering: isotropic part (c), forward part (b), single scattering of the beam into the upward stream (beta)
    c = 0.5_wp*(omega + (reflectance - transmittance)*((1.0_wp + chi)/2.0_wp)**2)
    b = 1.0_wp - omega + c
    h = sqrt(b**2 - c**2)/m
    r = c/(b + h*m)
    x = mu*phi(1)/(projection + mu*phi(2))
    single = 0.5_wp*omega*projection/(projection + mu*phi(2))*(1.0_wp - x*log((x + 1.0_wp)/x))
    beta = (1.0_wp + m*k)/(omega*m*k)*single
    d = omega*m*k*beta
    f = omega*m*k*(1.0_wp - beta)

    determinant = b**2 - c**2 - (k*m)**2
    if (abs(determinant) < 1.0e-10_wp) determinant = 1.0e-10_wp  ! resonance: beam and mode decay alike
    up = (d*(b - k*m) + c*f)/determinant
    down = (f*(b + k*m) + c*d)/determinant

    beam = exp(-min(50.0_wp, k*area))
    mode = exp(-min(50.0_wp, h*area))
    ! integrals of the three parts against exp(-K x), the probability of being sunlit
    weight_beam = (1.0_wp - beam**2)/(2.0_wp*k)
    weight_above = (1.0_wp - beam*mode)/(k + h)
    if (abs(k - h) > 1.0e-6_wp) then
      weight_below = (mode - beam)/(k - h)
    else
      weight_below = area*beam
    end if

    ! direct beam: no diffuse light from above
    call boundary(-down, (ground(direct) + ground(diffuse)*down - up)*beam, from_above, from_below)
    albedo(direct) = up + r*from_above + mode*from_below
    canopy = 1.0_wp - albedo(direct) - (1.0_wp - ground(direct))*beam &
      - (1.0_wp - ground(diffuse))*(down*beam + mode*from_above + r*from_below)
    into_sunlit = (up + down)*weight_beam + (1.0_wp + r)*(from_above*weight_above + from_below*weight_below)
    sunlit(direct) = (1.0_wp - omega)*(1.0_wp - beam + into_sunlit/m)
    shaded(direct) = canopy - sunlit(direct)

    ! diffuse light from above, no source inside
    call boundary(1.0_wp, 0.0_wp, from_above, from_below)
    albedo(diffuse) = r*from_above + mode*from_below
    canopy = 1.0_wp - albedo(diffuse) - (1.0_wp - ground(diffuse))*(mode*from_above + r*from_below)
    into_sunlit = (1.0_wp + r)*(from_above*weight_above + from_below*weight_below)
    sunlit(diffuse) = (1.0_wp - omega)*into_sunlit/m
    shaded(diffuse) = canopy - sunlit(diffuse)

  contains

    !> Mode amplitudes from: downward modes at the top = top; upward minus reflected downward modes at the ground = bottom.
    pure subroutine boundary(top, bottom, above, below)
      real(wp), intent(in) :: top     !< downward modes at the top [-]
      real(wp), intent(in) :: bottom  !< upward less reflected downward modes at the ground [-]
      real(wp), intent(out) :: above  !< amplitude of the mode from above [-]
      real(wp), intent(out) :: below  !< amplitude of the mode from below [-]
      real(wp) :: a21, a22
      a21 = (r - ground(diffuse))*mode
      a22 = 1.0_wp - ground(diffuse)*r
      below = (bottom - a21*top)/(a22 - a21*r*mode)
      above = top - r*mode*below
    end subroutine boundary
  end subroutine canopy_transfer
end module colm_two_stream
