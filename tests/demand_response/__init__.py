"""Limits from outside."""
