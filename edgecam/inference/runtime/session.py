"""One ONNX Runtime session, with preallocated input and outputs and threads that hardly spin.

Build sessions before threads and windows start: building one holds the GIL (onnxruntime issue 27063);
running one releases it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgecam import plugins
from edgecam.core.errors import ConfigError, ModelError
from edgecam.core.ports import Bound, TensorSpec
from edgecam.host.cpu import cpu_count, own_cpus
from edgecam.host.memory import give_back_heap
from edgecam.inference.models.external import check_external
from edgecam.inference.runtime.providers import PROVIDERS, choose_providers, options_of

log = logging.getLogger(__name__)

#: A thread that waits for the next layer's work looks for it so long before it sleeps: two threads take
#: 5.4 ms for a frame instead of 6.2, for 1 ms of CPU; longer is no faster in the program. ONNX Runtime knows
#: it from 1.26 on; older ones would spin for ever (AutoSplit64 #51: 184 % of CPU against 0.4 % at the same
#: latency), so there threads sleep at once.
SPIN_US = 50
_KNOWS_SPIN_DURATION = tuple(int(part) for part in ort.__version__.split(".")[:2]) >= (1, 26)

_DTYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(double)": np.float64,
    "tensor(bool)": np.bool_,
}


def default_threads() -> int:
    """Threads for one inference before tuning: all CPUs, at most 4 (what small boards have)."""
    return max(1, min(4, cpu_count()))


def session_options(threads: int, quantized: bool = False) -> ort.SessionOptions:
    """Sequential, fully optimised, ``threads`` threads that sleep between frames instead of spinning.

    Where they take all CPUs, each has one (:func:`edgecam.host.cpu.own_cpus`).

    quantized: an int8 file. Its tensors are so small that a block planned for all of them at once takes more
    memory (12.5 MB beside the weights) than one by one (8.1), and no time is lost (7.51 and 7.61 ms of CPU,
    medians of 250 each, in turns). With fp32 the plan saves 3 MB.
    """
    options = ort.SessionOptions()
    options.enable_mem_pattern = not quantized
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    spins = threads > 1 and _KNOWS_SPIN_DURATION
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spins else "0")
    if spins:
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
    if cpus := own_cpus(threads):  # of its own threads, the caller not among them; counted from 1
        affinities = ";".join(str(cpu + 1) for cpu in cpus[1:])
        options.add_session_config_entry("session.intra_op_thread_affinities", affinities)
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Not session.set_denormal_as_zero: it changes the rounding mode of the thread that builds the session.
    return options


def _spec(node: Any, path: Path) -> TensorSpec:
    if node.type not in _DTYPES:
        raise ModelError(f"model {path}: '{node.name}' is {node.type}, which edgecam cannot feed or read")
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in node.shape)
    return TensorSpec(node.name, np.dtype(_DTYPES[node.type]), shape)


def _build(path: Path, names: Sequence[str], threads: int, quantized: bool) -> ort.InferenceSession:
    # XNNPACK brings its own pool: ONNX Runtime's would only compete with it (ORT docs, XNNPACK provider).
    own_threads = 1 if names[0] == "xnnpack" else threads
    providers = [(PROVIDERS[name], options_of(name, threads)) for name in names]
    return ort.InferenceSession(str(path), session_options(own_threads, quantized), providers=providers)


class Session:
    """A model ready to run; by several threads side by side if each has a :class:`Bound` of its own.

    inputs, outputs: what the graph declares. provider: the one that was granted first. notice: one line if
    that is not what was wanted, else "". caller_cpu: the one its own threads leave to the thread that calls
    ``run``; None where none is set aside.
    """

    def __init__(
        self,
        path: Path,
        threads: int,
        providers: Sequence[str] | None = None,
        quantized: bool = False,
    ) -> None:
        self.path = path
        self.threads = threads
        self.quantized = quantized
        names, self.notice = choose_providers(providers)
        try:
            self._session = _build(path, names, threads, quantized)
        except Exception as error:  # ORT raises its own bare Exception subclasses, one per status code
            if names == ("cpu",):
                raise ModelError(f"ONNX Runtime cannot load model {path}: {_first_line(error)}") from error
            try:
                self._session = _build(path, ("cpu",), threads, quantized)
            except Exception as second:
                raise ModelError(f"ONNX Runtime cannot load model {path}: {_first_line(second)}") from second
            self.notice = f"{names[0]} failed ({_first_line(error)}): running on cpu"
        give_back_heap()
        short = {full: name for name, full in PROVIDERS.items()}
        self.providers = tuple(short.get(full, full) for full in self._session.get_providers())
        cpus = own_cpus(threads) if self.provider == "cpu" else ()
        self.caller_cpu = cpus[0] if cpus else None
        if not self.notice and providers and self.providers[0] != names[0]:
            self.notice = f"{names[0]} could not start: running on {self.providers[0]}"
        if self.notice:
            log.warning("%s", self.notice)
        self.inputs = tuple(_spec(node, path) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node, path) for node in self._session.get_outputs())
        self._first: Bound | None = None

    @property
    def provider(self) -> str:
        """The provider that was granted first."""
        name: str = self.providers[0]
        return name

    def bind(self, buffer: NDArray[Any], outputs: Sequence[str] | None = None) -> Bound:
        """Feed the only input from ``buffer`` (C-contiguous, kept) and read ``outputs``; None reads all.

        Outputs of fixed shape get a buffer of their own that each run overwrites; the others are allocated
        by ONNX Runtime.
        """
        by_name = {spec.name: spec for spec in self.outputs}
        wanted = [by_name[name] for name in outputs] if outputs is not None else list(self.outputs)
        bound = OrtBound(self, self._session, buffer, wanted)
        self._first = self._first or bound
        return bound

    def run(self) -> tuple[NDArray[Any], ...]:
        """Run on the first bound buffer, as :meth:`Bound.run`."""
        if self._first is None:
            raise ModelError(f"model {self.path} was given no picture to run on")
        return self._first.run()


class OrtBound:
    """A session with its input's and outputs' buffers. One thread at a time."""

    def __init__(
        self,
        session: Session,
        runtime: ort.InferenceSession,
        buffer: NDArray[Any],
        wanted: Sequence[TensorSpec],
    ) -> None:
        # not the session itself: in a circle with its first binding it would outlive its last user, and its
        # 20 to 40 MB (four sessions when tuning) until the next garbage collection
        self._path, self._runtime = session.path, runtime
        self._is_planned = session.provider == "cpu" and not session.quantized
        self._buffer = buffer  # the binding only has its address
        self._is_first = True
        self._fixed: tuple[NDArray[Any], ...] | None = None
        self._binding = binding = runtime.io_binding()
        binding.bind_input(
            session.inputs[0].name, "cpu", 0, buffer.dtype.type, list(buffer.shape), buffer.ctypes.data
        )
        if not all(spec.is_fixed for spec in wanted):
            for spec in wanted:
                binding.bind_output(spec.name, "cpu")
            return
        self._fixed = tuple(np.zeros([n or 0 for n in spec.shape], spec.dtype) for spec in wanted)
        for spec, array in zip(wanted, self._fixed, strict=True):
            binding.bind_output(spec.name, "cpu", 0, spec.dtype.type, list(array.shape), array.ctypes.data)

    def run(self) -> tuple[NDArray[Any], ...]:
        """Run on the buffer. The arrays are valid until the next run. ModelError if ORT fails."""
        try:
            if self._is_first:
                self._run_first()
            else:
                self._runtime.run_with_iobinding(self._binding)
        except Exception as error:
            raise ModelError(f"model {self._path} failed while running: {_first_line(error)}") from error
        if self._fixed is not None:
            return self._fixed
        return tuple(self._binding.copy_outputs_to_cpu())

    def _run_first(self) -> None:
        """Run once, and give back the memory it took in pieces: later runs get it as one planned block.

        Saves 5.5 MB of 45 for a model of 16 MB.
        """
        self._is_first = False
        options = ort.RunOptions()
        if self._is_planned:
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        try:
            self._runtime.run_with_iobinding(self._binding, options)
        except Exception:  # a build without an arena refuses; a model that fails does so again, and is told
            self._runtime.run_with_iobinding(self._binding)
        give_back_heap()


class PluginSession(Session):
    """A session that a plug-in's runtime runs. Its faults are ModelErrors with the package's name."""

    def __init__(self, plugin: plugins.Plugin, path: Path, threads: int) -> None:
        self.path, self.threads, self.quantized = path, threads, False
        self.providers, self.notice, self.caller_cpu = (plugin.name,), "", None
        try:
            made = plugin.make(path, threads)
        except plugins.PluginError as error:
            raise ModelError(str(error)) from error
        self._runtime = plugins.Guarded(plugin, made, ModelError)
        self.inputs, self.outputs = tuple(made.inputs), tuple(made.outputs)
        self._plugin = plugin
        self._first = None

    def bind(self, buffer: NDArray[Any], outputs: Sequence[str] | None = None) -> Bound:
        """See :class:`edgecam.core.ports.Runtime`."""
        bound: Bound = plugins.Guarded(self._plugin, self._runtime.bind(buffer, outputs), ModelError)
        self._first = self._first or bound
        return bound


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    marker = "FAIL : "
    return text.split(marker, 1)[-1][:300].rstrip(".")


def open_session(
    path: Path,
    threads: int | None = None,
    providers: Sequence[str] | None = None,
    *,
    quantized: bool = False,
) -> Session:
    """Load ``path`` with ``threads`` (None: :func:`default_threads`) on the first provider that works.

    quantized: as of :func:`session_options`.

    Raises ModelError if ONNX Runtime cannot load it, or it takes weights from elsewhere than beside it,
    ConfigError for an unknown provider name.
    """
    count = default_threads() if threads is None else threads
    if count < 1:
        raise ConfigError(f"threads = {count} is not a number of threads: give 1 or more")
    check_external(path)
    plugin = plugins.find("runtimes", providers[0]) if providers and providers[0] not in PROVIDERS else None
    if plugin is not None:
        return PluginSession(plugin, path, count)
    return Session(path, count, providers, quantized)
