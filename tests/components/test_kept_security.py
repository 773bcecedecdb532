"""What is kept of a station's security comes back as it was, whatever is kept."""

from datetime import UTC, datetime
import json

from hypothesis import given, strategies as st

from custom_components.headroom.const import CONF_SECURITY
from custom_components.headroom.csms.security.recognition import PROFILES, StationCertificate, StationSecurity
from custom_components.headroom.security_settings import station_document, station_security

words = st.text(min_size=1, max_size=20)
moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))
certificates = st.builds(StationCertificate, fingerprint=words, ends_at=st.none() | moments, taken=st.booleans())
securities = st.builds(
    StationSecurity,
    profile=st.sampled_from(PROFILES),
    password=st.none() | words,
    sent_passwords=st.lists(words, max_size=3).map(tuple),
    password_due=st.booleans(),
    certificates=st.lists(certificates, max_size=4).map(tuple),
    serial_number=st.none() | words,
)


@given(security=securities)
def test_what_is_kept_of_a_station_comes_back_as_it_was(security: StationSecurity) -> None:
    kept = json.loads(json.dumps(station_document(security)))
    again = station_security({CONF_SECURITY: kept})
    assert again == security
    assert (again.has_certificate, again.certificate_ends_at) == (security.has_certificate, security.certificate_ends_at)


def test_what_was_kept_by_earlier_versions_is_read() -> None:
    kept = {"profile": 3, "next_password": "hash", "certificates": ["aa", {"fingerprint": "bb"}]}
    found = station_security({CONF_SECURITY: kept})
    assert found == StationSecurity(
        profile=3, sent_passwords=("hash",), certificates=(StationCertificate("aa"), StationCertificate("bb")), password_due=False
    )
    assert found.has_certificate and station_security({}) == StationSecurity()
