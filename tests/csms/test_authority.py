"""The site's own certificates: names of any script, and clocks that were wrong for a while."""

from datetime import timedelta
from pathlib import Path

import pytest

from custom_components.headroom.csms.security.authority import ROOT_VALID_DAYS, common_name, create_root, expires_at
from custom_components.headroom.csms.security.vault import Vault

from .secured import NOW, ROOT


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
    vault._write("root", ROOT)
    ahead = vault.issue("Home", ("127.0.0.1",), NOW + timedelta(days=90))
    issued = vault.issue("Home", ("127.0.0.1",), NOW)
    assert issued.renewed and issued.expires_at < ahead.expires_at  # no station took it before its time
    assert not vault.issue("Home", ("127.0.0.1",), NOW).renewed


def test_a_clock_from_before_the_root_was_made_changes_nothing(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    vault._write("root", ROOT)
    issued = vault.issue("Home", ("127.0.0.1",), NOW)
    long_ago = expires_at(ROOT.certificate) - timedelta(days=ROOT_VALID_DAYS + 1000)
    assert not vault.issue("Home", ("127.0.0.1",), long_ago).renewed
    assert vault.issue("Home", ("127.0.0.1",), NOW).expires_at == issued.expires_at
