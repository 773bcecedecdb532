"""The site's own certificates: names of any script, and clocks that were wrong for a while."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from custom_components.headroom.csms.security.authority import ROOT_VALID_DAYS, common_name, create_root, expires_at, issued_by, matches
from custom_components.headroom.csms.security.vault import Issued, Vault

from .secured import NOW, ROOT, keep


@pytest.mark.parametrize(
    "name",
    ["", "Home", "Tiefgarage Königsallee", "東京都千代田区丸の内一丁目駐車場" * 3, "ä" * 100, "x" * 100],
    ids=["none", "short", "umlaut", "kanji", "umlauts", "long"],
)
def test_a_site_of_any_name_has_a_root(name: str) -> None:
    found = common_name(create_root(name, NOW).certificate)
    assert found is not None and found.endswith("Headroom root") and len(found.encode()) <= 64
    assert found.startswith(name[:10])


def test_a_certificate_from_a_clock_that_was_ahead_is_made_anew(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    keep(vault.folder, "root", ROOT)
    ahead = vault.issue("Home", ("127.0.0.1",), NOW + timedelta(days=90))
    issued = vault.issue("Home", ("127.0.0.1",), NOW)
    assert issued.renewed and issued.expires_at < ahead.expires_at  # no station took it before its time
    assert not vault.issue("Home", ("127.0.0.1",), NOW).renewed


def test_a_server_certificate_ends_no_later_than_the_root_and_is_not_made_anew_for_that(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    ends_at = expires_at(vault.root("Home", NOW - timedelta(days=ROOT_VALID_DAYS - 30)).certificate)
    issued = vault.issue("Home", ("127.0.0.1",), NOW)
    assert issued.expires_at == ends_at and ends_at - NOW < timedelta(days=31)
    assert not vault.issue("Home", ("127.0.0.1",), NOW).renewed
    with pytest.raises(ValueError, match="the root has ended"):
        vault.issue("Home", ("127.0.0.1",), ends_at + timedelta(days=1))


def test_two_that_issue_at_once_issue_the_same(tmp_path: Path) -> None:
    begun = Barrier(2)

    def issue(_: int) -> Issued:
        begun.wait()
        return Vault(tmp_path / "vault").issue("Home", ("127.0.0.1",), NOW)

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(issue, range(2))
    assert one.root == other.root and {one.renewed, other.renewed} == {True, False}
    for chain, key in one.servers:
        assert matches(chain.read_text(), key.read_text()) and issued_by(chain.read_text(), one.root.certificate)


def test_a_clock_from_before_the_root_was_made_changes_nothing(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    keep(vault.folder, "root", ROOT)
    issued = vault.issue("Home", ("127.0.0.1",), NOW)
    long_ago = expires_at(ROOT.certificate) - timedelta(days=ROOT_VALID_DAYS + 1000)
    assert not vault.issue("Home", ("127.0.0.1",), long_ago).renewed
    assert vault.issue("Home", ("127.0.0.1",), NOW).expires_at == issued.expires_at
