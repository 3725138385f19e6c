"""coupler."""
