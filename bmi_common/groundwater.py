"""The variables that every groundwater component publishes, so that one line of a run's YAML swaps them."""

from __future__ import annotations

from bmi_common.grids import POINTS, ROOT_ZONE, SCALAR, SUBSURFACE, SURFACE, WELLS
from bmi_common.variables import Role, Variable

NET_SOURCE = "soil_root-zone_water__net_volume_flux"
PRESSURE_HEAD = "soil_water__pressure_head"
SATURATION = "soil_water__saturation"
VOLUME_FRACTION = "soil_water__volume_fraction"
ROOT_ZONE_HEAD = "soil_root-zone_water__pressure_head"
ROOT_ZONE_SATURATION = "soil_root-zone_water__saturation"
WATER_TABLE_DEPTH = "soil_water_sat-zone_top__depth"
PONDED_DEPTH = "land_surface_water__depth"
RUNOFF = "land_surface_water_runoff__volume_flux"
LAYER_THICKNESS = "soil_layer__thickness"
POROSITY = "soil__porosity"
ELEVATION = "land_surface__elevation"

STORAGE_VOLUME = "model_domain_water__storage_volume"
SOURCE_VOLUME = "model_domain_water__source_volume"
OUTFLOW_VOLUME = "model_domain_boundary_water__outflow_volume"
DRAINAGE_VOLUME = "model_domain_bottom_water__drainage_volume"
PONDED_VOLUME = "model_domain_surface_water__storage_volume"
UNMET_VOLUME = "model_domain_water__unmet_demand_volume"
PRESCRIBED_VOLUME = "model_domain_water__prescribed_source_volume"
SURFACE_FLUX_VOLUME = "model_domain_surface_water__prescribed_inflow_volume"
BOUNDARY_INFLOW_VOLUME = "model_domain_boundary_groundwater__inflow_volume"
SEEPAGE_VOLUME = "model_domain_surface_water__seepage_volume"
UNMET_OUTFLOW_VOLUME = "model_domain_boundary_water__unmet_outflow_volume"

EXTRACTION_VOLUME = "model_domain_well_water__extraction_volume"
INJECTION_VOLUME = "model_domain_well_water__injection_volume"
UNMET_EXTRACTION_VOLUME = "model_domain_well_water__unmet_extraction_volume"
WITHDRAWAL_VOLUME = "model_domain_irrigation_water__withdrawal_volume"
IRRIGATION_VOLUME = "model_domain_irrigation_water__delivery_volume"
IRRIGATION_STORAGE_VOLUME = "model_domain_irrigation_water__storage_volume"
CANOPY_IRRIGATION = "land_vegetation_canopy_water_irrigation__mass_flux"
GROUND_IRRIGATION = "land_surface_water_irrigation__mass_flux"
WELL_RATE = "well_water_extraction__volume_flow_rate"
UNMET_WELL_RATE = "well_water_unmet-extraction__volume_flow_rate"

DISCHARGE = "channel_water_x-section__volume_flow_rate"
BASEFLOW = "land_surface_water_baseflow__volume_flux"
DIRECT_RUNOFF = "land_surface_water_saturation-excess_runoff__volume_flux"
SATURATED_FRACTION = "land_surface_saturated__area_fraction"
ROOT_ZONE_SATURATED_FRACTION = "soil_root-zone_saturated__area_fraction"

SECTIONS = ("richards", "surrogate", "parflow")
"""Sections of the groundwater configuration, one a component; each component passes over the others'."""

POSSIBLE_HEADS = (-1.0e7, 1.0e4)
"""Pressure heads [m]; what lies outside is no state of a soil, whoever wrote it."""

POSSIBLE_SOURCES = (-100.0, 100.0)
"""Net sources [h-1]."""

_SATURATION_RANGE = (0.0, 1.0 + 1.0e-9)

