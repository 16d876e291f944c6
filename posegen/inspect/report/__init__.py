"""A page about a dataset or annotations: counted, measured and shown, in one file that needs no network."""

from posegen.inspect.report.run import DEFAULT_SAMPLES, write_report

__all__ = ["DEFAULT_SAMPLES", "write_report"]
