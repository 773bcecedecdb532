"""The control loop: reading → headroom → requests → allocations → leases → confirmation → decision."""
