"""A site under control in simulated time: the real loop and the real central system beside the simulator's stations, cars and breakers."""

import custom_components.headroom.site  # noqa: F401 - the component's package puts another voluptuous in its place, which has to come first
