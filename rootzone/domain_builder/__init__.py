"""From maps to a running basin: what `bmi-domain` does."""
