"""How long a station is given to answer: longer where its answers came late, and as long as others once they come in time again."""

LONGEST_S = 30.0
"""No station is given longer, however late it was: nothing else can be asked of it meanwhile."""
SPARE = 1.5
"""It is given so many times what an answer took…"""
EASES = 0.9
"""…and with each that takes less, this share of what it was given before."""


class Patience:
    """With one station, for each action apart: what takes it long lets nothing else wait longer."""

    def __init__(self, usual_s: float) -> None:
        """Give it as long as others, who may be given more than LONGEST_S."""
        self._usual_s = usual_s
        self._longer_s: dict[str, float] = {}

    def given_s(self, action: str) -> float:
        """Return how long it is given to answer a request."""
        return self._longer_s.get(action, self._usual_s)

    def learn(self, action: str, took_s: float) -> None:
        """Take note of how long an answer took, in time or not."""
        wanted_s = min(LONGEST_S, max(SPARE * took_s, EASES * self.given_s(action)))
        if wanted_s > self._usual_s:
            self._longer_s[action] = wanted_s
        else:
            self._longer_s.pop(action, None)
