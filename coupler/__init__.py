"""Light coupler of BMI components: configuration, plan, exchange, water balance, output, command line."""
