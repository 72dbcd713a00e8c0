"""The scoring core on Spark: no reading, no writing, the same function as on the command line.

Scores come back from the Python workers packed into four whole numbers a row and are taken apart by plain
expressions: as a struct of 33 columns they would cost the JVM as much again.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.functions import arrow_udf
from pyspark.sql.pandas.types import from_arrow_schema

from jobs.decide.fitness import score as core
from jobs.decide.fitness.standard import DEFAULTS, Settings, load
from jobs.decide.fitness.values import decimal_words

_WORD_BITS = 63  # of a long, without the sign
_REASON = "status_reason"  # free text, travels as it is


@dataclass(frozen=True)
class _Slot:
    """Where a column lies: bits of a word; all ones is null. Texts are packed as their place in `texts`."""

    field: pa.Field
    word: int
    shift: int
    bits: int
    texts: tuple[str, ...]

    @property
    def null(self) -> int:
        return (1 << self.bits) - 1


def score_results(results: DataFrame, settings: Settings = DEFAULTS) -> DataFrame:
    """Score each row; one row out for each row in, every column kept, those of `score.OUTPUT_SCHEMA` added.

    In: `fitness_grade_code` (or `grade_code`), `sex_code`, and any of `score.MEASURE_COLUMNS` (decimals or
    integers in the item's unit) and `score.OPTIONAL_COLUMNS`; null is "not tested". Other columns are not
    looked at. A column that the scores make, too (`bmi`), is replaced.
    Raises TypeError for a binary float, at the first action. Needs `jobs` on the server's PYTHONPATH.
    """
    names = [name for name in core.INPUT_COLUMNS if name in results.columns]
    inputs = list(names)
    if "grade_code" not in names:
        names, inputs = ["grade_code", *names], ["fitness_grade_code", *inputs]
    slots = _slots()

    @arrow_udf(from_arrow_schema(_packed_schema(slots)))  # type: ignore[call-overload]
    def packed(*columns: pa.Array) -> pa.Array:
        return _pack(core.score(pa.RecordBatch.from_arrays(list(columns), names), settings), slots)

    kept = [name for name in results.columns if name not in core.OUTPUT_SCHEMA.names]
    made = {slot.field.name: _unpacked(slot) for slot in slots}
    # A text of a function brings a collation into Delta's schema, which other readers refuse: cast.
    made[_REASON] = F.col(f"_packed.{_REASON}").cast("string")
    with_packed = results.withColumn("_packed", packed(*(F.col(name) for name in inputs)))
    return with_packed.select(*kept, *(made[name].alias(name) for name in core.OUTPUT_SCHEMA.names))


def _slots() -> list[_Slot]:
    standard = load()
    texts = {
        "level": standard.levels,
        "status": tuple(core.STATUS_ZH),
        "standard_version": standard.versions,
    }
    slots: list[_Slot] = []
    word = shift = 0
    for field in core.OUTPUT_SCHEMA:
        if field.name == _REASON:
            continue
        # Points to 126, tenths to 409.4, 15 texts.
        bits = 12 if pa.types.is_decimal(field.type) else 7 if pa.types.is_integer(field.type) else 4
        if shift + bits > _WORD_BITS:
            word, shift = word + 1, 0
        slots.append(_Slot(field, word, shift, bits, texts.get(field.name, ())))
        shift += bits
    return slots


def _packed_schema(slots: list[_Slot]) -> pa.Schema:
    words = [(f"word_{number}", pa.int64()) for number in range(slots[-1].word + 1)]
    return pa.schema([*words, (_REASON, pa.string())])


def _pack(scored: pa.RecordBatch, slots: list[_Slot]) -> pa.Array:
    words = np.zeros((slots[-1].word + 1, scored.num_rows), np.int64)
    for slot in slots:
        words[slot.word] |= _whole_numbers(scored.column(slot.field.name), slot) << slot.shift
    arrays = [*(pa.array(word) for word in words), scored.column(_REASON)]
    return pa.StructArray.from_arrays(arrays, fields=list(_packed_schema(slots)))


def _whole_numbers(column: pa.Array, slot: _Slot) -> NDArray[np.int64]:
    if pa.types.is_decimal(column.type):
        empty = column.is_null().to_numpy(zero_copy_only=False)
        return np.where(empty, slot.null, decimal_words(column))
    if slot.texts:
        column = pc.index_in(column, value_set=pa.array(slot.texts), skip_nulls=True)
    return pc.fill_null(column, slot.null).to_numpy(zero_copy_only=False).astype(np.int64)


def _unpacked(slot: _Slot) -> Column:
    word = F.col(f"_packed.word_{slot.word}")
    code = F.shiftright(word, slot.shift).bitwiseAND(F.lit(slot.null).cast("long")).cast("int")
    kind = slot.field.type
    if slot.texts:
        value = F.get(F.array(*(F.lit(text) for text in slot.texts)), code)
    elif pa.types.is_decimal(kind):
        value = (code.cast("decimal(4,0)") * F.lit(0.1).cast("decimal(1,1)")).cast("decimal(4,1)")
    else:
        value = code
    return F.when(code != slot.null, value)
