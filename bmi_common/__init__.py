"""bmi_common."""
