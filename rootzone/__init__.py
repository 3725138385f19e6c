"""What stands above the coupler and the components: ready cases to begin with."""
