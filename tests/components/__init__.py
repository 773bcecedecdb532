"""Home Assistant's face: flows, entities, actions."""
