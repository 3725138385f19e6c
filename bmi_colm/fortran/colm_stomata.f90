!> Photosynthesis and stomatal conductance of C3 leaves: optimal water use
!> (Cowan and Farquhar 1977, Katul et al. 2009, Medlyn et al. 2011; kinetics Collatz et al. 1991, Sellers et al. 1996).
!>
!> Equations (39) to (42) of docs/theory.md.
module colm_stomata
  use colm_constants, only: wp, lanes
  use vector_math, only: exponential
  implicit none
  private
  public :: leaf_kinetics, carbon_supply, find_kinetics, find_supply, find_assimilation, molar_conductance

  !> Kinetics at leaf temperature, per unit of scaled capacity (partial pressures in Pa).
  type :: leaf_kinetics
    real(wp) :: compensation(lanes)        !< CO2 compensation point [Pa]
    real(wp) :: michaelis(lanes)           !< Michaelis constant of carboxylation with oxygen competing [Pa]
    real(wp) :: carboxylation(lanes)       !< per ground and effective leaf area [mol m-2 s-1]
    real(wp) :: electron_transport(lanes)  !< per ground and effective leaf area [mol m-2 s-1]
    real(wp) :: respiration(lanes)         !< per ground and effective leaf area [mol m-2 s-1]
  end type leaf_kinetics

  !> Carbon that reaches the inside of leaves with optimal stomata, where carboxylation or light limits assimilation; the
  !> same for sunlit and shaded leaves.
  type :: carbon_supply
    real(wp) :: rubisco(lanes)       !< gross assimilation limited by carboxylation, per effective leaf area [mol m-2 s-1]
    real(wp) :: light(lanes)         !< gross assimilation over electron transport, where light limits it [-]
    real(wp) :: draw_rubisco(lanes)  !< CO2 outside less inside the leaves, limited by carboxylation [mol mol-1]
    real(wp) :: draw_light(lanes)    !< the same, limited by light [mol mol-1]
    real(wp) :: molar(lanes)         !< moles of air per volume [mol m-3]
  end type carbon_supply

  ! empirical, as in the Common Land Model (Dai, Dickinson and Wang 2004), after Collatz et al. (1991) and Sellers et al. (1996)
  real(wp), parameter :: electron_per_carboxylation = 1.97_wp  !< largest electron transport over carboxylation at 25 C [-]
  real(wp), parameter :: respiration_share = 0.015_wp          !< of carboxylation at 25 C [-]
  real(wp), parameter :: respiration_slope = 1.3_wp            !< decline by heat [K-1]
  real(wp), parameter :: respiration_temperature = 328.0_wp    !< [K]
  real(wp), parameter :: reference_temperature = 298.0_wp      !< [K]
  real(wp), parameter :: gas_constant = 8.314_wp               !< [J mol-1 K-1]
  real(wp), parameter :: activation = 37000.0_wp               !< [J mol-1]
  real(wp), parameter :: deactivation = 220000.0_wp            !< [J mol-1]
  real(wp), parameter :: deactivation_entropy = 710.0_wp       !< [J mol-1 K-1]
  real(wp), parameter :: quanta_per_energy = 4.6e-6_wp         !< of visible light [mol J-1]
  real(wp), parameter :: least_vapour_deficit = 50.0_wp        !< [Pa]
  real(wp), parameter :: vapour_over_carbon = 1.6_wp           !< ratio of diffusivities in air [-]
  real(wp), parameter :: largest_resistance = 1.0e6_wp         !< [s m-1]

