"""Stations with a quirk, by the quirk's name: what a test or a demo may set beside stations that keep to the standard."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .factory import StationSpec
from .profile_rules import Abilities
from .quirks import PURPOSES, Quirks

KINDS: Mapping[str, StationSpec] = {
    "watts_only": StationSpec(identity="", abilities=Abilities(rate_units=("W",))),
    "amps_only": StationSpec(identity="", abilities=Abilities(rate_units=("A",))),
    "only_default_profile": StationSpec(identity="", quirks=Quirks(honours=frozenset({"TxDefaultProfile"}))),
    "ignores_tx_profile": StationSpec(identity="", quirks=Quirks(honours=PURPOSES - {"TxProfile"})),
    "only_level_0": StationSpec(identity="", quirks=Quirks(highest_stack_level=0)),
    "refuses_station_max": StationSpec(identity="", quirks=Quirks(refuses=frozenset({"ChargingStationMaxProfile"}))),
    "forgets_when_suspended": StationSpec(identity="", quirks=Quirks(forgets_when_suspended=True)),
    "ignores_valid_to": StationSpec(identity="", quirks=Quirks(ignores_valid_to=True)),
    "slow_to_follow": StationSpec(identity="", quirks=Quirks(follows_after_s=20.0)),
    "seq_no_always_zero": StationSpec(identity="", quirks=Quirks(seq_no_always_zero=True)),
    "integral_floats": StationSpec(identity="", quirks=Quirks(integral_floats=True)),
    "never_reports_profiles": StationSpec(identity="", quirks=Quirks(never_reports_profiles=True)),
    "no_smart_charging": StationSpec(identity="", quirks=Quirks(no_smart_charging=True)),
    "fractional_start_period": StationSpec(identity="", quirks=Quirks(fractional_start_period=True)),
}


def quirky(kind: str, identity: str, **more: Any) -> StationSpec:
    """Return a station with a quirk; `more` are other fields of its StationSpec. Raises KeyError where there is no such quirk."""
    return replace(KINDS[kind], identity=identity, **more)
