"""The variables of a station's device model, and what it answers about them, as values of no version."""

from dataclasses import dataclass
from enum import StrEnum

type VariableKey = tuple[str, str]
"""A variable of the device model: (component, variable), each as "Name[instance]", a component with "@evse:connector"; what is absent is left out."""


class AttributeType(StrEnum):
    """Which value of a variable is meant (OCPP's AttributeEnumType)."""

    ACTUAL = "Actual"
    TARGET = "Target"
    MIN_SET = "MinSet"
    MAX_SET = "MaxSet"


class Mutability(StrEnum):
    """What may be done with an attribute (OCPP's MutabilityEnumType)."""

    READ_ONLY = "ReadOnly"
    WRITE_ONLY = "WriteOnly"
    READ_WRITE = "ReadWrite"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableAttribute:
    """One value of a variable; `value` is None where the station does not tell it."""

    type: AttributeType = AttributeType.ACTUAL
    value: str | None = None
    mutability: Mutability = Mutability.READ_WRITE
    persistent: bool = False
    """It outlives a reboot."""
    constant: bool = False
    """It never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableCharacteristics:
    """What kind of values a variable takes. `data_type` is OCPP's DataEnumType, `values` what an OptionList, SequenceList or MemberList may hold."""

    data_type: str = "string"
    unit: str | None = None
    min_limit: float | None = None
    max_limit: float | None = None
    """For a text or a list: its greatest length."""
    values: tuple[str, ...] = ()
    supports_monitoring: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceVariable:
    """One variable of a station's device model. `characteristics` is None where the station did not describe it."""

    attributes: tuple[VariableAttribute, ...] = (VariableAttribute(),)
    characteristics: VariableCharacteristics | None = None

    def attribute(self, kind: AttributeType = AttributeType.ACTUAL) -> VariableAttribute | None:
        """Return one of its values, None where it has none of this kind."""
        return next((attribute for attribute in self.attributes if attribute.type is kind), None)

    @property
    def value(self) -> str | None:
        """Its actual value."""
        return None if (actual := self.attribute()) is None else actual.value

    @property
    def writable(self) -> bool:
        """Whether its actual value may be set."""
        return (actual := self.attribute()) is not None and actual.mutability is not Mutability.READ_ONLY and not actual.constant


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableResult:
    """What a station answered about one variable. `status` is OCPP's own word, "" where it left the variable out."""

    status: str
    value: str | None = None
    reason: str = ""
    """The statusInfo's reason code and what it adds to it."""

    @property
    def taken(self) -> bool:
        """Whether the station did as it was told, be it after its next reboot."""
        return self.status in ("Accepted", "RebootRequired")
