"""What `scripts/bench killed` measures with: the demo's site, its Home Assistant, and a building that goes to its worst case at the kill."""
