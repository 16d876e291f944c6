"""Files that lie elsewhere than in a directory: in an archive, in a bucket, on a server.

`place` says what such a file or folder can do, `archives` and `remote` do it, `find` tells from a path or a URL which
of them it is. Whatever goes wrong there is an `OSError` with a sentence, as it is with a file on disk.
"""

from posegen.storage.find import find_place
from posegen.storage.place import AnyPath, Location, Place, identify, list_folder, list_names, read_checked

__all__ = ["AnyPath", "Location", "Place", "find_place", "identify", "list_folder", "list_names", "read_checked"]
