"""Times as OCPP writes them."""

from datetime import UTC, datetime


def written(moment: datetime) -> str:
    """Return RFC 3339 with milliseconds, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(text: str) -> datetime:
    """Return a moment; one without a zone is UTC. Raises ValueError where it is none."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
