"""Places for the boxes of a directed graph, in layers from top to bottom, after Sugiyama, Tagawa and Toda (1981).

Each box stands below all that lead to it; an edge over several layers keeps a lane through those between. The order
within the layers is improved by barycentres; the places are then the least-squares best for straight edges.
"""

from __future__ import annotations

import bisect
import dataclasses
import graphlib
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

__all__ = ["Box", "Layout", "laid_out"]

_SWEEPS: Final = 12
_PLACINGS: Final = 60
_LANE_WIDTH: Final = 12.0
_STRAIGHT: Final = 20


@dataclasses.dataclass(slots=True)
class Box:
    """Something with a size, and after layout with a place: the middle of its top edge."""

    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    Attributes:
        routes: For each edge the points to pass, from the bottom of one box to the top of another; between, pairs of
            points enter and leave each layer that the edge crosses.
        width: Width of the whole.
        height: Height of the whole.
    """

    routes: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


def laid_out(
    boxes: Sequence[Box],
    edges: Sequence[tuple[int, int]],
    *,
    gap: float,
    layer_gap: float,
    beside: Mapping[int, int] | None = None,
) -> Layout:
    """Place boxes and route the edges between them.

    Args:
        boxes: What to place; their places are set.
        edges: Pairs of numbers of boxes, without a cycle.
        gap: Least distance between two boxes of a layer.
        layer_gap: Distance between two layers.
        beside: Boxes that nothing leads to, each with an earlier one that they stand no higher than. They stand as
            close above what they lead to as they can.
    """
    layer_of = _layers(len(boxes), edges, beside or {})
    nodes = list(boxes)
    layers: list[list[int]] = [[] for _ in range(max(layer_of, default=-1) + 1)]
    for number, layer in enumerate(layer_of):
        layers[layer].append(number)
    above: list[list[int]] = [[] for _ in nodes]
    below: list[list[int]] = [[] for _ in nodes]
    chains: list[list[int]] = []
    for u, v in edges:
        chain = [u]
        for layer in range(layer_of[u] + 1, layer_of[v]):
            layers[layer].append(len(nodes))
            chain.append(len(nodes))
            nodes.append(Box(_LANE_WIDTH, 0))
            above.append([])
            below.append([])
        chain.append(v)
        chains.append(chain)
        for upper, lower in pairwise(chain):
            below[upper].append(lower)
            above[lower].append(upper)
    _untangle(layers, above, below)
    _place(nodes, layers, above, below, gap)
    heights = [max((nodes[number].height for number in layer), default=0) for layer in layers]
    y = 0.0
    lane_heights: dict[int, float] = {}
    for row, height in zip(layers, heights, strict=True):
        for number in row:
            nodes[number].y, lane_heights[number] = y, height
        y += height + layer_gap
    routes: list[tuple[tuple[float, float], ...]] = []
    for chain in chains:
        points = [(nodes[chain[0]].x, nodes[chain[0]].y + nodes[chain[0]].height)]
        for number in chain[1:-1]:
            lane = nodes[number]
            points += [(lane.x, lane.y), (lane.x, lane.y + lane_heights[number])]
        points.append((nodes[chain[-1]].x, nodes[chain[-1]].y))
        routes.append(tuple(points))
    width = max((node.x + node.width / 2 for node in nodes), default=0)
    return Layout(tuple(routes), width, max(y - layer_gap, 0))


def _layers(count: int, edges: Sequence[tuple[int, int]], beside: Mapping[int, int]) -> list[int]:
    upper: list[list[int]] = [[] for _ in range(count)]
    lower: list[list[int]] = [[] for _ in range(count)]
    for u, v in edges:
        upper[v].append(u)
        lower[u].append(v)
    layer_of = [0] * count
    after = {n: [*upper[n], *([beside[n]] if n in beside else [])] for n in range(count)}
    ordered = list(graphlib.TopologicalSorter(after).static_order())
    for number in ordered:
        least = layer_of[beside[number]] if number in beside else 0
        layer_of[number] = max([least, *(layer_of[u] + 1 for u in upper[number])])
    for number in reversed([number for number in ordered if number in beside]):
        if lower[number]:
            layer_of[number] = max(layer_of[number], min(layer_of[v] for v in lower[number]) - 1)
    return layer_of


def _untangle(layers: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    """Order each layer so that few edges cross."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers, below)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        neighbours = above if down else below
        rows = layers if down else layers[::-1]
        for fixed, layer in pairwise(rows):
            place = {number: index for row in (fixed, layer) for index, number in enumerate(row)}
            wanted = {number: _mean([place[n] for n in neighbours[number]], place[number]) for number in layer}
            layer.sort(key=wanted.__getitem__)
        crossings = _crossings(layers, below)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    layers[:] = best


