"""Sources made by the program: moving shapes with known truth, photographs under a moving camera."""
