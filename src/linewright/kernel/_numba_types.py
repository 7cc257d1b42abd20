"""What Numba is told about the tables: their types, and instructions of our own.

A set of tables is passed as one pointer (`_views` says how and why). Every load and
store says which column of which table it touches (LLVM's type-based alias analysis), so
that writing one column does not make the compiler read all others again; the columns of
the line are marked as never written.
"""

from __future__ import annotations

import operator
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import (
    lower_builtin,
    lower_getattr_generic,
    lower_setattr_generic,
)
from numba.core.typing.templates import (
    AbstractTemplate,
    AttributeTemplate,
    infer_getattr,
    infer_global,
    signature,
)
from numba.extending import intrinsic, models, register_model

from linewright import tables

__all__ = [
    "call_at",
    "choose_blindly",
    "likely",
    "open_draws",
    "open_line",
    "open_state",
    "prefetch",
    "unlikely",
]

_I64 = ir.IntType(64)
_MEMORY = {
    types.int16: ir.IntType(16),
    types.int32: ir.IntType(32),
    types.int64: _I64,
    types.uint64: _I64,
    types.float64: ir.DoubleType(),
}

# width of the tables with two dimensions; it is fixed so that steps are constants
_WIDTHS = {
    "accounts": tables.N_MODES,
    "flow": tables.N_FLOW_BUCKETS,
    "heap": 4,
    "trace": len(tables.TRACE_COLUMNS),
}


class RowType(types.Type):
    """The Numba type of one row of a table of records: a pointer to it."""

    def __init__(self, table: str, record: types.Record, constant: bool) -> None:
        self.table, self.record, self.constant = table, record, constant
        super().__init__(name=f"Row({table})")


class TableType(types.Type):
    """The Numba type of a table: of its items, and how many are in a row."""

    def __init__(self, name: str, dtype: np.dtype[Any], constant: bool) -> None:
        self.table, self.constant = name, constant
        self.width = _WIDTHS.get(name.partition(".")[2], 0)
        item = numba.from_dtype(dtype)
        self.dtype = RowType(name, item, constant) if dtype.names else item
        super().__init__(name=f"Table({name})")


class TableSet(types.Type):
    """The Numba type of a set of tables: a name and the type of each table."""

    def __init__(self, name: str, kinds: dict[str, TableType]) -> None:
        self.places = {
            field: (i, kind) for i, (field, kind) in enumerate(kinds.items())
        }
        super().__init__(name=f"TableSet({name})")


@register_model(TableType)
class _TableModel(models.StructModel):
    """An address and a number of rows."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        members = [("address", types.int64), ("length", types.int64)]
        super().__init__(dmm, fe_type, members)


@register_model(RowType)
class _RowModel(models.PrimitiveModel):
    """The address of a row, as a pointer to bytes."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.IntType(8).as_pointer())


@register_model(TableSet)
class _TableSetModel(models.PrimitiveModel):
    """The address of a directory."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _I64)


@infer_getattr
class _TableSetAttributes(AttributeTemplate):
    key = TableSet

    def generic_resolve(self, typ: Any, attr: str) -> Any:
        """Return the type of a table."""
        return typ.places[attr][1] if attr in typ.places else None


@lower_getattr_generic(TableSet)
def _table_of(context: Any, builder: Any, typ: TableSet, value: Any, attr: str) -> Any:
    """Read a table's address and length from the directory."""
    place, kind = typ.places[attr]
    directory = builder.inttoptr(value, _I64.as_pointer())
    invariant = builder.module.add_metadata([])
    table = cgutils.create_struct_proxy(kind)(context, builder)
    for i, member in enumerate(("address", "length")):
        found = builder.load(builder.gep(directory, [ir.Constant(_I64, 2 * place + i)]))
        found.set_metadata("invariant.load", invariant)
        setattr(table, member, found)
    return table._getvalue()  # noqa: SLF001 - Numba's own way to read a proxy


