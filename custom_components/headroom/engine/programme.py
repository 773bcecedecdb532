"""A linear programme, built column by column and solved by HiGHS."""

from dataclasses import dataclass, field
from importlib import import_module
from math import inf

TIME_LIMIT_S = 5.0
"""It takes milliseconds; a plan that takes longer than this comes too late to be worth it."""


class NoOptimumError(Exception):
    """HiGHS is not there, or found no optimum in the time it has."""


def available() -> bool:
    """Tell whether HiGHS can be loaded: it has no wheels for 32-bit machines, and one that is installed need not fit. May take a second."""
    try:
        import_module("highspy._core")
    except ImportError:
        return False
    return True


@dataclass(slots=True)
class Programme:
    """Maximise the rewards of the columns, each between 0 and its upper bound, while each row's sum stays between its bounds."""

    rewards: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    indices: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    row_lower: list[float] = field(default_factory=list)
    row_upper: list[float] = field(default_factory=list)

    def row(self, upper: float, lower: float = -inf) -> int:
        """Add a row and return its index."""
        self.row_lower.append(lower)
        self.row_upper.append(upper)
        return len(self.row_upper) - 1

    def column(self, upper: float, reward: float, entries: list[tuple[int, float]]) -> int:
        """Add a column with its entries (row, coefficient) and return its index."""
        self.rewards.append(reward)
        self.upper.append(upper)
        for row, coefficient in entries:
            self.indices.append(row)
            self.values.append(coefficient)
        self.starts.append(len(self.indices))
        return len(self.rewards) - 1

    def maximise(self) -> list[float]:
        """Return an optimal value for each column, the same one each time; NoOptimumError where there is none to be had."""
        try:
            import highspy
            from highspy._core import _Highs  # the class around it announces itself on the standard output
            import numpy as np
        except ImportError as error:
            raise NoOptimumError("HiGHS is not installed") from error
        model = highspy.HighsLp()
        model.sense_ = highspy.ObjSense.kMaximize
        model.num_col_, model.num_row_ = len(self.rewards), len(self.row_upper)
        model.col_cost_ = np.array(self.rewards)
        model.col_lower_ = np.zeros(len(self.upper))
        model.col_upper_ = np.array(self.upper)
        model.row_lower_ = np.array(self.row_lower)
        model.row_upper_ = np.array(self.row_upper)
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = np.array(self.starts, dtype=np.int32)
        model.a_matrix_.index_ = np.array(self.indices, dtype=np.int32)
        model.a_matrix_.value_ = np.array(self.values)
        solver = _Highs()
        for option, value in OPTIONS.items():
            solver.setOptionValue(option, value)
        solver.passModel(model)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise NoOptimumError(solver.modelStatusToString(solver.getModelStatus()))
        return list(solver.getSolution().col_value)


OPTIONS: dict[str, str | int | float | bool] = {
    "output_flag": False,
    "presolve": "off",  # it costs more than it saves at some hundred columns
    "solver": "simplex",
    "threads": 1,
    "time_limit": TIME_LIMIT_S,
}
