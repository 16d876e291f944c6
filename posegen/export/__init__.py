"""A dataset written in a form that other libraries read: tar archives of WebDataset, or Parquet.

`samples` reads it as what both have of a sample, `webdataset` and `parquet` write that by the libraries of these names,
`run` puts the files in place and a description of them last.
"""

from posegen.export.run import FORMATS, Format, export

__all__ = ["FORMATS", "Format", "export"]
