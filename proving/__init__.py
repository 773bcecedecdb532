"""A site under control in simulated time: the real loop and the real central system beside the simulator's stations, cars and breakers."""
