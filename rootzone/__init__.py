"""What stands above the coupler and the components: commands, ready cases, evaluation, import from ParFlow, figures."""
