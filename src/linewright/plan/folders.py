"""What all plans have in common: tables with a meaning, in a folder that reads back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import pyarrow as pa
import pyarrow.parquet as pq

from linewright.errors import ResultError
from linewright.model.line import Line
from linewright.model.load import loads
from linewright.results import write_folder

__all__ = ["Columns", "PlanFolder", "described_table"]

Columns = Mapping[str, Mapping[str, tuple[Any, str]]]
"""Columns by table: the type of each, and what it means."""


def described_table(
    columns: Columns, name: str, rows: Sequence[Mapping[str, Any]]
) -> pa.Table:
    """Return a table from its rows, each column with what it means."""
    fields = [
        pa.field(column, kind, metadata={"description": text})
        for column, (kind, text) in columns[name].items()
    ]
    arrays = [
        pa.array([row.get(column) for row in rows], kind)
        for column, (kind, _) in columns[name].items()
    ]
    return pa.Table.from_arrays(
        arrays, schema=pa.schema(fields, metadata={"table": name})
    )


@dataclass(frozen=True)
class PlanFolder:
    """Tables about a line, and what they come from.

    Attributes:
        manifest: Model name and hash, version, seed and so on.
        line: The line.
        tables: The tables by name.
    """

    manifest: dict[str, Any]
    line: Line
    tables: dict[str, pa.Table]

    KIND: ClassVar[str]
    CALLED: ClassVar[str]
    VERSION_KEY: ClassVar[str]
    VERSION: ClassVar[int]
    COLUMNS: ClassVar[Columns]

    def table(self, name: str) -> pa.Table:
        """Return a table, every column with a description."""
        if name not in self.tables:
            msg = f'no table "{name}"; there are {", ".join(self.tables)}'
            raise KeyError(msg)
        return self.tables[name]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table as mappings."""
        rows: list[dict[str, Any]] = self.table(name).to_pylist()
        return rows

    def save(self, folder: str | Path) -> Path:
        """Write the tables as a folder; an older one there is replaced as a whole.

        Raises:
            ResultError: The folder holds something that is not a result.
        """
        return write_folder(folder, self.manifest, self.line, self.tables)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a folder that `save` wrote.

        Raises:
            ResultError: It is none, or one of a version this release cannot read.
        """
        folder = Path(folder)
        try:
            text = (folder / "manifest.json").read_text(encoding="utf-8")
            manifest = json.loads(text)
            if manifest.get("kind") != cls.KIND:
                msg = f"it is no {cls.CALLED}"
                raise ValueError(msg)
            version = manifest[cls.VERSION_KEY]
            if version != cls.VERSION:
                msg = (
                    f"{cls.VERSION_KEY} is {version}; this release reads {cls.VERSION}"
                )
                raise ValueError(msg)
            text = (folder / "model.json").read_text(encoding="utf-8")
            line = loads(text, file=str(folder / "model.json"), folder=folder)
            tables = {
                name: pq.read_table(folder / f"{name}.parquet") for name in cls.COLUMNS
            }
        except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
            msg = f"{folder} is not the folder of a {cls.CALLED}: {error}"
            raise ResultError(msg) from error
        return cls(manifest, line, tables)
