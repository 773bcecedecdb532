"""Where Home Assistant looks for components that are not its own."""
