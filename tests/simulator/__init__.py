"""The simulator: its physics, its stations and its clocks."""
