"""What can be wrong with a meter: a key for whoever translates it, the English words, and what they are filled with."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Each is its English words; who shows it to people looks up its `key` in their language."""

    # Any source.
    NOT_CONNECTED = "{source}: cannot connect"
    CURRENT_NO_NUMBER = "{source}: the current of {phase} is {value}, not a number"
    CURRENT_TOO_GREAT = "{source}: the current of {phase} is {value} A, more than the {most} A possible here"
    POWER_NO_NUMBER = "{source}: the power is {value}, not a number"
    POWER_TOO_GREAT = "{source}: a power of {power} W does not go with currents that carry {apparent} VA; are the units right?"
    POWER_TOO_LITTLE = "{source}: a power of {power} W is too little for currents that carry {apparent} VA; are the units right?"
    POWER_OTHER_WAY = "{source}: the power says import ({power} W), every current says export; is one of them inverted?"

    # Modbus.
    NO_SERIAL_DEVICE = "{source}: is no serial device of this machine"
    NO_ANSWER = "{source}: no answer from unit id {unit_id}"
    NO_ANSWER_AT_GATEWAY = "{source}: no answer from unit id {unit_id} (the gateway says so)"
    REGISTERS_REFUSED = "{source}: refuses registers {first}–{last} (Modbus exception {code}); is it the model chosen?"
    NAMES_REFUSED = "{source}: refuses to say what it is (Modbus exception {code}); is it the model chosen?"
    REGISTERS_MISSING = "{source}: {came} registers came where {asked} were asked for"
    MODEL_UNKNOWN = "There is no meter model {model}"
    NO_SUNSPEC = "{source}: is no SunSpec device at unit id {unit_id}"
    NO_SUNSPEC_METER = "{source}: has no SunSpec meter model (201–204, 211–214)"
    TOO_FEW_PHASES = "{source}: measures {count} phase(s) where there are {phases}"
    OTHER_APPLICATION = "{source}: register {register} holds {value} and must hold {expected}: another application is set"
    NO_POWER = "{source}: says that it has no value for the power"
    NO_CURRENT = "{source}: says that it has no value for the current of {phase}"

    # A document over HTTP.
    NO_ADDRESS = "{url} is no address"
    NO_HTTP_ADDRESS = "{url} is no address that begins with http or https"
    CREDENTIALS_UNFIT = "{source}: a user name with a colon, or a token with a line break, can't be sent"
    CREDENTIALS_REFUSED = "{source}: refuses the credentials (status {status})"
    HTTP_STATUS = "{source}: answers with status {status}"
    TOO_MUCH = "{source}: sends more than {most} KiB"
    TOO_LATE = "{source}: no answer within {seconds} s"
    NOT_REACHED = "{source}: cannot connect ({detail})"
    NO_JSON = "{source}: what it sends is no JSON"
    NO_PATH = "{path} is no JSON path: {detail}"
    PATH_NOT_FOLLOWED = "{source}: {path} can't be followed: {detail}"
    PATH_LEADS_NOWHERE = "{source}: {path} leads to no values, and one is needed"
    PATH_NOT_ONE = "{source}: {path} leads to {count} values, and one is needed"
    PATH_NO_NUMBER = "{source}: {path} is no number but {value}"

    # Home Assistant's entities.
    ENTITY_MISSING = "{entity_id} does not exist"
    ENTITY_UNAVAILABLE = "{entity_id} is unavailable"
    ENTITY_UNKNOWN = "{entity_id} is unknown"
    ENTITY_NO_NUMBER = "{entity_id} has no number but {value}"
    ENTITY_NO_UNIT = "{entity_id} counts in no unit, which can't be turned into {unit}"
    ENTITY_OTHER_UNIT = "{entity_id} counts in {own_unit}, which can't be turned into {unit}"

    # What was chosen makes no reading.
    NOTHING_CHOSEN = "The meter needs the currents, the powers or the total power"
    CURRENTS_OF_OTHERS = "The site has {phases} phase(s), and {count} currents are given"
    POWERS_OF_OTHERS = "The site has {phases} phase(s), and {count} powers are given"
    EXPORTED_POWERS_OF_OTHERS = "The site has {phases} phase(s), and {count} exported powers are given"
    EXPORTED_POWERS_ALONE = "Exported powers are given, and no imported ones"
    EXPORTED_TOTAL_ALONE = "An exported total is given, and no imported one"

    # What the loop sees of it.
    TURNED = "it falls when cars draw more: import and export are swapped"
    UNSEEN = "it does not move when cars draw more or less: they are not behind it"
    FROZEN = "it shows the same all the time, and is not to be believed"

    @property
    def key(self) -> str:
        """What its text is called in the translations."""
        return f"meter_{self.name.lower()}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one meter: a fault, and what its words are filled with. In a log it is told in English."""

    fault: Fault
    values: Mapping[str, str]

    def __str__(self) -> str:
        """Return it in English; KeyError where a value is missing."""
        return self.fault.format(**self.values)
