"""A charging site that nobody has to buy: cars, stations, a building, a meter and breakers that really trip.

The physics are pure step functions. `driver.py` lets a site run: in real time over sockets (`live.py`), or in simulated time over
transports in memory (`virtual.py`); the stations' OCPP is the same code in both.
"""
