"""Captures of real conversations, played again against a running central system."""
