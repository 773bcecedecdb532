"""Readings from meters. Only `entity.py` names Home Assistant."""
