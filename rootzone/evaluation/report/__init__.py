"""The report on an assessment: tables, JSON, CSV, NetCDF and page."""
