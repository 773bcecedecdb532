"""A station's side of each functional block of OCPP 2.0.1: what it keeps, how it answers, and what it tells of itself."""