def _crossings(layers: list[list[int]], below: list[list[int]]) -> int:
    count = 0
    for upper, lower in pairwise(layers):
        place = {number: index for index, number in enumerate(lower)}
        ends: list[int] = []
        for u in upper:
            mine = sorted(place[v] for v in below[u])
            count += sum(len(ends) - bisect.bisect_right(ends, end) for end in mine)
            for end in mine:
                bisect.insort(ends, end)
    return count


def _place(
    nodes: list[Box], layers: list[list[int]], above: list[list[int]], below: list[list[int]], gap: float
) -> None:
    """Set the x of every node: close to its neighbours above and below, and clear of those beside it."""
    for layer in layers:
        x = 0.0
        for number in layer:
            nodes[number].x = x + nodes[number].width / 2
            x += nodes[number].width + gap
    for sweep in range(_PLACINGS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            wanted: list[float] = []
            for number in layer:
                near = [*above[number], *below[number]]
                if sweep < _PLACINGS // 4:  # first find the way from one side
                    near = (above if down else below)[number] or near
                # What has nothing else beside its edge to go straight for, goes straight: chains and lanes.
                weights = [
                    _STRAIGHT if len(below[u]) == len(above[v]) == 1 else 1
                    for n in near
                    for u, v in [(n, number) if n in above[number] else (number, n)]
                ]
                total = sum(weight * nodes[n].x for weight, n in zip(weights, near, strict=True))
                wanted.append(total / sum(weights) if near else nodes[number].x)
            half = [nodes[number].width / 2 for number in layer]
            apart = [a + b + gap for a, b in pairwise(half)]
            for number, x in zip(layer, _spaced(wanted, apart), strict=True):
                nodes[number].x = x
    _straighten(nodes, layers, above, below, gap)
    left = min((node.x - node.width / 2 for node in nodes), default=0)
    for node in nodes:
        node.x -= left


def _straighten(
    nodes: list[Box], layers: list[list[int]], above: list[list[int]], below: list[list[int]], gap: float
) -> None:
    """Put chains that are nearly straight exactly straight, where their neighbours leave the room."""
    before = {b: a for layer in layers for a, b in pairwise(layer)}
    after = {a: b for layer in layers for a, b in pairwise(layer)}
    for number in [number for layer in layers for number in layer]:
        chain = [number]
        while len(below[chain[-1]]) == 1 and len(above[below[chain[-1]][0]]) == 1:
            chain.append(below[chain[-1]][0])
        least, most = -math.inf, math.inf
        for member in chain:
            if member in before:
                other = nodes[before[member]]
                least = max(least, other.x + (other.width + nodes[member].width) / 2 + gap)
            if member in after:
                other = nodes[after[member]]
                most = min(most, other.x - (other.width + nodes[member].width) / 2 - gap)
        if len(chain) > 1 and least <= most + 0.01:
            x = min(max(_mean([nodes[member].x for member in chain], 0), least), most)
            for member in chain:
                nodes[member].x = x


def _spaced(wanted: list[float], apart: list[float]) -> list[float]:
    """Return the places nearest to those wanted, in least squares, that keep the distances: pooled violators."""
    offsets = [0.0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=False):
        total, count = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            earlier, members = pools.pop()
            total, count = total + earlier, count + members
        pools.append((total, count))
    means = [total / count for total, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
