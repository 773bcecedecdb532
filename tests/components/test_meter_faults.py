"""What is wrong with a meter is told in the user's language, with all that was found out."""

from collections.abc import Callable
from dataclasses import replace
import string

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom import meter_faults
from custom_components.headroom.const import DOMAIN
from custom_components.headroom.meter_faults import in_words
from custom_components.headroom.metering.fault import Fault, Trouble
from custom_components.headroom.repairs import async_sync_issues
from custom_components.headroom.site.snapshot import MeterHealth

from .test_repairs import MAIN, QUIET
from .test_texts import TEXTS

SILENT = Trouble(Fault.NO_ANSWER, {"source": "192.0.2.4:502", "unit_id": "7"})
type Speak = Callable[[Fault, str], None]


@pytest.fixture
def german(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Speak:
    """Have Home Assistant speak German, of which it knows what it is told."""
    hass.config.language = "de"
    known: dict[str, str] = {}

    def cached(_: HomeAssistant, language: str, category: str, integration: str) -> dict[str, str]:
        return known if (language, category, integration) == ("de", "exceptions", DOMAIN) else {}

    def speak(fault: Fault, text: str) -> None:
        known[f"component.{DOMAIN}.exceptions.{fault.key}.message"] = text

    monkeypatch.setattr(meter_faults, "async_get_cached_translations", cached)
    return speak


@pytest.mark.parametrize("fault", Fault)
def test_each_fault_has_a_text_that_says_it_in_the_same_words(fault: Fault) -> None:
    assert TEXTS["exceptions"][fault.key]["message"] == fault


def test_a_translation_is_filled_with_what_was_found_out(hass: HomeAssistant, german: Speak) -> None:
    german(Fault.NO_ANSWER, "Gerät {unit_id} an {source} antwortet nicht")
    assert in_words(hass, SILENT) == "Gerät 7 an 192.0.2.4:502 antwortet nicht"
    assert in_words(hass, None) == "–"


@pytest.mark.parametrize("text", ["Gerät {unit}", "Gerät {", "Gerät {0}"])
def test_a_translators_slip_and_a_missing_text_are_english(hass: HomeAssistant, german: Speak, text: str) -> None:
    assert in_words(hass, SILENT) == "192.0.2.4:502: no answer from unit id 7"
    german(Fault.NO_ANSWER, text)
    assert in_words(hass, SILENT) == "192.0.2.4:502: no answer from unit id 7"


def test_the_repair_of_a_lost_meter_says_the_cause_in_the_users_language(
    hass: HomeAssistant, german: Speak, mock_config_entry: MockConfigEntry
) -> None:
    mock_config_entry.add_to_hass(hass)
    german(Fault.NO_ANSWER, "{source} schweigt")
    async_sync_issues(hass, mock_config_entry, replace(QUIET, circuits={"main": replace(MAIN, meter=MeterHealth.LOST, meter_error=SILENT)}))
    [issue] = ir.async_get(hass).issues.values()
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["cause"] == "192.0.2.4:502 schweigt"


@pytest.mark.usefixtures("init_integration")
async def test_home_assistant_has_the_texts_once_the_site_is_set_up(hass: HomeAssistant) -> None:
    texts = meter_faults.async_get_cached_translations(hass, hass.config.language, "exceptions", DOMAIN)
    assert {f"component.{DOMAIN}.exceptions.{fault.key}.message" for fault in Fault} <= texts.keys()


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_is_told_with_nothing_left_open(fault: Fault) -> None:
    names = {name for _, name, _, _ in string.Formatter().parse(fault) if name}
    assert "{" not in str(Trouble(fault, dict.fromkeys(names, "x")))
