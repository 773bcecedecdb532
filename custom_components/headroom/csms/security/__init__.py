"""Who may connect (OCPP 2.0.1 Part 2, block A): passwords, certificates, TLS, and what keeps guessers and floods away."""
