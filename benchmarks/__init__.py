"""Measurements, each a module that prints JSON: scripts/bench NAME."""