GROUNDWATER_VARIABLES = (
    Variable(
        NET_SOURCE,
        "h-1",
        ROOT_ZONE,
        Role.INPUT,
        "net water source per bulk volume, into the soil positive",
        POSSIBLE_SOURCES,
    ),
    Variable(PRESSURE_HEAD, "m", SUBSURFACE, Role.STATE, "pressure head at layer centres", POSSIBLE_HEADS),
    Variable(SATURATION, "1", SUBSURFACE, Role.OUTPUT, "saturation, relative to porosity", _SATURATION_RANGE),
    Variable(
        VOLUME_FRACTION,
        "1",
        SUBSURFACE,
        Role.OUTPUT,
        "volumetric soil moisture: saturation times porosity",
        _SATURATION_RANGE,
    ),
    Variable(
        ROOT_ZONE_HEAD,
        "m",
        ROOT_ZONE,
        Role.OUTPUT,
        "pressure head of the root zone, as the land takes it",
        POSSIBLE_HEADS,
        part_of=PRESSURE_HEAD,
    ),
    Variable(
        ROOT_ZONE_SATURATION,
        "1",
        ROOT_ZONE,
        Role.OUTPUT,
        "saturation of the root zone, as the land takes it",
        _SATURATION_RANGE,
        part_of=SATURATION,
    ),
    Variable(WATER_TABLE_DEPTH, "m", SURFACE, Role.OUTPUT, "water table depth below the land surface", (0.0, 1.0e4)),
    Variable(PONDED_DEPTH, "m", SURFACE, Role.OUTPUT, "depth of ponded water", (0.0, 1.0e3)),
    Variable(
        RUNOFF,
        "m s-1",
        SURFACE,
        Role.OUTPUT,
        "outflow over the domain boundary, over land and in streams, per cell area",
    ),
    Variable(LAYER_THICKNESS, "m", SUBSURFACE, Role.STATIC, "layer thickness"),
    Variable(POROSITY, "1", SUBSURFACE, Role.STATIC, "porosity"),
    Variable(ELEVATION, "m", SURFACE, Role.STATIC, "land surface elevation"),
    Variable(
        STORAGE_VOLUME,
        "m3",
        SCALAR,
        Role.OUTPUT,
        "water in the subsurface, ponded, in streams within cells, and on its way to irrigated land, all active cells",
    ),
    Variable(PONDED_VOLUME, "m3", SCALAR, Role.OUTPUT, "ponded water, all active cells; part of the storage"),
    Variable(DISCHARGE, "m3 s-1", POINTS, Role.OUTPUT, "flow out of the gauge's cell, over land and in streams"),
    Variable(BASEFLOW, "m s-1", SURFACE, Role.OUTPUT, "groundwater that streams within the cell took in the last step"),
    Variable(
        DIRECT_RUNOFF,
        "m s-1",
        SURFACE,
        Role.OUTPUT,
        "water on saturated ground that set out for the streams within the cell in the last step",
    ),
    Variable(
        SATURATED_FRACTION,
        "1",
        SURFACE,
        Role.OUTPUT,
        "share of the cell's ground that is saturated to the surface, by the terrain in it; 0 without `streams:`",
        (0.0, 1.0),
    ),
    Variable(
        ROOT_ZONE_SATURATED_FRACTION,
        "1",
        ROOT_ZONE,
        Role.OUTPUT,
        "share of the cell's ground that is saturated up to the middle of the layer; 0 without `streams:`",
        (0.0, 1.0),
    ),
)
"""What all have in common; the role of pressure head lets a state be set."""

BALANCE_VARIABLES = (
    Variable(SOURCE_VOLUME, "m3", SCALAR, Role.OUTPUT, "net source taken up in the last step"),
    Variable(OUTFLOW_VOLUME, "m3", SCALAR, Role.OUTPUT, "overland outflow over the boundary in the last step"),
    Variable(DRAINAGE_VOLUME, "m3", SCALAR, Role.OUTPUT, "drainage through the bottom in the last step"),
    Variable(UNMET_VOLUME, "m3", SCALAR, Role.OUTPUT, "demand of sinks that the soil could not meet in the last step"),
)
"""Further terms of the water balance, published by components that conserve water."""

SUPPLY_VARIABLES = (
    Variable(PRESCRIBED_VOLUME, "m3", SCALAR, Role.OUTPUT, "prescribed sources of the last step, as asked for"),
    Variable(SURFACE_FLUX_VOLUME, "m3", SCALAR, Role.OUTPUT, "prescribed flux into the ground in the last step"),
)
"""What is given to the groundwater beside the land's source, published by components that take it."""

CONDITION_VARIABLES = (
    *SUPPLY_VARIABLES,
    Variable(
        BOUNDARY_INFLOW_VOLUME,
        "m3",
        SCALAR,
        Role.OUTPUT,
        "net inflow through sides, bottom and held ground in the last step",
    ),
    Variable(SEEPAGE_VOLUME, "m3", SCALAR, Role.OUTPUT, "water that left through seepage faces in the last step"),
    Variable(
        UNMET_OUTFLOW_VOLUME,
        "m3",
        SCALAR,
        Role.OUTPUT,
        "prescribed outflow through ground, sides and bottom that the soil could not give in the last step",
    ),
)
"""Terms of all that acts on the groundwater beside the land, published by components that take it."""

POSSIBLE_IRRIGATION = (0.0, 0.2)
"""Irrigation [kg m-2 s-1]; more is a slip of units."""

WELL_VARIABLES = (
    Variable(EXTRACTION_VOLUME, "m3", SCALAR, Role.OUTPUT, "taken by wells in the last step, and gone from the model"),
    Variable(INJECTION_VOLUME, "m3", SCALAR, Role.OUTPUT, "brought into the ground by wells in the last step"),
    Variable(
        UNMET_EXTRACTION_VOLUME,
        "m3",
        SCALAR,
        Role.OUTPUT,
        "what wells should have taken in the last step, but the ground or the river could not give",
    ),
    Variable(WITHDRAWAL_VOLUME, "m3", SCALAR, Role.OUTPUT, "taken by wells for irrigation in the last step"),
    Variable(IRRIGATION_VOLUME, "m3", SCALAR, Role.OUTPUT, "given to the land for irrigation in the last step"),
    Variable(
        IRRIGATION_STORAGE_VOLUME,
        "m3",
        SCALAR,
        Role.OUTPUT,
        "taken for irrigation, on its way to the land; part of the storage",
    ),
    Variable(
        CANOPY_IRRIGATION,
        "kg m-2 s-1",
        SURFACE,
        Role.OUTPUT,
        "irrigation above the canopy (sprinklers) in the coming step, taken in the last one",
    ),
    Variable(
        GROUND_IRRIGATION,
        "kg m-2 s-1",
        SURFACE,
        Role.OUTPUT,
        "irrigation on the ground (drip) in the coming step, taken in the last one",
    ),
)
"""Published by components that take wells."""

WELL_RATE_VARIABLES = (
    Variable(WELL_RATE, "m3 s-1", WELLS, Role.OUTPUT, "what a well takes, negative where it brings water"),
    Variable(UNMET_WELL_RATE, "m3 s-1", WELLS, Role.OUTPUT, "what a well should take beyond that"),
)
"""Published by components that know what each well got."""
