"""Optional packages: what is said where one is missing."""

import importlib
import sys

import pytest

from posegen.build.executors import create_executor
from posegen.errors import ConfigError, MissingExtraError
from posegen.export import export
from posegen.storage import find_place


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_an_adapter_without_its_package_names_the_command_that_brings_it(name, monkeypatch):
    for module in [m for m in sys.modules if m.startswith(f"posegen.adapters.{name}")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'posegen\[{name}\]'"):
        importlib.import_module(f"posegen.adapters.{name}")


def test_dask_is_asked_for_by_the_command_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'posegen\[dask\]'"):
        create_executor("dask")
    for options, why in (
        ({"scheduler": "tcp://head:8786"}, "it goes with the backend dask"),
        ({"backend": "slurm"}, "backend must be one of local, dask, not 'slurm'"),
        ({"workers": 0}, "workers must be at least 1"),
    ):
        with pytest.raises(ConfigError, match=why):
            create_executor(**{"backend": None, **options})


def test_a_url_without_its_package_names_the_command_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'posegen\[remote\]'"):
        find_place("s3://bucket/file").read_bytes()


@pytest.mark.parametrize(("form", "package"), [("webdataset", "webdataset"), ("parquet", "pyarrow")])
def test_an_export_without_its_package_names_the_command_that_brings_it(form, package, dataset, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"needs {package}, .*pip install 'posegen\[export\]'"):
        export(dataset, tmp_path / "out", form=form)
    assert not (tmp_path / "out").exists()
