"""OCPP 2.0.1: a room for each functional block of the specification (Part 2), both ways, over what one connection shares (link.py)."""
