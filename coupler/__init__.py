"""Light coupler of BMI components: configuration, plan, exchange, ledger, output, command line."""
