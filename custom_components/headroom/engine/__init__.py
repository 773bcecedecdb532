"""What may each car draw? Pure: no Home Assistant, no OCPP, no I/O, no clock."""
