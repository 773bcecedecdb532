"""The central system: speaking OCPP with charging stations. Names no Home Assistant module and knows no engine."""
