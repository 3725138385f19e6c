!> Physical constants and the numbers of the Common Land Model that no user is expected to change (SI units).
module colm_constants
  use, intrinsic :: iso_fortran_env, only: real64
  use vector_math, only: lanes
  implicit none
  private
  public :: lanes  ! columns that are computed side by side

  integer, parameter, public :: wp = real64
  integer, parameter, public :: group = 8  !< blocks of so many columns that a thread takes at a time

  ! Spectral bands and beams.
  integer, parameter, public :: visible = 1, near_infrared = 2
  integer, parameter, public :: direct = 1, diffuse = 2

  real(wp), parameter, public :: pi = 3.14159265358979323846_wp                 !< [-]
  real(wp), parameter, public :: freezing_point = 273.16_wp                     !< [K]
  real(wp), parameter, public :: density_water = 1000.0_wp                      !< [kg m-3]
  real(wp), parameter, public :: density_ice = 917.0_wp                         !< [kg m-3]
  real(wp), parameter, public :: heat_capacity_water = 4188.0_wp                !< [J kg-1 K-1]
  real(wp), parameter, public :: heat_capacity_ice = 2117.27_wp                 !< [J kg-1 K-1]
  real(wp), parameter, public :: heat_capacity_air = 1004.64_wp                 !< [J kg-1 K-1]
  real(wp), parameter, public :: latent_heat_fusion = 3.336e5_wp                !< [J kg-1]
  real(wp), parameter, public :: latent_heat_vaporisation = 2.5104e6_wp         !< [J kg-1]
  real(wp), parameter, public :: latent_heat_sublimation = 2.844e6_wp           !< [J kg-1]
  real(wp), parameter, public :: gas_constant_dry_air = 287.04_wp               !< [J kg-1 K-1]
  real(wp), parameter, public :: gravity = 9.80616_wp                           !< [m s-2]
  real(wp), parameter, public :: von_karman = 0.4_wp                            !< [-]
  real(wp), parameter, public :: stefan_boltzmann = 5.67e-8_wp                  !< [W m-2 K-4]
  real(wp), parameter, public :: vapour_gas_constant_over_gravity = 47104.7_wp  !< of water vapour [mm K-1]

  ! empirical, as in the Common Land Model (Dai et al. 2003), but for what is named
  real(wp), parameter, public :: roughness_soil = 0.01_wp          !< [m]
  real(wp), parameter, public :: roughness_snow = 0.0024_wp        !< [m]
  real(wp), parameter, public :: roughness_ice = 0.001_wp          !< bare ice, Subin et al. (2012) [m]
  real(wp), parameter, public :: roughness_water = 4.0e-4_wp       !< inland water [m]
  real(wp), parameter, public :: canopy_storage_per_area = 0.1_wp  !< per area of leaf and stem [kg m-2]
  real(wp), parameter, public :: transpiration_limit = 2.0e-4_wp   !< of unstressed vegetation [kg m-2 s-1]
  ! share of the top layer's nominal distance that sets its thermal inertia: Dai et al. (2003)
  real(wp), parameter, public :: top_layer_inertia = 0.34_wp      !< [-]
  real(wp), parameter, public :: crank_nicolson = 0.5_wp          !< weight of the start of the step [-]
  real(wp), parameter, public :: oxygen_fraction = 0.209_wp       !< [mol mol-1]
  real(wp), parameter, public :: minimum_wind = 0.1_wp            !< [m s-1]
  real(wp), parameter, public :: dry_adiabatic_lapse = 0.0098_wp  !< [K m-1]
  real(wp), parameter, public :: screen_height = 2.0_wp           !< of a weather station's screen [m]
  real(wp), parameter, public :: least_canopy_area = 1.0e-6_wp    !< less is no canopy [m2 m-2]

  ! choices of `step_options`
  integer, parameter, public :: no_evaporation_factor = 0, cosine_evaporation_factor = 2
  integer, parameter, public :: stress_by_head = 1, stress_by_saturation = 2

  ! what lies below the surface; urban ground is soil
  integer, parameter, public :: soil = 0, wetland = 2, land_ice = 3, open_water = 4
end module colm_constants
