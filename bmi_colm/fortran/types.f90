!> What one column consists of. The flat arrays of the interface are unpacked into these types column by column.
module colm_types
  use colm_constants, only: wp, n_snow, n_soil, n_layer, n_band, n_beam
  implicit none
  private
  public :: column_parameters, column_state, column_forcing, column_fluxes, model_options

  !> Choices and heights that hold for all columns, and the clock of the step.
  type :: model_options
    real(wp) :: time_step                     ! s
    real(wp) :: calendar_day                  ! day of the year at the START of the step, 1 January 00 UTC = 1.0
    real(wp) :: calendar_day_end              ! the same at the end of the step
    real(wp) :: carbon_dioxide                ! mole fraction, mol mol-1
    real(wp) :: height_wind                   ! m
    real(wp) :: height_temperature            ! m
    real(wp) :: height_humidity               ! m
    integer :: evaporation_factor             ! 0 none, 1 linear, 2 cosine
    integer :: water_stress                   ! 0 none, 1 pressure head, 2 saturation
    real(wp) :: wilting_point                 ! m (stress 1) or saturation (stress 2)
    real(wp) :: field_capacity                ! m (stress 1) or saturation (stress 2)
    real(wp) :: residual_saturation           ! of the evaporation factor
    real(wp) :: lowest_head                   ! m, heads below are taken as this
    logical :: conserve_frozen_water          ! ice is part of the water that saturation stands for; nothing is lost
    logical :: published_numerics             ! reproduce oddities of the published library's numerics
    logical :: first_step                     ! cold start: radiation and phenology have not been computed yet
    logical :: update_phenology               ! leaf area is renewed at the end of this step
  end type model_options

  !> Constants of a column: place, vegetation, soil.
  type :: column_parameters
    real(wp) :: latitude, longitude           ! rad
    integer :: ground                         ! what lies below the surface: soil, wetland, land_ice, open_water
    ! vegetation
    real(wp) :: canopy_height                 ! m
    real(wp) :: leaf_angle                    ! departure from spherical, -
    real(wp) :: leaf_reflectance(n_band), stem_reflectance(n_band)
    real(wp) :: leaf_transmittance(n_band), stem_transmittance(n_band)
    real(wp) :: inverse_root_leaf_size        ! m-1/2
    real(wp) :: carboxylation_capacity        ! Vmax at 25 C, mol m-2 s-1
    real(wp) :: quantum_efficiency            ! mol CO2 per mol quanta
    real(wp) :: heat_stress_slope             ! K-1
    real(wp) :: heat_stress_temperature       ! K
    real(wp) :: water_cost_of_carbon          ! mol mol-1
    real(wp) :: initial_roughness_ratio       ! roughness length over canopy height before the first step
    real(wp) :: leaf_area_maximum, leaf_area_minimum, stem_area
    real(wp) :: root_fraction(n_soil)
    ! soil
    real(wp) :: albedo_saturated(n_band), albedo_dry(n_band)
    real(wp) :: thickness(n_soil)             ! m
    real(wp) :: porosity(n_soil)
    real(wp) :: heat_capacity_solids(n_soil)  ! J m-3 K-1 of bulk soil
    real(wp) :: conductivity_dry(n_soil)      ! W m-1 K-1
    real(wp) :: conductivity_saturated(n_soil)
    real(wp) :: conductivity_saturated_frozen(n_soil)
    real(wp) :: kersten_exponent_wet(n_soil), kersten_exponent_shape(n_soil), kersten_exponent_frozen(n_soil)
    real(wp) :: kersten_beta(n_soil)
  end type column_parameters

  !> What a column remembers between steps.
  type :: column_state
    real(wp) :: temperature(n_layer)          ! K
    real(wp) :: liquid(n_layer)               ! kg m-2
    real(wp) :: ice(n_layer)                  ! kg m-2
    real(wp) :: snow_thickness(n_snow)        ! m
    integer :: snow_layers
    real(wp) :: leaf_temperature              ! K
    real(wp) :: canopy_water                  ! kg m-2
    real(wp) :: snow_water                    ! kg m-2, layers and bulk
    real(wp) :: snow_depth                    ! m
    real(wp) :: snow_fraction
    real(wp) :: snow_age
    real(wp) :: leaf_area, stem_area          ! m2 m-2, stem before burial by snow
    real(wp) :: exposed_fraction              ! of the stems, not buried
    real(wp) :: roughness_length              ! m, momentum
    ! radiation for the sun at the start of the coming step
    real(wp) :: cosine_zenith
    real(wp) :: albedo(n_beam, n_band)
    real(wp) :: sunlit_absorption(n_beam, n_band), shaded_absorption(n_beam, n_band)  ! share of the incoming
    real(wp) :: longwave_gap                  ! share of longwave radiation that passes the canopy
    real(wp) :: extinction_direct, extinction_diffuse
  end type column_state

  !> Atmosphere of one step.
  type :: column_forcing
    real(wp) :: shortwave, longwave           ! W m-2, downward
    real(wp) :: precipitation                 ! kg m-2 s-1
    real(wp) :: temperature                   ! K
    real(wp) :: wind_x, wind_y                ! m s-1
    real(wp) :: pressure                      ! Pa
    real(wp) :: humidity                      ! kg kg-1
    real(wp) :: available_water(n_soil)       ! kg m-2 that the groundwater can give; infinite: all that is there
    real(wp) :: leaf_area, stem_area          ! m2 m-2, prescribed for the coming step; NaN: own phenology
  end type column_forcing

  !> What one step of a column hands out.
  type :: column_fluxes
    real(wp) :: latent_heat, sensible_heat, ground_heat, outgoing_longwave   ! W m-2
    real(wp) :: reflected_shortwave, precipitation_heat                      ! W m-2
    real(wp) :: evapotranspiration, ground_evaporation, canopy_evaporation   ! kg m-2 s-1
    real(wp) :: liquid_evaporation, transpiration, infiltration              ! kg m-2 s-1
    real(wp) :: ground_temperature, radiative_temperature                    ! K
    real(wp) :: root_stress, evaporation_factor
    real(wp) :: interception, runoff          ! kg m-2 s-1
    real(wp) :: screen_temperature, screen_humidity                          ! K, kg kg-1, 2 m above the surface
    real(wp) :: source(n_soil)                ! h-1
    ! the ledger: what crosses the boundary besides the fluxes above, and what is left over
    real(wp) :: groundwater_heat              ! W m-2, brought by water that groundwater gave or took
    real(wp) :: canopy_phase_heat             ! W m-2, of snow that the canopy keeps as water
    real(wp) :: body_gain                     ! kg m-2 s-1, what a land ice body gains
    real(wp) :: energy_residual               ! W m-2
    real(wp) :: water_residual                ! kg m-2 s-1
    integer :: clamped_heads
  end type column_fluxes
end module colm_types
