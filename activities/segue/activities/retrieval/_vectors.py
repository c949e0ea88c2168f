"""Vectors of passages and questions: asked of a model, kept in the index as halves, compared by their angle.

Needs `pip install "segue[retrieval]"`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from segue.activities import llm, objects
from segue.activities.errors import Terminal
from segue.activities.llm import Model, Usage
from segue.activities.retrieval._file import IndexFile
from segue.activities.retrieval._passages import Passage
from segue.activities.retrieval._ranking import Found, Within

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Matrix = NDArray[numpy.float32]

__all__ = ["nearest", "vector_of", "vectors_of"]

# One key for all builds: vectors depend on the text alone, so what any build has paid for is found again by the next.
_KEY: Final = "segue.retrieval"
_LOADED: Final = 2

_loaded: OrderedDict[Path, tuple[list[int], Matrix]] = OrderedDict()
_lock: Final = threading.Lock()


async def vectors_of(passages: Sequence[Passage], model: Model, index: str) -> tuple[list[bytes], Usage]:
    """Return a packed vector for each passage, and what they took.

    Raises:
        ModelUnavailable: Not now.
        ModelError: The server rejects a text, or answers with something else.
    """
    _library()
    texts = tuple(f"{passage.context}\n{passage.body}" if passage.context else passage.body for passage in passages)
    if not texts:
        return [], Usage()
    store = objects.join(index, "paid")
    made = await llm.embeddings(llm.Embed(model=model, texts=texts, store=store, key=_KEY))
    return [row.astype("<f2").tobytes() for row in _unit(made.values)], made.usage


async def vector_of(query: str, model: Model) -> tuple[Matrix, Usage]:
    """Return a question's vector, and what it took."""
    _library()
    made = await llm.embeddings(llm.Embed(model=model, texts=(query,)))
    return _unit(made.values)[0], made.usage


def nearest(file: IndexFile, path: Path, vector: Matrix, limit: int, within: Within) -> list[Found]:
    """Return the passages whose vectors are nearest to a question's, nearest first.

    Args:
        file: The index.
        path: Where it lies: its vectors are kept in memory for the next question.
        vector: The question's.
        limit: How many passages at most.
        within: Which documents are searched.
    """
    numpy = _library()
    numbers, matrix = _matrix(file, path)
    if not numbers:
        return []
    if matrix.shape[1] != vector.shape[0]:
        raise Terminal(
            f"The model answers with vectors of {vector.shape[0]} numbers, and the index holds {matrix.shape[1]}: "
            "search with the model that the index was built with"
        )
    likeness = matrix @ vector
    condition, parameters = within.condition()
    if condition:
        rows = file.connection.execute(f"SELECT id FROM passages WHERE {condition}", parameters)
        allowed = numpy.isin(numpy.asarray(numbers), numpy.fromiter((row[0] for row in rows), dtype=numpy.int64))
        likeness = numpy.where(allowed, likeness, -numpy.inf)
    best = numpy.argsort(-likeness, kind="stable")[:limit]
    near: list[int] = best.tolist()
    return [Found(numbers[row], float(likeness[row])) for row in near if likeness[row] > -2]


def _matrix(file: IndexFile, path: Path) -> tuple[list[int], Matrix]:
    """Return the numbers of the passages, and their vectors as rows."""
    with _lock:
        if path in _loaded:
            _loaded.move_to_end(path)
            return _loaded[path]
    numpy = _library()
    rows = file.connection.execute("SELECT passage, vector FROM vectors ORDER BY passage").fetchall()
    packed = b"".join(vector for _, vector in rows)
    matrix: Matrix = numpy.frombuffer(packed, dtype="<f2").astype(numpy.float32).reshape(len(rows), -1 if rows else 0)
    with _lock:
        _loaded[path] = ([number for number, _ in rows], matrix)
        while len(_loaded) > _LOADED:
            _loaded.popitem(last=False)
        return _loaded[path]


def _unit(values: Iterable[Sequence[float]]) -> Matrix:
    numpy = _library()
    matrix: Matrix = numpy.asarray(list(values), dtype=numpy.float32)
    lengths = numpy.linalg.norm(matrix, axis=1, keepdims=True)
    unit: Matrix = matrix / numpy.where(lengths == 0, 1, lengths)
    return unit


def _library() -> Any:
    try:
        import numpy
    except ImportError as error:
        raise ImportError('Vectors need numpy: pip install "segue[retrieval]"', name="numpy") from error
    return numpy
