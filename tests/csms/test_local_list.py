"""The local list: whatever was wanted before and whatever was lost, a station ends with the tokens that are wanted now (block D)."""

from collections.abc import Mapping
import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.csms.v201.local_list import LARGEST_VERSION, Held, Update, is_known, updates

type Entries = dict[str, dict[str, Any]]

KEYS = st.sampled_from([f"token{number}" for number in range(12)])
WANTED = st.dictionaries(KEYS, st.sampled_from(["Accepted", "Blocked", "Accepted KeyCode"]), max_size=12)
"""What is said of each token, and its type where that is not a card's: a reader may tell it otherwise than it was thought to be."""
ACCIDENTS = st.sampled_from(["none", "not_arrived", "answer_lost", "wiped", "other_list"])


def entries(statuses: Mapping[str, str]) -> Entries:
    made: Entries = {}
    for value, said in statuses.items():
        status, _, kind = said.partition(" ")
        kind = kind or "ISO14443"
        made[f"{kind}:{value}"] = {"idToken": {"idToken": value, "type": kind}, "idTokenInfo": {"status": status}}
    return made


class Station:
    """A station that takes lists as D01 and D02 say."""

    def __init__(self, version: int = 0) -> None:
        self.version, self.held = version, dict[str, Any]()

    def take(self, update: Update, *, items: int) -> bool:
        payload = update.payload
        part = payload.get("localAuthorizationList", [])
        assert 0 < payload["versionNumber"] <= LARGEST_VERSION
        assert len(part) <= items, "more than the station takes"
        assert part or "localAuthorizationList" not in payload, "an empty list is left out (D01.FR.03)"
        names = [entry["idToken"]["idToken"] for entry in part]
        assert len(names) == len(set(names)), "a token twice in one request (D01.FR.11)"
        if payload["updateType"] == "Full":
            self.held = {}
        elif payload["versionNumber"] <= self.version < LARGEST_VERSION:
            return False
        for entry in part:
            value = entry["idToken"]["idToken"]
            self.held = {key: one for key, one in self.held.items() if one["idToken"]["idToken"] != value}
            if "idTokenInfo" in entry:
                self.held[f"{entry['idToken']['type']}:{value}"] = entry
        self.version = payload["versionNumber"]
        return True


@given(
    history=st.lists(st.tuples(WANTED, ACCIDENTS, st.integers(0, 4)), max_size=6),
    last=WANTED,
    items=st.integers(1, 5),
    first_version=st.sampled_from([0, 1, 7, LARGEST_VERSION - 1, LARGEST_VERSION]),
)
def test_the_list_ends_as_wanted(
    history: list[tuple[dict[str, str], str, int]], last: dict[str, str], items: int, first_version: int
) -> None:
    """Updates that don't arrive, answers that are lost, stations that were wiped or given another list: the next time heals it."""
    station, held = Station(first_version), Held()
    for statuses, accident, at in [*history, (last, "none", 0)]:
        wanted = entries(statuses)
        if accident == "wiped":
            station = Station()
        if accident == "other_list":
            station.version, station.held = station.version % LARGEST_VERSION + 1, entries({"foreign": "Accepted"})
        if not is_known(held, station.version):
            held = Held()  # as whoever keeps account of it does
        for number, update in enumerate(updates(held, station.version, wanted, items=items, most_bytes=None)):
            if accident == "not_arrived" and number == at:
                break
            assert station.take(update, items=items)
            if accident == "answer_lost" and number == at:
                break
            held = update.then
            assert (held.version, held.entries) == (station.version, station.held), "what we think it holds"
    if last or station.version:
        assert station.held == entries(last)
    assert not list(updates(held, station.version, entries(last), items=items, most_bytes=None)), "then there is nothing left to say"


@given(statuses=WANTED, most_bytes=st.integers(300, 900))
def test_no_request_is_larger_than_the_station_takes(statuses: dict[str, str], most_bytes: int) -> None:
    for update in updates(Held(), 0, entries(statuses), items=100, most_bytes=most_bytes):
        part = update.payload.get("localAuthorizationList", [])
        assert len(part) == 1 or len(json.dumps(update.payload)) <= most_bytes


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": "Accepted"}, {"a": "Accepted"}, []),
        ({"a": "Accepted"}, {"a": "Accepted", "b": "Accepted"}, ["b"]),
        ({"a": "Accepted", "b": "Accepted"}, {"b": "Blocked"}, ["a", "b"]),
        ({"a": "Accepted"}, {"a": "Accepted KeyCode"}, ["a", "a"]),
    ],
)
def test_only_what_changed_is_sent(before: dict[str, str], after: dict[str, str], told: list[str]) -> None:
    held = Held(version=4, entries=entries(before))
    sent = list(updates(held, 4, entries(after), items=10, most_bytes=None))
    assert [entry["idToken"]["idToken"] for update in sent for entry in update.payload["localAuthorizationList"]] == told
    assert all(update.payload["updateType"] == "Differential" and update.payload["versionNumber"] > 4 for update in sent)
