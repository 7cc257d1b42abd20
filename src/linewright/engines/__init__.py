"""Where replications are run: on threads of this machine, or on a cluster.

A replication is a function of its number alone: all that is random in it comes from
streams named after the seed and the number. So an engine only has to run a task for
numbers, in chunks and in any order; `in_order` hands the answers on in the order of the
numbers. Results are the same on every engine, to the bit.
"""

from linewright.engines.seam import Engine, EngineError, Executor, Threads, in_order

__all__ = ["Engine", "EngineError", "Executor", "Threads", "in_order"]
