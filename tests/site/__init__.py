"""The control loop against real stations' models and the real central system, in simulated time."""