contains

  !> Moles of air per volume [mol m-3], so that g [m s-1] = g [mol m-2 s-1] / molar_conductance.
  pure function molar_conductance(pressure, temperature) result(y)
    real(wp), intent(in) :: pressure(lanes)     !< of the air [Pa]
    real(wp), intent(in) :: temperature(lanes)  !< of the leaves [K]
    real(wp) :: y(lanes)
    y = 44.6_wp*273.16_wp*pressure/1.013e5_wp/temperature
  end function molar_conductance

  !> Equation (39).
  pure subroutine find_kinetics(temperature, oxygen, capacity, heat_slope, heat_temperature, stress, k)
    real(wp), intent(in) :: temperature(lanes)       !< of the leaves [K]
    real(wp), intent(in) :: oxygen(lanes)            !< partial pressure [Pa]
    real(wp), intent(in) :: capacity(lanes)          !< carboxylation at 25 C [mol m-2 s-1]
    real(wp), intent(in) :: heat_slope(lanes)        !< decline of carboxylation by heat [K-1]
    real(wp), intent(in) :: heat_temperature(lanes)  !< temperature at which heat halves carboxylation [K]
    real(wp), intent(in) :: stress(lanes)            !< water available to the roots, 0 none to 1 unstressed [-]
    type(leaf_kinetics), intent(out) :: k            !< kinetics at leaf temperature
    real(wp), parameter :: ln21 = log(2.1_wp), ln12 = log(1.2_wp), ln057 = log(0.57_wp), ln2 = log(2.0_wp)
    real(wp), parameter :: deactivation_reference = 1.0_wp &
      + exp((deactivation_entropy*reference_temperature - deactivation)/(gas_constant*reference_temperature))
    real(wp), dimension(lanes) :: q, q21, over_gas_energy

    q = 0.1_wp*(temperature - reference_temperature)
    q21 = exponential(ln21*q)
    over_gas_energy = 1.0_wp/(gas_constant*temperature)
    k%compensation = (0.5_wp/2600.0_wp)*oxygen*exponential(-ln057*q)
    k%michaelis = 30.0_wp*q21*(1.0_wp + (1.0_wp/30000.0_wp)*oxygen*exponential(-ln12*q))
    k%carboxylation = stress*capacity*q21/(1.0_wp + exponential(heat_slope*(temperature - heat_temperature)))
    k%respiration = stress*respiration_share*capacity*exponential(ln2*q) &
      /(1.0_wp + exponential(respiration_slope*(temperature - respiration_temperature)))
    k%electron_transport = stress*electron_per_carboxylation*capacity &
      *exponential((activation/reference_temperature)*(temperature - reference_temperature)*over_gas_energy) &
      *deactivation_reference &
      /(1.0_wp + exponential((deactivation_entropy*temperature - deactivation)*over_gas_energy))
  end subroutine find_kinetics

  !> Equations (40) and (41) per unit of capacity.
  pure subroutine find_supply(k, water_cost, deficit, carbon_dioxide, pressure, temperature, supply)
    type(leaf_kinetics), intent(in) :: k           !< kinetics at leaf temperature
    real(wp), intent(in) :: water_cost(lanes)      !< marginal water cost of carbon [mol mol-1]
    real(wp), intent(in) :: deficit(lanes)         !< vapour pressure inside the leaf minus that of the canopy air [Pa]
    real(wp), intent(in) :: carbon_dioxide(lanes)  !< partial pressure in the canopy air [Pa]
    real(wp), intent(in) :: pressure(lanes)        !< of the air [Pa]
    real(wp), intent(in) :: temperature(lanes)     !< of the leaves [K]
    type(carbon_supply), intent(out) :: supply     !< carbon inside the leaves
    real(wp), dimension(lanes) :: d, ambient, compensation, c

    c = 1.0_wp/pressure
    d = max(deficit, least_vapour_deficit)*c
    ambient = carbon_dioxide*c
    compensation = k%compensation*c
    supply%draw_rubisco = sqrt(vapour_over_carbon*d*max(ambient - compensation, 0.0_wp)/water_cost)
    supply%draw_light = ambient/(1.0_wp + 1.37_wp*sqrt(water_cost*compensation/d))
    c = (ambient - supply%draw_rubisco)*pressure
    supply%rubisco = k%carboxylation*(c - k%compensation)/(c + k%michaelis)
    c = (ambient - supply%draw_light)*pressure
    supply%light = (c - k%compensation)/(c + 2.0_wp*k%compensation)
    supply%molar = molar_conductance(pressure, temperature)
  end subroutine find_supply

  !> Net assimilation and canopy resistance of one class of leaves.
  pure subroutine find_assimilation(k, supply, scale, electron_scale, light, efficiency, net, resistance)
    type(leaf_kinetics), intent(in) :: k           !< kinetics at leaf temperature
    type(carbon_supply), intent(in) :: supply      !< carbon inside the leaves
    real(wp), intent(in) :: scale(lanes)           !< effective leaf area of carboxylation and respiration [m2 m-2]
    real(wp), intent(in) :: electron_scale(lanes)  !< effective leaf area of electron transport [m2 m-2]
    real(wp), intent(in) :: light(lanes)           !< visible radiation absorbed [W m-2]
    real(wp), intent(in) :: efficiency(lanes)      !< carbon dioxide per quanta [mol mol-1]
    real(wp), intent(out) :: net(lanes)            !< net assimilation [mol m-2 s-1]
    real(wp), intent(out) :: resistance(lanes)     !< of the canopy to vapour [s m-1]
    real(wp), dimension(lanes) :: rubisco, by_light, draw

    rubisco = supply%rubisco*scale
    by_light = min(quanta_per_energy*light*efficiency, k%electron_transport*electron_scale)*supply%light
    net = merge(rubisco, by_light, rubisco < by_light) - k%respiration*scale
    draw = merge(supply%draw_rubisco, supply%draw_light, rubisco < by_light)
    resistance = min(largest_resistance, supply%molar*draw/(vapour_over_carbon*max(net, 1.0e-12_wp)))
  end subroutine find_assimilation
end module colm_stomata
