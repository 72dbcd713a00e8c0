"""Invented names of people, schools, roads, groups. No list of real ones was used; likeness is chance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Characters that are not among the common surnames; the last two need four bytes in GB18030, as some names
# do.
FAMILY = tuple("岚霁槐汐砚笙桐榆苇菖蓼芷萱葵棠桉桦椴楸榕枫竺栾樱橡茉荻藜芦蕨苓荇菱蒲莼薇蕙芫茴菊㛃䶮")
GIVEN = tuple(
    "一乐清和明远安宁思源知行予然子墨若水沐阳星辰雨桐可心天佑嘉言書瑞景行千帆之恒语晨朗月"
    "初晴亦凡文舟书屿望舒云起向晚秋实春和立夏冬青逸飞鸿羽致君如松静好南枫北辰西洲东篱问渠"
)
PLACE_FIRST = tuple("青云松柳竹兰荷桂梧槐枫杏桃梅榆樱泉溪湖岭")
PLACE_SECOND = tuple("禾杉影岸语庭畔径屏谷陌汀坞渡峦湾")
PLACE_WORDS = tuple(a + b for b in PLACE_SECOND for a in PLACE_FIRST)


def place_words(rng: np.random.Generator, count: int) -> list[str]:
    """`count` made place words, no two alike while there are enough; then numbered."""
    order = rng.permutation(len(PLACE_WORDS))
    words = []
    for n in range(count):
        lap, at = divmod(n, len(order))
        words.append(PLACE_WORDS[order[at]] + ("" if lap == 0 else "甲乙丙丁戊己庚辛壬癸"[lap - 1]))
    return words


def person_names(name_numbers: NDArray[np.integer[Any]]) -> list[str]:
    """A made name for each number: one family character, one or two given ones."""
    family, rest = np.divmod(name_numbers, len(GIVEN) * (len(GIVEN) + 1))
    first, second = np.divmod(rest, len(GIVEN) + 1)
    family %= len(FAMILY)
    given = (*GIVEN, "")
    triples = zip(family.tolist(), first.tolist(), second.tolist(), strict=True)
    return [FAMILY[f] + GIVEN[a] + given[b] for f, a, b in triples]


def address(district: str, number: int) -> str:
    """A made address, always the same for a number."""
    place = PLACE_WORDS[number % len(PLACE_WORDS)]
    return (
        f"{district}{place}里{number // 7 % 60 + 1}号楼{number // 11 % 6 + 1}单元{number // 13 % 2400 + 101}"
    )


def phone(number: int) -> str:
    """Eleven digits that begin with 10: mobile numbers begin with 13 to 19, so that nobody has it."""
    return f"10{number % 10**9:09d}"


NAME_NUMBERS = len(FAMILY) * len(GIVEN) * (len(GIVEN) + 1)
