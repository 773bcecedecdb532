"""Tests of the component and the simulator."""
