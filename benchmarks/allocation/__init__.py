"""What each policy makes of a month of charging, inside Caltech's own simulator, beside its own algorithms and the optimum."""
