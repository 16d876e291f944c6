"""Optional packages: what is said where one is missing."""

import importlib
import sys

import pytest

from posegen.errors import MissingExtraError


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_an_adapter_without_its_package_names_the_command_that_brings_it(name, monkeypatch):
    for module in [m for m in sys.modules if m.startswith(f"posegen.adapters.{name}")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'posegen\[{name}\]'"):
        importlib.import_module(f"posegen.adapters.{name}")
