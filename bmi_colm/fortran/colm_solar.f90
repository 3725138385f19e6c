!> Position of the sun and the split of global radiation into beams and bands.
!>
!> Equations (17) and (18) of docs/theory.md.
module colm_solar
  use colm_constants, only: wp, pi, visible, near_infrared, direct, diffuse
  use colm_types, only: n_band, n_beam
  implicit none
  private
  public :: sun_position, position_of_sun, cosine_of_zenith, split_shortwave

  !> Where the sun is, from anywhere on the Earth.
  type :: sun_position
    real(wp) :: hour_angle          !< since midnight, at longitude 0 [rad]
    real(wp) :: sine, cosine        !< of the declination [-]
  end type sun_position

  ! Orbit of Berger (1978), truncated to the terms that matter for hourly radiation.
  real(wp), parameter :: days_per_year = 365.0_wp          !< [d]
  real(wp), parameter :: vernal_equinox = 80.5_wp          !< day of the year [d]
  real(wp), parameter :: eccentricity = 0.01672393084_wp   !< [-]
  real(wp), parameter :: obliquity = 0.409214646_wp        !< [rad]
  real(wp), parameter :: mean_longitude = -0.032625366_wp  !< at the vernal equinox [rad]
  real(wp), parameter :: perihelion = 4.92251015_wp        !< longitude of the moving perihelion plus pi [rad]

contains

  !> Position of the sun at a time of the year.
  pure type(sun_position) function position_of_sun(calendar_day) result(sun)
    real(wp), intent(in) :: calendar_day  !< day of the year, UTC, 1 January 00 h is 1.0 [d]
    real(wp) :: mean, anomaly, true, declination

    mean = mean_longitude + (calendar_day - vernal_equinox)*2.0_wp*pi/days_per_year
    anomaly = mean - perihelion
    true = mean + eccentricity*(2.0_wp*sin(anomaly) &
      + eccentricity*(1.25_wp*sin(2.0_wp*anomaly) &
      + eccentricity*(13.0_wp/12.0_wp*sin(3.0_wp*anomaly) - 0.25_wp*sin(anomaly))))
    declination = asin(sin(obliquity)*sin(true))
    sun%hour_angle = 2.0_wp*pi*calendar_day
    sun%sine = sin(declination)
    sun%cosine = cos(declination)
  end function position_of_sun

  !> Cosine of the solar zenith angle, 0 below the horizon.
  pure real(wp) function cosine_of_zenith(sun, latitude, longitude) result(mu)
    type(sun_position), intent(in) :: sun  !< position of the sun
    real(wp), intent(in) :: latitude       !< [rad]
    real(wp), intent(in) :: longitude      !< [rad]
    mu = sin(latitude)*sun%sine - cos(latitude)*sun%cosine*cos(sun%hour_angle + longitude)
    mu = min(1.0_wp, max(0.0_wp, mu))
  end function cosine_of_zenith

  !> Direct and diffuse, visible and near infrared radiation [W m-2] from the global one.
  pure subroutine split_shortwave(shortwave, mu, parts)
    real(wp), intent(in) :: shortwave               !< global radiation [W m-2]
    real(wp), intent(in) :: mu                      !< cosine of the sun's zenith angle [-]
    real(wp), intent(out) :: parts(n_beam, n_band)  !< by beam and band [W m-2]
    real(wp) :: cloud, clear_diffuse, f, v

    cloud = 0.58_wp
    if (mu > 0.0_wp) cloud = min(1.0_wp, max(0.58_wp, (1160.0_wp*mu - shortwave)/(963.0_wp*mu)))
    ! the fit has a pole at mu = 0.0223; a lower sun gives no diffuse light under a clear sky
    clear_diffuse = 0.0_wp
    if (mu /= 0.0223_wp) clear_diffuse = min(1.0_wp, max(0.0_wp, 0.0604_wp/(mu - 0.0223_wp) + 0.0683_wp))
    f = clear_diffuse + (1.0_wp - clear_diffuse)*cloud
    v = (580.0_wp - 464.0_wp*cloud)/((580.0_wp - 499.0_wp*cloud) + (580.0_wp - 464.0_wp*cloud))

    parts(direct, visible) = (1.0_wp - f)*v*shortwave
    parts(direct, near_infrared) = (1.0_wp - f)*(1.0_wp - v)*shortwave
    parts(diffuse, visible) = f*v*shortwave
    parts(diffuse, near_infrared) = f*(1.0_wp - v)*shortwave
  end subroutine split_shortwave
end module colm_solar
