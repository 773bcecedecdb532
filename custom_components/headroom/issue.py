"""What an issue is before it is in the registry."""

from typing import NamedTuple

from homeassistant.helpers import issue_registry as ir


class Issue(NamedTuple):
    """One entry of the issue registry. What differs from turn to turn has no place in the placeholders."""

    translation_key: str
    severity: ir.IssueSeverity
    placeholders: dict[str, str]
    identity: str | None = None
    """What the repair is about: a station by its identity, a subentry or a circuit by its id; None where there is nothing to be done by a click."""
