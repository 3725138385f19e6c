!> Flat interface that f2py wraps; all physics is in the modules beside this file.
!> Arrays have the column first (fastest); layers follow from the top: five for snow, then ten of soil.
!> Names, units and meaning of the arguments: colm_types, and the dataclasses of bmi_colm.columns.

subroutine max_threads(n)
  use omp_lib, only: omp_get_max_threads
  implicit none
  integer, intent(out) :: n
  n = omp_get_max_threads()
end subroutine max_threads

!> Advance all columns by one step. Columns with status /= 0 keep their state.
subroutine advance( &
    time_step, calendar_day, calendar_day_end, carbon_dioxide, height_wind, height_temperature, height_humidity, &
    wilting_point, field_capacity, residual_saturation, lowest_head, &
    evaporation_factor_type, water_stress_type, conserve_frozen_water, published_numerics, first_step, &
    update_phenology, threads, &
    shortwave, longwave, precipitation, air_temperature, wind_x, wind_y, pressure, humidity, head, saturation, &
    available_water, prescribed_leaf_area, prescribed_stem_area, &
    latitude, longitude, canopy_height, leaf_angle, leaf_reflectance, stem_reflectance, leaf_transmittance, &
    stem_transmittance, inverse_root_leaf_size, carboxylation_capacity, quantum_efficiency, heat_stress_slope, &
    heat_stress_temperature, water_cost_of_carbon, initial_roughness_ratio, leaf_area_maximum, leaf_area_minimum, &
    stem_area_index, root_fraction, albedo_saturated, albedo_dry, thickness, porosity, heat_capacity_solids, &
    conductivity_dry, conductivity_saturated, conductivity_saturated_frozen, kersten_exponent_wet, &
    kersten_exponent_shape, kersten_exponent_frozen, kersten_beta, ground, &
    temperature, liquid, ice, snow_thickness, snow_layers, leaf_temperature, canopy_water, snow_water, snow_depth, &
    snow_fraction, snow_age, leaf_area, stem_area, exposed_fraction, roughness_length, cosine_zenith, albedo, &
    sunlit_absorption, shaded_absorption, longwave_gap, extinction_direct, extinction_diffuse, &
    latent_heat, sensible_heat, ground_heat, outgoing_longwave, reflected_shortwave, precipitation_heat, &
    evapotranspiration, ground_evaporation, canopy_evaporation, liquid_evaporation, transpiration, infiltration, &
    ground_temperature, radiative_temperature, root_stress, evaporation_factor, energy_residual, source, &
    clamped_heads, status, interception, runoff, screen_temperature, screen_humidity, groundwater_heat, &
    canopy_phase_heat, body_gain, water_residual, n)
  use, intrinsic :: iso_c_binding, only: c_double, c_int
  use colm_types, only: model_options, column_parameters, column_state, column_forcing, column_fluxes
  use colm_column, only: advance_column, ok
  implicit none
  integer(c_int), intent(in) :: n
  real(c_double), intent(in) :: time_step, calendar_day, calendar_day_end, carbon_dioxide, height_wind, &
    height_temperature, height_humidity, wilting_point, field_capacity, residual_saturation, lowest_head
  integer(c_int), intent(in) :: evaporation_factor_type, water_stress_type, conserve_frozen_water, published_numerics, &
    first_step, update_phenology, threads
  ! forcing
  real(c_double), intent(in) :: shortwave(n), longwave(n), precipitation(n), air_temperature(n), wind_x(n), &
    wind_y(n), pressure(n), humidity(n), prescribed_leaf_area(n), prescribed_stem_area(n)
  real(c_double), intent(in) :: head(n, 10), saturation(n, 10), available_water(n, 10)
  ! parameters
  real(c_double), intent(in) :: latitude(n), longitude(n), canopy_height(n), leaf_angle(n), &
    inverse_root_leaf_size(n), carboxylation_capacity(n), quantum_efficiency(n), heat_stress_slope(n), &
    heat_stress_temperature(n), water_cost_of_carbon(n), initial_roughness_ratio(n), leaf_area_maximum(n), &
    leaf_area_minimum(n), stem_area_index(n)
  real(c_double), intent(in) :: leaf_reflectance(n, 2), stem_reflectance(n, 2), leaf_transmittance(n, 2), &
    stem_transmittance(n, 2), albedo_saturated(n, 2), albedo_dry(n, 2)
  real(c_double), intent(in) :: root_fraction(n, 10), thickness(n, 10), porosity(n, 10), heat_capacity_solids(n, 10), &
    conductivity_dry(n, 10), conductivity_saturated(n, 10), conductivity_saturated_frozen(n, 10), &
    kersten_exponent_wet(n, 10), kersten_exponent_shape(n, 10), kersten_exponent_frozen(n, 10), kersten_beta(n, 10)
  integer(c_int), intent(in) :: ground(n)
  ! state
  real(c_double), intent(inout) :: temperature(n, 15), liquid(n, 15), ice(n, 15)
  real(c_double), intent(inout) :: snow_thickness(n, 5)
  real(c_double), intent(inout) :: leaf_temperature(n), canopy_water(n), snow_water(n), snow_depth(n), &
    snow_fraction(n), snow_age(n), leaf_area(n), stem_area(n), exposed_fraction(n), roughness_length(n), &
    cosine_zenith(n), longwave_gap(n), extinction_direct(n), extinction_diffuse(n)
  real(c_double), intent(inout) :: albedo(n, 2, 2), sunlit_absorption(n, 2, 2), shaded_absorption(n, 2, 2)
  integer(c_int), intent(inout) :: snow_layers(n)
  ! fluxes
  real(c_double), intent(inout) :: latent_heat(n), sensible_heat(n), ground_heat(n), outgoing_longwave(n), &
    reflected_shortwave(n), precipitation_heat(n), evapotranspiration(n), ground_evaporation(n), &
    canopy_evaporation(n), liquid_evaporation(n), transpiration(n), infiltration(n), ground_temperature(n), &
    radiative_temperature(n), root_stress(n), evaporation_factor(n), energy_residual(n), interception(n), runoff(n), &
    screen_temperature(n), screen_humidity(n), groundwater_heat(n), canopy_phase_heat(n), body_gain(n), &
    water_residual(n)
  real(c_double), intent(inout) :: source(n, 10)
  integer(c_int), intent(inout) :: clamped_heads(n), status(n)
  !f2py threadsafe
  !f2py integer, intent(hide), depend(shortwave) :: n = len(shortwave)
  type(model_options) :: o
  type(column_parameters) :: p
  type(column_state) :: s
  type(column_forcing) :: f
  type(column_fluxes) :: out
  integer :: i, code

  o%time_step = time_step
  o%calendar_day = calendar_day
  o%calendar_day_end = calendar_day_end
  o%carbon_dioxide = carbon_dioxide
  o%height_wind = height_wind
  o%height_temperature = height_temperature
  o%height_humidity = height_humidity
  o%evaporation_factor = evaporation_factor_type
  o%water_stress = water_stress_type
  o%wilting_point = wilting_point
  o%field_capacity = field_capacity
  o%residual_saturation = residual_saturation
  o%lowest_head = lowest_head
  o%conserve_frozen_water = conserve_frozen_water /= 0
  o%published_numerics = published_numerics /= 0
  o%first_step = first_step /= 0
  o%update_phenology = update_phenology /= 0

  !$omp parallel do num_threads(threads) schedule(dynamic, 32) default(shared) private(p, s, f, out, code)
  do i = 1, n
    p%latitude = latitude(i)
    p%longitude = longitude(i)
    p%ground = ground(i)
    p%canopy_height = canopy_height(i)
    p%leaf_angle = leaf_angle(i)
    p%leaf_reflectance = leaf_reflectance(i, :)
    p%stem_reflectance = stem_reflectance(i, :)
    p%leaf_transmittance = leaf_transmittance(i, :)
    p%stem_transmittance = stem_transmittance(i, :)
    p%inverse_root_leaf_size = inverse_root_leaf_size(i)
    p%carboxylation_capacity = carboxylation_capacity(i)
    p%quantum_efficiency = quantum_efficiency(i)
    p%heat_stress_slope = heat_stress_slope(i)
    p%heat_stress_temperature = heat_stress_temperature(i)
    p%water_cost_of_carbon = water_cost_of_carbon(i)
    p%initial_roughness_ratio = initial_roughness_ratio(i)
    p%leaf_area_maximum = leaf_area_maximum(i)
    p%leaf_area_minimum = leaf_area_minimum(i)
    p%stem_area = stem_area_index(i)
    p%root_fraction = root_fraction(i, :)
    p%albedo_saturated = albedo_saturated(i, :)
    p%albedo_dry = albedo_dry(i, :)
    p%thickness = thickness(i, :)
    p%porosity = porosity(i, :)
    p%heat_capacity_solids = heat_capacity_solids(i, :)
    p%conductivity_dry = conductivity_dry(i, :)
    p%conductivity_saturated = conductivity_saturated(i, :)
    p%conductivity_saturated_frozen = conductivity_saturated_frozen(i, :)
    p%kersten_exponent_wet = kersten_exponent_wet(i, :)
    p%kersten_exponent_shape = kersten_exponent_shape(i, :)
    p%kersten_exponent_frozen = kersten_exponent_frozen(i, :)
    p%kersten_beta = kersten_beta(i, :)
    s%temperature = temperature(i, :)
    s%liquid = liquid(i, :)
    s%ice = ice(i, :)
    s%snow_thickness = snow_thickness(i, :)
    s%snow_layers = snow_layers(i)
    s%leaf_temperature = leaf_temperature(i)
    s%canopy_water = canopy_water(i)
    s%snow_water = snow_water(i)
    s%snow_depth = snow_depth(i)
    s%snow_fraction = snow_fraction(i)
    s%snow_age = snow_age(i)
    s%leaf_area = leaf_area(i)
    s%stem_area = stem_area(i)
    s%exposed_fraction = exposed_fraction(i)
    s%roughness_length = roughness_length(i)
    s%cosine_zenith = cosine_zenith(i)
    s%albedo = albedo(i, :, :)
    s%sunlit_absorption = sunlit_absorption(i, :, :)
    s%shaded_absorption = shaded_absorption(i, :, :)
    s%longwave_gap = longwave_gap(i)
    s%extinction_direct = extinction_direct(i)
    s%extinction_diffuse = extinction_diffuse(i)
    f%shortwave = shortwave(i)
    f%longwave = longwave(i)
    f%precipitation = precipitation(i)
    f%temperature = air_temperature(i)
    f%wind_x = wind_x(i)
    f%wind_y = wind_y(i)
    f%pressure = pressure(i)
    f%humidity = humidity(i)
    f%available_water = available_water(i, :)
    f%leaf_area = prescribed_leaf_area(i)
    f%stem_area = prescribed_stem_area(i)
    call advance_column(o, p, f, head(i, :), saturation(i, :), s, out, code)
    status(i) = code
    if (code /= ok) cycle
    temperature(i, :) = s%temperature
    liquid(i, :) = s%liquid
    ice(i, :) = s%ice
    snow_thickness(i, :) = s%snow_thickness
    snow_layers(i) = s%snow_layers
    leaf_temperature(i) = s%leaf_temperature
    canopy_water(i) = s%canopy_water
    snow_water(i) = s%snow_water
    snow_depth(i) = s%snow_depth
    snow_fraction(i) = s%snow_fraction
    snow_age(i) = s%snow_age
    leaf_area(i) = s%leaf_area
    stem_area(i) = s%stem_area
    exposed_fraction(i) = s%exposed_fraction
    roughness_length(i) = s%roughness_length
    cosine_zenith(i) = s%cosine_zenith
    albedo(i, :, :) = s%albedo
    sunlit_absorption(i, :, :) = s%sunlit_absorption
    shaded_absorption(i, :, :) = s%shaded_absorption
    longwave_gap(i) = s%longwave_gap
    extinction_direct(i) = s%extinction_direct
    extinction_diffuse(i) = s%extinction_diffuse
    latent_heat(i) = out%latent_heat
    sensible_heat(i) = out%sensible_heat
    ground_heat(i) = out%ground_heat
    outgoing_longwave(i) = out%outgoing_longwave
    reflected_shortwave(i) = out%reflected_shortwave
    precipitation_heat(i) = out%precipitation_heat
    evapotranspiration(i) = out%evapotranspiration
    ground_evaporation(i) = out%ground_evaporation
    canopy_evaporation(i) = out%canopy_evaporation
    liquid_evaporation(i) = out%liquid_evaporation
    transpiration(i) = out%transpiration
    infiltration(i) = out%infiltration
    ground_temperature(i) = out%ground_temperature
    radiative_temperature(i) = out%radiative_temperature
    root_stress(i) = out%root_stress
    evaporation_factor(i) = out%evaporation_factor
    energy_residual(i) = out%energy_residual
    interception(i) = out%interception
    runoff(i) = out%runoff
    screen_temperature(i) = out%screen_temperature
    screen_humidity(i) = out%screen_humidity
    groundwater_heat(i) = out%groundwater_heat
    canopy_phase_heat(i) = out%canopy_phase_heat
    body_gain(i) = out%body_gain
    water_residual(i) = out%water_residual
    source(i, :) = out%source
    clamped_heads(i) = out%clamped_heads
  end do
  !$omp end parallel do
end subroutine advance
