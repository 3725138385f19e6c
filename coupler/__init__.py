"""Light coupler of BMI components: configuration, plan, exchange, water balance, error control, output, checkpoints."""
