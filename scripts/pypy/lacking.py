"""What Python 3.14 and compiled libraries have and PyPy 3.11 lacks, so far as a soak uses it; importing this puts it there.

Where a figure could depend on it, it is to the digit what CPython does.
"""

import builtins
from collections.abc import Iterable, Iterator
import dataclasses
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
import inspect
import itertools
import json
import sys
import types
import typing
from typing import Any, ClassVar

UNUSED = {"bcrypt", "cryptography", "jsonschema"}
"""Imported on the way, and never called by a soak: they have no wheel for PyPy."""


def _two_sum(high: float, low: float, more: float) -> tuple[float, float]:
    """Add one float to a sum that is kept in two (Neumaier 1974)."""
    total = high + more
    return total, low + ((high - total) + more if abs(high) >= abs(more) else (more - total) + high)


def _rounded(high: float, low: float) -> float:
    return high + low if low and low - low == 0.0 else high


def compensated_sum(iterable: Iterable[Any], /, start: Any = 0) -> Any:
    """Add up as CPython does from 3.12 on: floats, and from 3.14 on complex numbers, with what rounding has lost."""
    remaining, total = iter(iterable), start
    if type(total) is int:
        for each in remaining:
            total = total + each
            if type(each) is not int and type(each) is not bool:
                break
    if type(total) is float:
        high, low = total, 0.0
        for each in remaining:
            if type(each) is float:
                high, low = _two_sum(high, low, each)
            elif type(each) is int or type(each) is bool:
                high += float(each)
            else:
                total = _rounded(high, low) + each
                break
        else:
            return _rounded(high, low)
    if type(total) is complex:
        real, real_low, imag, imag_low = total.real, 0.0, total.imag, 0.0
        for each in remaining:
            if type(each) is complex:
                real, real_low = _two_sum(real, real_low, each.real)
                imag, imag_low = _two_sum(imag, imag_low, each.imag)
            elif type(each) is float:
                real, real_low = _two_sum(real, real_low, each)
            elif type(each) is int or type(each) is bool:
                real += float(each)
            else:
                total = complex(_rounded(real, real_low), _rounded(imag, imag_low)) + each
                break
        else:
            return complex(_rounded(real, real_low), _rounded(imag, imag_low))
    for each in remaining:
        total = total + each
    return total


def batched(iterable: Iterable[Any], n: int, *, strict: bool = False) -> Iterator[tuple[Any, ...]]:
    """Stand in for itertools.batched (3.12)."""
    remaining = iter(iterable)
    while batch := tuple(itertools.islice(remaining, n)):
        if strict and len(batch) != n:
            raise ValueError("batched(): incomplete batch")
        yield batch


def _dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class _AnyName(type):
    """A class of which any name is to be had: itself."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class _Unused(types.ModuleType):
    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        setattr(self, name, _AnyName(name, (Exception,), {}))
        return getattr(self, name)


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname.partition(".")[0] in UNUSED else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return _Unused(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def _take_frozen_mappings() -> None:
    """Let a mappingproxy be a field's default, as it may from 3.12 on, where it has a hash."""
    source = inspect.getsource(dataclasses._get_field)  # noqa: SLF001 -- there is no other place where it is asked
    asked = "f.default.__class__.__hash__ is None"
    exec(source.replace(asked, f"{asked} and not isinstance(f.default, types.MappingProxyType)"), vars(dataclasses))  # noqa: S102 -- the standard library's own text, but for one more question


orjson = types.ModuleType("orjson")
orjson.loads, orjson.dumps = json.loads, _dumps
orjson.JSONDecodeError, orjson.JSONEncodeError = json.JSONDecodeError, TypeError
sys.modules["orjson"] = orjson
sys.meta_path.insert(0, _Finder())
builtins.sum, itertools.batched, typing.override = compensated_sum, batched, lambda function: function
_take_frozen_mappings()
