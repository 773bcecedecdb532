"""The tables of sensors, by what they are about."""
