"""Proofs against somebody else's idea of OCPP: an independent strict station, and the published conformance cases."""
