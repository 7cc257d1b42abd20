"""Which format a source has, and its importer."""

from __future__ import annotations

from pathlib import Path

from linewright.errors import Finding, ModelError
from linewright.importers import cmsd, smt2020
from linewright.importers.source import Files, Imported

__all__ = ["import_model"]


def import_model(source: str | Path) -> Imported:
    """Read a model of another tool.

    Args:
        source: A folder or ZIP file of SMT2020 tables, or a CMSD document (XML).

    Raises:
        ModelError: The source cannot be read, is of no known format, or is wrong; all
            findings at once.
    """
    if cmsd.is_it(Path(source)):
        return cmsd.read(Path(source))
    files = Files(source)
    if smt2020.is_it(files):
        return smt2020.read(files)
    msg = "is of no format that is known here; known are SMT2020 tables (tool.txt, "
    msg += "order.txt, part.txt and routes, in a folder or ZIP file) and CMSD (.xml)"
    raise ModelError([Finding("LW400", msg, file=str(source))])
