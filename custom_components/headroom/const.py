"""Names that the configuration, the entities and the actions share."""

from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "headroom"

PLATFORMS: Final = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.DATETIME,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.UPDATE,
)

# The config entry's data: the site.
CONF_PHASES: Final = "phases"
CONF_VOLTAGE_V: Final = "voltage_v"
CONF_FUSE_A: Final = "fuse_a"
CONF_MARGIN_A: Final = "margin_a"
CONF_WORST_CASE_A: Final = "worst_case_a"
CONF_METER: Final = "meter"
CONF_LIMIT_KW: Final = "limit_kw"
CONF_SPARE_FLASH: Final = "spare_flash"
CONF_METER_LOST_AFTER_S: Final = "meter_lost_after_s"
CONF_IMBALANCE: Final = "imbalance"
IMBALANCE_OFF: Final = "off"

CONF_SECURITY: Final = "security"
"""In the entry: what the site asks of stations; in a station's subentry: what it is recognised by."""

# Under CONF_SECURITY.
CONF_PROFILE: Final = "profile"
CONF_TLS: Final = "tls"
CONF_TLS_PORT: Final = "tls_port"
CONF_SERVER_NAMES: Final = "server_names"
CONF_CERTIFICATE: Final = "certificate"
CONF_PRIVATE_KEY: Final = "private_key"
CONF_CLIENT_ROOT: Final = "client_root"
CONF_UNKNOWN_STATIONS: Final = "unknown_stations"
"""Whether a station that nobody knows may wait, unserved, for approval."""
TLS_NONE: Final = "none"
TLS_OWN: Final = "own"
TLS_FILES: Final = "files"
DEFAULT_TLS_PORT: Final = 9443
DEFAULT_SECURITY_PROFILE: Final = 1
"""Of a new site: whoever knows a station's name must not be able to take its place. TLS takes a root certificate in every station."""

# Under CONF_METER.
CONF_INVERT: Final = "invert"
CONF_UNIT_ID: Final = "unit_id"
CONF_CURRENT: Final = "current_l"
"""With the number of the phase behind it: the entity with that phase's current."""
CONF_POWER: Final = "power_l"
CONF_POWER_TOTAL: Final = "power_total"
CONF_IMPORT_ENERGY: Final = "import_energy"
CONF_EXPORT_ENERGY: Final = "export_energy"
METER_NONE: Final = "none"
METER_ENTITIES: Final = "entities"
METER_MODBUS: Final = "modbus"
METER_SERIAL: Final = "serial"
METER_REST: Final = "rest"
MODEL_AUTO: Final = "auto"
"""The model is to be found out."""
CONF_FRAMING: Final = "framing"
CONF_BAUD_RATE: Final = "baud_rate"
CONF_PARITY: Final = "parity"
CONF_STOP_BITS: Final = "stop_bits"
CONF_EXPORTED: Final = "exported_l"
"""As CONF_POWER, where import and export are kept apart."""
CONF_EXPORTED_TOTAL: Final = "exported_total"
CONF_ONLY_CHANGES: Final = "only_changes"
CONF_CURRENT_UNIT: Final = "current_unit"
CONF_POWER_UNIT: Final = "power_unit"
CONF_ENERGY_UNIT: Final = "energy_unit"
CONF_PHASE_ORDER: Final = "phase_order"
"""The grid's conductors that the meter's L1, L2 and L3 are wired to."""

CONF_PEAK: Final = "peak"
"""In the entry: what no quarter-hour's average import is to exceed."""

# Under CONF_PEAK.
CONF_PEAK_GOAL_KW: Final = "goal_kw"
CONF_PEAK_FOLLOWS_MONTH: Final = "follows_month"
CONF_PEAK_CONTRACT_KW: Final = "contract_kw"
CONF_PEAK_WINDOW: Final = "window_average"
"""The entity with the running quarter-hour's average, as the meter itself tells it."""
CONF_PEAK_MONTH: Final = "month_peak"
PEAK_LEAST_KW: Final = 0.5
PEAK_MOST_KW: Final = 10000.0

# The config entry's options: who may charge.
CONF_FREE_CHARGING: Final = "free_charging"
CONF_ID_TOKENS: Final = "id_tokens"
"""What was typed when the site was set up; the tokens themselves are subentries."""
CONF_NO_AUTHORIZATION: Final = "no_authorization"
CONF_UNKNOWN_OFFLINE: Final = "unknown_offline"

# Subentries.
SUBENTRY_CIRCUIT: Final = "circuit"
SUBENTRY_ID_TOKEN: Final = "id_token"
SUBENTRY_RESOURCE: Final = "resource"
SUBENTRY_STATION: Final = "station"
CONF_PARENT: Final = "parent"
CONF_UNMANAGED_WORST_A: Final = "unmanaged_worst_a"
CONF_IDENTITY: Final = "identity"
CONF_CIRCUIT: Final = "circuit"
CONF_EVSES: Final = "evses"
CONF_EVSE_COUNT: Final = "evse_count"
CONF_EVSE_ID: Final = "evse_id"
CONF_ROTATION: Final = "rotation"
CONF_MAX_A: Final = "max_a"
CONF_SWITCHES_PHASES: Final = "switches_phases"
ROTATION_UNKNOWN: Final = "unknown"

# In the subentry of a PV system or home battery.
CONF_KIND: Final = "kind"
CONF_WIRED_TO: Final = "wired_to"
CONF_MOST_A: Final = "most_a"
CONF_COUNTED: Final = "counted"
"""Whether what it gives may be used by cars."""
CONF_GIVES_WAY: Final = "gives_way"
"""Whether what it draws may be."""

# In the subentry of a token.
CONF_BLOCKED: Final = "blocked"
CONF_CONCURRENT: Final = "concurrent"
CONF_KEEPS_PHASES: Final = "keeps_phases"
CONF_PRIORITY: Final = "priority"
PRIORITY_OF_EVSE: Final = "evse"
"""The token's car stands where the EVSE's cars do."""
CONF_GROUP: Final = "group"
CONF_ID_TOKEN: Final = "id_token"
CONF_MASTER_PASS: Final = "master_pass"
CONF_PLACES: Final = "places"
CONF_PRESENTED: Final = "presented"
CONF_VALID_UNTIL: Final = "valid_until"
TYPE_ANY: Final = "any"

MAIN_CIRCUIT_ID: Final = "main"
"""The root of the tree: the site's own connection."""

SECTION_ADVANCED: Final = "advanced"

DEFAULT_FUSE_A: Final = 25.0
DEFAULT_MARGIN_A: Final = 2.0
DEFAULT_VOLTAGE_V: Final = 230.0
SPLIT_PHASE: Final = 2
"""So many conductors has a connection of North America's kind: two legs, 120 V to neutral and 240 V between them."""
DEFAULT_SPLIT_PHASE_V: Final = 120.0
SPLIT_PHASE_MOST_V: Final = 150.0
"""A leg has less to neutral."""
DEFAULT_WORST_CASE_A: Final = 16.0
DEFAULT_METER_LOST_AFTER_S: Final = 30
DEFAULT_LISTEN_HOST: Final = "0.0.0.0"
DEFAULT_LISTEN_PORT: Final = 9000
DEFAULT_MODBUS_PORT: Final = 502
DEFAULT_UNIT_ID: Final = 1
DEFAULT_RESOURCE_A: Final = 16.0

EVSE_LEAST_A: Final = 6.0
EVSE_MOST_A: Final = 80.0
"""The highest current of a Mode 3 connection (IEC 61851-1)."""
DEFAULT_EVSE_A: Final = 32.0