def _index_type(table: TableType) -> Any:
    return types.UniTuple(types.intp, 2) if table.width else types.intp


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        """Type ``table[row]`` and ``table[row, column]``."""
        if isinstance(args[0], TableType):
            return signature(args[0].dtype, args[0], _index_type(args[0]))
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        """Type an assignment to an item."""
        if isinstance(args[0], TableType):
            return signature(types.none, args[0], _index_type(args[0]), args[0].dtype)
        return None


@infer_global(len)
class _Len(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        """Type the number of rows."""
        return signature(types.intp, *args) if isinstance(args[0], TableType) else None


@lower_builtin(len, TableType)
def _length(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return cgutils.create_struct_proxy(sig.args[0])(context, builder, args[0]).length


def _pointer(
    context: Any, builder: Any, kind: TableType, table: Any, index: Any
) -> Any:
    """Return the address of an item as a pointer to it."""
    proxy = cgutils.create_struct_proxy(kind)(context, builder, table)
    row = builder.extract_value(index, 0) if kind.width else index
    if numba.config.BOUNDSCHECK:
        _check_bound(context, builder, row, proxy.length)
    at = row
    if kind.width:
        column = builder.extract_value(index, 1)
        if numba.config.BOUNDSCHECK:
            _check_bound(context, builder, column, ir.Constant(_I64, kind.width))
        at = builder.add(builder.mul(row, ir.Constant(_I64, kind.width)), column)
    # a step from a base and no sum of numbers: LLVM makes vector code of the one only
    if isinstance(kind.dtype, RowType):
        bytes_ = ir.ArrayType(ir.IntType(8), kind.dtype.record.size)
        base = builder.inttoptr(proxy.address, bytes_.as_pointer())
        row_pointer = builder.gep(base, [at], inbounds=True)
        return builder.bitcast(row_pointer, ir.IntType(8).as_pointer())
    data = context.get_data_type(kind.dtype)
    base = builder.inttoptr(proxy.address, data.as_pointer())
    return builder.gep(base, [at], inbounds=True)


def _tag(builder: Any, instruction: Any, place: str, constant: bool) -> Any:
    """Say which column or table a load or store touches, and return the instruction."""
    module = builder.module
    zero = ir.Constant(_I64, 0)
    root = module.add_metadata(["linewright"])
    column = module.add_metadata([place, root, zero])
    access = [column, column, zero]
    if constant:
        access.append(ir.Constant(_I64, 1))
        instruction.set_metadata("invariant.load", module.add_metadata([]))
    instruction.set_metadata("tbaa", module.add_metadata(access))
    return instruction


def _column_pointer(builder: Any, typ: RowType, row: Any, column: str) -> Any:
    offset = ir.Constant(_I64, typ.record.offset(column))
    kind = _MEMORY[typ.record.typeof(column)]
    place = builder.gep(row, [offset], inbounds=True)
    return builder.bitcast(place, kind.as_pointer())


@infer_getattr
class _RowAttributes(AttributeTemplate):
    key = RowType

    def generic_resolve(self, typ: Any, attr: str) -> Any:
        """Return the type of a column's values: short integers are widened."""
        if attr not in typ.record.fields:
            return None
        kind = typ.record.typeof(attr)
        is_short = kind in (types.int16, types.int32)
        return types.int64 if is_short else kind


@lower_getattr_generic(RowType)
def _read(context: Any, builder: Any, typ: RowType, value: Any, attr: str) -> Any:
    found = builder.load(_column_pointer(builder, typ, value, attr))
    column = f"{typ.table}.{attr}"
    fixed = typ.constant or column in tables.FIXED_COLUMNS
    _tag(builder, found, column, fixed)
    is_short = typ.record.typeof(attr) in (types.int16, types.int32)
    return builder.sext(found, _I64) if is_short else found


@lower_setattr_generic(RowType)
def _write(context: Any, builder: Any, sig: Any, args: Any, attr: str) -> Any:
    typ = sig.args[0]
    assert f"{typ.table}.{attr}" not in tables.FIXED_COLUMNS
    assert not typ.constant
    place = _column_pointer(builder, typ, args[0], attr)
    value = args[1]
    if typ.record.typeof(attr) in (types.int16, types.int32):
        value = builder.trunc(value, place.type.pointee)
    done = builder.store(value, place)
    return _tag(builder, done, f"{typ.table}.{attr}", False)


def _check_bound(context: Any, builder: Any, row: Any, length: Any) -> None:
    """Raise where an index is negative or too large."""
    with builder.if_then(builder.icmp_unsigned(">=", row, length), likely=False):
        message = ("a table has no such row",)
        context.call_conv.return_user_exc(builder, IndexError, message)


@lower_builtin(operator.getitem, TableType, types.Any)
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind = sig.args[0]
    pointer = _pointer(context, builder, kind, *args)
    if isinstance(kind.dtype, RowType):
        return pointer
    return _tag(builder, builder.load(pointer), kind.table, kind.constant)


@lower_builtin(operator.setitem, TableType, types.Any, types.Any)
def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind = sig.args[0]
    pointer = _pointer(context, builder, kind, args[0], args[1])
    _tag(builder, builder.store(args[2], pointer), kind.table, False)
    return context.get_dummy_value()


def _table_set(
    name: str, dtypes: dict[str, np.dtype[Any]], constant: bool = False
) -> TableSet:
    return TableSet(
        name,
        {
            field: TableType(f"{name}.{field}", dtype, constant)
            for field, dtype in dtypes.items()
        },
    )


@intrinsic
def choose_blindly(typingctx: Any, condition: Any, one: Any, other: Any):
    """Return one of two integers without a branch, which would often be missed."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        chosen = builder.select(*args)
        chosen.set_metadata("unpredictable", builder.module.add_metadata([]))
        return chosen

    return types.int64(types.boolean, types.int64, types.int64), codegen


@intrinsic
def prefetch(typingctx: Any, table: Any, row: Any):
    """Have a row of a table brought near; where there is no such row, nothing."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = sig.args[0]
        proxy = cgutils.create_struct_proxy(kind)(context, builder, args[0])
        size = ir.Constant(_I64, kind.dtype.record.size)
        at = builder.add(proxy.address, builder.mul(args[1], size))
        pointer = builder.inttoptr(at, ir.IntType(8).as_pointer())
        flag = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [pointer.type, flag, flag, flag]),
            "llvm.prefetch.p0",
        )
        for_reading, keep, data = (ir.Constant(flag, n) for n in (0, 3, 1))
        builder.call(function, [pointer, for_reading, keep, data])
        return context.get_dummy_value()

    return types.none(table, types.int64), codegen


