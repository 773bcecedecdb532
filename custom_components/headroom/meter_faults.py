"""What is wrong with a meter, in Home Assistant's language."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import async_get_cached_translations

from .const import DOMAIN
from .metering.fault import Trouble


@callback
def in_words(hass: HomeAssistant, trouble: Trouble | None) -> str:
    """Return it as a sentence for people; a dash where nobody knows what it is. What a translation lacks is told in English."""
    if trouble is None:
        return "–"
    texts = async_get_cached_translations(hass, hass.config.language, "exceptions", DOMAIN)
    text = texts.get(f"component.{DOMAIN}.exceptions.{trouble.fault.key}.message", trouble.fault)
    try:
        return text.format(**trouble.values)
    except LookupError, ValueError:  # a translator's slip must cost nobody the cause
        return str(trouble)
