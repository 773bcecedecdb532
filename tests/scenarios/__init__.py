"""Tests of the stories in scenarios/."""
