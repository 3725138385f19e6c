"""bmi_colm."""
