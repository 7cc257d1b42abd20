"""Models written for other tools, read as models of this one.

Each module reads one format and returns an `Imported`: the line, and what the source
says and the model cannot, row by row. `source` is what they share.
"""

from linewright.importers.find import import_model
from linewright.importers.source import Imported, Note

__all__ = ["Imported", "Note", "import_model"]
