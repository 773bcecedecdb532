"""What leaves the frame log holds no secret, and the ring stays small and quick."""

from collections.abc import Iterator
from datetime import UTC, datetime
import json
from timeit import repeat
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.headroom.csms.frame_log import RECEIVED, SENT, FrameLog

from ..conformance.payloads import actions, most

AT = datetime(2026, 1, 1, tzinfo=UTC)
SECRET_MEMBERS = {
    "additionalIdToken",
    "apnPassword",
    "certificate",
    "certificateChain",
    "csr",
    "customerIdentifier",
    "exiRequest",
    "exiResponse",
    "iccid",
    "idToken",
    "imsi",
    "key",
    "password",
    "serialNumber",
    "signingCertificate",
    "user",
}
URLS = {"location", "ocppCsmsUrl", "remoteLocation", "responderURL"}


def planted(value: Any, secrets: list[str], key: str = "") -> Any:
    """Return a payload with a secret of its own in each place where one may be."""
    match value:
        case dict():
            return {name: planted(item, secrets, name) for name, item in value.items()}
        case list():
            return [planted(item, secrets, key) for item in value[:2]]
        case str() if key in SECRET_MEMBERS or key in URLS:
            secrets.append(f"PLANTED{len(secrets):04}END")
            return f"ftp://me:{secrets[-1]}@host/file" if key in URLS else secrets[-1]
        case str():
            return value[:50]
        case _:
            return value


def frames(action: str, secrets: list[str]) -> Iterator[tuple[str, str]]:
    yield RECEIVED, json.dumps([2, "1", action, planted(most(f"{action}Request"), secrets)])
    yield SENT, json.dumps([3, "1", planted(most(f"{action}Response"), secrets)])


@pytest.mark.parametrize("action", actions())
def test_no_secret_leaves_with_any_message(action: str) -> None:
    secrets: list[str] = []
    log = FrameLog()
    for direction, text in frames(action, secrets):
        log.add(AT, direction, text)
    lines = log.lines()
    told = json.dumps(lines)
    assert [secret for secret in secrets if secret in told] == []
    assert [line["direction"] for line in lines] == [RECEIVED, SENT]
    assert lines[0]["frame"][:3] == [2, "1", action] and lines[1]["frame"][0] == 3


SECRET = "PLANTED0123456789END"
PLACES = (
    "ftp://me:{}@host/file",
    "https://{}@host:8443",
    "https://host/logs/{}/cp1.tar",
    "https://host/{}",
    "https://host?{}",
    "https://host/file?sig={}&expires=1",
    "https://host/file#{}",
    "https://me:not/escaped/{}@host/file",
    "https://me:{}/rest@host/file",
    "host.example/file?sig={}",
    "see https://host/{} and sftp://me:{}@[::1]:22/x",
)


def with_urls(value: Any, url: str, key: str = "") -> Any:
    """A payload whose members that hold an address hold this one."""
    match value:
        case dict():
            return {name: with_urls(item, url, name) for name, item in value.items()}
        case list():
            return [with_urls(item, url, key) for item in value]
        case str() if key in URLS:
            return url
        case _:
            return value


@given(action=st.sampled_from(actions()), place=st.sampled_from(PLACES), sent=st.booleans(), answer=st.booleans())
@settings(max_examples=500, deadline=None)
def test_no_secret_leaves_with_an_address(action: str, place: str, sent: bool, answer: bool) -> None:
    """Wherever in the address it stands, and wherever else it is told again."""
    url = place.replace("{}", SECRET)
    payload = with_urls(most(f"{action}{'Response' if answer else 'Request'}"), url)
    log = FrameLog()
    log.add(AT, SENT if sent else RECEIVED, json.dumps([3, "1", payload] if answer else [2, "1", action, payload]))
    if url in json.dumps(payload):
        log.add(AT, RECEIVED, json.dumps([2, "2", "StatusNotification", {"customData": {"vendorId": f"no {SECRET} there"}}]))
    assert SECRET not in json.dumps(log.lines())


