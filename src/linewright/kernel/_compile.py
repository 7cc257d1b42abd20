"""What turns kernel functions into machine code: Numba, told what is special here.

Imported where something has to be compiled, and only there: Numba takes half a second
to load. One entry is compiled at a time, and the code of all that it calls goes into
its own module.

A function that only others call has no wrapper for Python and becomes no machine code
of its own: its text is kept until an entry takes it in, which is optimized and compiled
as a whole. LLVM is told to inline our `hot` functions and no others: left to itself it
inlines what is called from one place, however rarely, and the event loop becomes one
function of 300 KB that keeps nothing in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
from llvmlite import binding
from numba import njit, types
from numba.core import cgutils, typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager
from numba.core.registry import cpu_target

from linewright.kernel import _numba_types
from linewright.kernel._jit import cache_folder

__all__ = ["compile_entry", "dispatcher", "made", "type_of"]

_PASSES: tuple[Any, ...] = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.ReconstructSSA,
    typed_passes.NopythonTypeInference,
    typed_passes.PreLowerStripPhis,
    typed_passes.IRLegalization,
    typed_passes.NativeLowering,
    typed_passes.NoPythonBackend,
)
_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False}


class _Helper(JITCodeLibrary):
    """The code of a function that only others call: a text, and whom it calls."""

    text = ""

    def add_ir_module(self, ir_module: Any) -> None:
        """Take the function's code, and say whether it may be inlined."""
        for function in ir_module.functions:
            if function.is_declaration:
                continue
            function.linkage = "linkonce_odr"
            if "alwaysinline" not in function.attributes:
                function.attributes.add("noinline")
        assert not self.text
        self.text = cgutils.normalize_ir_text(str(ir_module))

    def finalize(self) -> None:
        """Do nothing: whoever takes the code in has more to do with it."""
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        return binding.parse_assembly(self.text)


class _Whole(JITCodeLibrary):
    """The code of an entry and of everything that it calls.

    All of it is internal to the module. Otherwise the loader would bind calls to copies
    that another entry has.
    """

    def finalize(self) -> None:
        """Take in what is called, at any depth, and optimize."""
        self._linking_libraries = _all_called(self)
        super().finalize()

    def _optimize_final_module(self) -> None:
        for function in self._final_module.functions:
            shared = function.linkage.name == "linkonce_odr"
            if shared and not function.is_declaration:
                function.linkage = "internal"
        self._optimize()

    def _optimize(self) -> None:
        super()._optimize_final_module()


class _Object(_Whole):
    """The code of an entry that is written to disk and run from there."""

    def _optimize(self) -> None:
        # Numba's own order inlines before anything is simplified, for the sake of
        # reference counts, of which the kernel has none
        self._optimize_functions(self._final_module)
        passes, builder = self._codegen._module_pass_manager()  # noqa: SLF001
        passes.run(self._final_module, builder)

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def object_code(self) -> bytes:
        """Return the machine code of the module."""
        self._ensure_finalized()
        found: bytes = self._codegen._tm.emit_object(self._final_module)  # noqa: SLF001
        return found


def _all_called(library: Any) -> list[Any]:
    """Return the code that a library calls, each once; Numba's holds its own."""
    found: dict[Any, None] = {}
    ahead = list(library._linking_libraries)  # noqa: SLF001
    while ahead:
        called = ahead.pop()
        if called not in found:
            found[called] = None
            if isinstance(called, _Helper):
                ahead += called._linking_libraries  # noqa: SLF001
    return list(found)


class _Compiler(Compiler):
    """Numba's compiler with a library of ours, and without wrappers for Python."""

    library_class: type[JITCodeLibrary]

    def __init__(
        self, typingctx: Any, targetctx: Any, library: Any, *rest: Any
    ) -> None:
        _let_be(targetctx)
        if library is None:
            library = self.library_class(targetctx.codegen(), "linewright")
        super().__init__(typingctx, targetctx, library, *rest)
        self.state.flags.no_cpython_wrapper = True
        self.state.flags.no_cfunc_wrapper = True

    def define_pipelines(self) -> list[PassManager]:
        """Return the passes that plain functions need.

        Numba's others are for closures, `with`, literals, array expressions and the
        like, of which the kernel has none; they took a sixth of the time.
        """
        passes = PassManager("linewright")
        for step in _PASSES:
            passes.add_pass(step, step.name())
        passes.finalize()
        return [passes]