def _expected(value: int) -> Any:
    @intrinsic
    def expected(typingctx: Any, condition: Any):
        """Return the condition, and tell the compiler how it mostly is."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            bit = ir.IntType(1)
            expect = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(bit, [bit, bit]),
                "llvm.expect.i1",
            )
            return builder.call(expect, [args[0], ir.Constant(bit, value)])

        return types.boolean(types.boolean), codegen

    return expected


likely, unlikely = _expected(1), _expected(0)


@intrinsic
def call_at(typingctx: Any, address: Any, rule: Any, row: Any, s: Any, n: Any):
    """Call the function at an address."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        i64 = ir.IntType(64)
        kind = ir.FunctionType(i64, [i64] * 4)
        function = builder.inttoptr(args[0], kind.as_pointer())
        return builder.call(function, args[1:])

    return types.int64(*[types.int64] * 5), codegen


_LINE = _table_set("line", tables.LINE_DTYPES, constant=True)
_STATE = _table_set("state", tables.STATE_DTYPES)
_DRAWS = _table_set("draws", tables.DRAWS_DTYPES)


def _opener(kind: TableSet) -> Any:
    @intrinsic
    def opener(typingctx: Any, directory: Any) -> Any:
        """Return the set of tables whose directory has this address."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return args[0]

        return kind(types.int64), codegen

    return opener


open_line, open_state, open_draws = map(_opener, (_LINE, _STATE, _DRAWS))
