"""bmi_surrogate."""
