"""What `scripts/bench control` measures with: a site's central system and control loop in a process of its own, and a car park in this one."""
