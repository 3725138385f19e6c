"""bmi_richards."""
