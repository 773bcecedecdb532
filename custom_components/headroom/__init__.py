"""Headroom: Home Assistant as the central system of a charging site that holds its fuse."""
