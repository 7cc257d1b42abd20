"""Cycles in small directed graphs, without recursion."""

from __future__ import annotations

from collections.abc import Collection, Mapping

__all__ = ["find_cycles"]


def find_cycles(edges: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return one cycle from each part of a graph that has any.

    Args:
        edges: Nodes that each node leads to; every node is a key.

    Returns:
        Nodes in order, the last leading back to the first; no node is in two cycles.
        Removing the cycles found need not leave the graph without one.
    """
    done: set[str] = set()
    cycles: list[list[str]] = []
    for root in edges:
        if root not in done:
            _search(root, edges, done, cycles)
    return cycles


def _search(
    root: str,
    edges: Mapping[str, Collection[str]],
    done: set[str],
    cycles: list[list[str]],
) -> None:
    """Walk depth first from a root; note a cycle when the way meets itself."""
    way, branches = [root], [iter(edges[root])]
    depth = {root: 0}
    in_cycle: set[str] = set()
    while way:
        ahead = next((n for n in branches[-1] if n not in done), None)
        if ahead is None:
            done.add(way[-1])
            del depth[way.pop()]
            branches.pop()
        elif ahead not in depth:
            depth[ahead] = len(way)
            way.append(ahead)
            branches.append(iter(edges[ahead]))
        elif not in_cycle.intersection(way[depth[ahead] :]):
            cycles.append(way[depth[ahead] :])
            in_cycle.update(cycles[-1])
