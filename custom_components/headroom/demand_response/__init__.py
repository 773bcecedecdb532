"""Limits from outside the site: utilities, aggregators, automations."""