def test_a_secret_that_holds_another_leaves_nothing_over() -> None:
    log = FrameLog()
    for password in ("hush", "hush-hush-hush"):
        log.add(AT, SENT, json.dumps([2, "1", "SetNetworkProfile", {"connectionData": {"apn": {"apnPassword": password}}}]))
    log.add(AT, RECEIVED, '[4,"1","InternalError","hush-hush-hush is no password",{}]')
    assert log.lines()[-1]["frame"][3] == "**REDACTED** is no password"


def test_of_an_address_its_host_is_told() -> None:
    log = FrameLog()
    location = "https://me:hush@host.example:8443/api/upload/0123456789abcdef?sig=secret"
    log.add(AT, SENT, json.dumps([2, "1", "GetLog", {"log": {"remoteLocation": location}}]))
    log.add(AT, RECEIVED, '[4,"1","InternalError","https://me:hush@host.example:8443/api/upload/0123456789abcdef is gone",{}]')
    log.add(AT, SENT, json.dumps([2, "2", "SetNetworkProfile", {"connectionData": {"ocppCsmsUrl": "ws://host.example:9000"}}]))
    asked, failed, profile = (line["frame"] for line in log.lines())
    assert asked[3]["log"]["remoteLocation"] == "https://host.example:8443/**REDACTED**"
    assert failed[3] == "https://host.example:8443/**REDACTED** is gone"
    assert profile[3]["connectionData"]["ocppCsmsUrl"] == "ws://host.example:9000"


def test_secrets_were_planted() -> None:
    secrets: list[str] = []
    for action in actions():
        list(frames(action, secrets))
    assert len(secrets) > 50


def test_a_secret_variable_is_left_out_and_another_is_not() -> None:
    def item(name: str, value: str) -> dict[str, Any]:
        return {"component": {"name": "C"}, "variable": {"name": name}, "attributeValue": value}

    log = FrameLog()
    payload = {"setVariableData": [item("BasicAuthPassword", "hush-hush-hush"), item("HeartbeatInterval", "60")]}
    log.add(AT, SENT, json.dumps([2, "1", "SetVariables", payload]))
    log.add(AT, RECEIVED, '[4,"1","InternalError","hush-hush-hush is no password",{"why":"hush-hush-hush"}]')
    told = json.dumps(log.lines())
    assert "hush" not in told and '"60"' in told


def test_the_same_token_is_known_by_the_same_hash() -> None:
    log = FrameLog()
    for token in ("04a1b2c3", "04A1B2C3", "04FFFFFF"):
        log.add(AT, RECEIVED, json.dumps([2, "1", "Authorize", {"idToken": {"idToken": token, "type": "ISO14443"}}]))
    one, same, other = (line["frame"][3]["idToken"]["idToken"] for line in log.lines())
    assert one == same != other and one.startswith("token-")


def test_what_is_no_frame_shows_its_shape_alone() -> None:
    log = FrameLog()
    log.add(AT, RECEIVED, '{"idToken": "04A1"}')
    assert log.lines()[0]["frame"] == '{"xxXxxxx": "00X0"}'.lower()


def test_the_ring_is_bounded_in_number_and_in_bytes() -> None:
    log = FrameLog(most_frames=10, most_bytes=5000)
    for number in range(50):
        log.add(AT, SENT, f'[3,"{number}",{{}}]')
    assert len(log) == 10 and log.lines()[-1]["frame"][1] == "49"
    for _ in range(50):
        log.add(AT, RECEIVED, "x" * 1000)
    assert 0 < len(log) < 5 and log.held_bytes <= 5000


def test_a_frame_costs_less_than_five_microseconds() -> None:
    log = FrameLog()
    text = "x" * 1200
    assert min(repeat(lambda: log.add(AT, RECEIVED, text), number=5000, repeat=7)) / 5000 < 5e-6