class _HelperCompiler(_Compiler):
    library_class = _Helper


class _ArrayHelperCompiler(_HelperCompiler):
    define_pipelines = Compiler.define_pipelines


class _ObjectCompiler(_Compiler):
    library_class = _Object


class _DispatcherCompiler(Compiler):
    """Numba's compiler for what Python calls with any arguments."""

    def __init__(
        self, typingctx: Any, targetctx: Any, library: Any, *rest: Any
    ) -> None:
        if library is None:
            library = _Whole(targetctx.codegen(), "linewright dispatcher")
            library.enable_object_caching()
        super().__init__(typingctx, targetctx, library, *rest)


def _let_be(targetctx: Any) -> None:
    """Keep Numba from asking for the address of what has no machine code."""
    if "get_executable" in vars(targetctx):
        return
    get_executable = targetctx.get_executable

    def executable(library: Any, *rest: Any) -> Any:
        if not isinstance(library, _Helper | _Object):
            return get_executable(library, *rest)
        # Numba tells functions apart by this object, which has to be one of C; called
        # from Python it raises.
        return {}.__getitem__

    targetctx.get_executable = executable


# ---------------------------------------------------------------- what `_jit` asks for


def made(function: Callable[..., Any], kind: str) -> Any:
    """Return what Numba has to know of a function of the kernel, by its kind."""
    if kind == "builtin":
        return getattr(_numba_types, function.__name__)
    # said, because a helper inherits its first caller's flags where it says nothing
    flags = _FLAGS | {"forceinline": kind == "hot"}
    compiler = _ArrayHelperCompiler if kind == "array_jit" else _HelperCompiler
    compiled = njit(pipeline_class=compiler, **flags)(function)
    template = compiled.get_call_template
    # plain types: constants do not make new variants of it
    compiled.get_call_template = lambda args, kws: template(
        tuple(map(types.unliteral, args)), kws
    )
    return compiled


def type_of(found: Any) -> Any:
    """Return the Numba type of what was made."""
    return cpu_target.typing_context.resolve_value_type(found)


@contextmanager
def _remembered_calls() -> Iterator[None]:
    """Remember what an operation on numbers gives while something is compiled.

    Numba looks it up anew at every place, among all that overloads the operation.
    """
    context = cpu_target.typing_context
    resolve = context.resolve_function_type
    known: dict[Any, Any] = {}

    def remembered(function: Any, args: Any, kws: Any) -> Any:
        plain = all(isinstance(kind, types.Number | types.Boolean) for kind in args)
        if kws or not plain or not args:
            return resolve(function, args, kws)
        key = function, tuple(args)
        if key not in known:
            known[key] = resolve(function, args, kws)
        return known[key]

    context.resolve_function_type = remembered
    try:
        yield
    finally:
        del context.resolve_function_type


def compile_entry(function: Callable[..., Any], n_numbers: int) -> bytes:
    """Compile a function of whole numbers: its name, a newline and object code."""
    compiled = njit(pipeline_class=_ObjectCompiler, **_FLAGS)(function)
    with global_compiler_lock, _remembered_calls():
        compiled.compile((types.int64,) * n_numbers)
        (found,) = compiled.overloads.values()
        name: str = found.fndesc.llvm_func_name
        code: bytes = found.library.object_code()
    return name.encode() + b"\n" + code


def dispatcher(function: Callable[..., Any]) -> Any:
    """Compile a function of any arguments; what Numba keeps of it lies in our folder.

    The folder is named by the kernel's sources, in which Numba would not see an edit.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        return njit(cache=True, pipeline_class=_DispatcherCompiler, **_FLAGS)(function)
    finally:
        numba.config.CACHE_DIR = before
