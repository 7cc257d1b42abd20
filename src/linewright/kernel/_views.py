"""Tables behind one pointer: how compiled functions hand each other the whole line.

Numba passes a tuple of arrays as seven numbers an array, some three hundred for a line
and its state, at every call that is not inlined: compilation then takes minutes. Here a
set of tables is a directory of addresses and lengths, compiled functions pass a pointer
to it, and ``state.servers`` is an array made on the spot from two loads. The loads are
marked invariant, because a directory does not change while compiled code runs.

Without compilation (``NUMBA_DISABLE_JIT=1``) a set of tables is the tuple itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_getattr_generic
from numba.extending import (
    infer_getattr,
    intrinsic,
    models,
    register_model,
)
from numba.core.typing.templates import AttributeTemplate
from numba.np import arrayobj

from linewright import tables

__all__ = ["open_draws", "open_line", "open_state", "pack"]


class TableSet(types.Type):
    """The Numba type of a set of tables: a name and the array type of each field."""

    def __init__(self, name: str, fields: tuple[tuple[str, types.Array, int], ...]) -> None:
        self.fields = {field: (i, kind, width) for i, (field, kind, width) in enumerate(fields)}
        super().__init__(name=f"TableSet({name})")


@register_model(TableSet)
class _TableSetModel(models.PrimitiveModel):  # type: ignore[misc]
    """A pointer to a directory, kept as a number."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.IntType(64))


@infer_getattr
class _TableSetAttributes(AttributeTemplate):  # type: ignore[misc]
    key = TableSet

    def generic_resolve(self, typ: TableSet, attr: str) -> Any:
        """Return the array type of a field."""
        found = typ.fields.get(attr)
        return None if found is None else found[1]


@lower_getattr_generic(TableSet)
def _table_of(context: Any, builder: Any, typ: TableSet, value: Any, attr: str) -> Any:
    """Build the array of a field from its address and length."""
    place, kind, width = typ.fields[attr]
    i64 = ir.IntType(64)
    directory = builder.inttoptr(value, i64.as_pointer())
    invariant = builder.module.add_metadata([])

    def load(i: int) -> Any:
        found = builder.load(builder.gep(directory, [ir.Constant(i64, i)]))
        found.set_metadata("invariant.load", invariant)
        return found

    address, length = load(2 * place), load(2 * place + 1)
    itemsize = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    array = arrayobj.make_array(kind)(context, builder)
    pointer = builder.inttoptr(address, array.data.type)
    size = ir.Constant(context.get_value_type(types.intp), itemsize)
    shape, strides = [length], [size]
    if width:
        shape = [length, ir.Constant(i64, width)]
        strides = [ir.Constant(i64, width * itemsize), size]
    arrayobj.populate_array(
        array,
        data=pointer,
        shape=cgutils.pack_array(builder, shape),
        strides=cgutils.pack_array(builder, strides),
        itemsize=size,
        meminfo=None,
    )
    return array._getvalue()


# width of the tables with two dimensions; it is fixed so that strides are constants
_WIDTHS = {
    "accounts": tables.N_MODES,
    "flow": tables.N_FLOW_BUCKETS,
    "heap": 4,
    "trace": len(tables.TRACE_COLUMNS),
}


def _table_set(name: str, kinds: dict[str, np.dtype[Any]]) -> TableSet:
    fields = []
    for field, dtype in kinds.items():
        width = _WIDTHS.get(field, 0)
        array = types.Array(numba.from_dtype(dtype), 2 if width else 1, "C")
        fields.append((field, array, width))
    return TableSet(name, tuple(fields))


_LINE = _table_set("line", tables.LINE_DTYPES)
_STATE = _table_set("state", tables.STATE_DTYPES)
_DRAWS = _table_set("draws", tables.DRAWS_DTYPES)


def _opener(kind: TableSet) -> Any:
    @intrinsic
    def opener(typingctx: Any, directory: Any) -> Any:
        """Return the set of tables of a directory."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = arrayobj.make_array(signature.args[0])(context, builder, args[0])
            return builder.ptrtoint(array.data, ir.IntType(64))

        return kind(directory), codegen

    return opener


if numba.config.DISABLE_JIT:

    def _same(packed: Any) -> Any:
        return packed

    open_line = open_state = open_draws = _same

    def pack(tables_: NamedTuple) -> Any:
        """Return the tables with records whose fields are attributes."""
        return tables_._replace(
            **{
                name: array.view(np.recarray)
                for name, array in zip(tables_._fields, tables_, strict=True)
                if array.dtype.names
            }
        )

else:
    open_line = _opener(_LINE)
    open_state = _opener(_STATE)
    open_draws = _opener(_DRAWS)

    def pack(tables_: NamedTuple) -> Any:
        """Return the directory of a set of tables: an address and a length each.

        The caller keeps the tables alive as long as compiled code uses the directory.
        """
        out = np.empty(2 * len(tables_), np.int64)
        for i, array in enumerate(tables_):
            assert array.flags.c_contiguous
            out[2 * i] = array.ctypes.data
            out[2 * i + 1] = array.shape[0]
        return out
