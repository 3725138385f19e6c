"""A run beside what was measured: discharge, water tables, heads, soil moisture, heat fluxes."""
