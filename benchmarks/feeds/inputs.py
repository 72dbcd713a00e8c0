"""Files for the throughput of ingest: a roll in GB18030 from sixteen units, fitness workbooks from schools.

All made up. One row in two hundred is damaged in a way that the rules find: a wrong check digit, an unknown
code, an impossible date, a pupil twice. The same seed gives the same bytes of text.
"""

import random
from datetime import date, timedelta
from pathlib import Path

import xlsxwriter

from jobs import declare

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
NAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
SECOND = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂文辉玲华红健俊帆飞鑫波斌莉宇"
DISTRICTS = [f"1101{n:02d}" for n in (1, 2, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19)]
GRADES = [f"{n:02d}" for n in range(1, 13)]


def pupil_number(body: str) -> str:
    """`G`, seventeen digits, and the check character of GB 11643."""
    total = sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True))
    return f"G{body}{'10X98765432'[total % 11]}"


def roll_files(folder: Path, rows: int, seed: int) -> list[Path]:
    """One file of each of sixteen units, `rows` together, named for a term."""
    rng = random.Random(seed)
    contract = declare.load()["pupil_roll"]
    header = ",".join(column.headings[0] for column in contract.columns)
    files = []
    for district in DISTRICTS:
        lines = [header]
        for number in range(rows // len(DISTRICTS)):
            grade = rng.randrange(12)
            born = date(2018 - grade, 1, 1) + timedelta(days=rng.randrange(365))
            pupil = pupil_number(f"{district}{born:%Y}{number:07d}"[:17])
            damage = rng.randrange(1000)
            cells = {
                "pupil_national_id": pupil[:-1] + "Q" if damage == 0 else pupil,
                "pupil_name": rng.choice(NAMES) + rng.choice(SECOND) + rng.choice(SECOND),
                "sex_code": "7" if damage == 1 else rng.choice("男女"),
                "birth_date": "20151301" if damage == 2 else f"{born:%Y%m%d}",
                "id_document_type_code": "1",
                "school_code": f"2{district}{number % 300:03d}",
                "grade_key": "" if damage == 3 else GRADES[grade],
                "class_name": f"{number % 12 + 1}班",
                "entry_month": f"{2024 - grade}09",
                "attendance_mode_code": rng.choice(("走读", "住校")),
                "pupil_status_code": "在学",
                "is_migrant_child": rng.choice("是否"),
            }
            lines.append(",".join(cells.get(column.name, "") for column in contract.columns))
            if damage == 4:
                lines.append(lines[-1])
        file = folder / f"{district}_在籍学生名册_2024-2025-1.csv"
        file.write_bytes("\r\n".join([*lines, ""]).encode("gb18030"))
        files.append(file)
    return files


def fitness_files(folder: Path, books: int, rows: int, seed: int) -> list[Path]:
    """A workbook of each of so many schools, cells as the national upload template has them."""
    rng = random.Random(seed)
    contract = declare.load()["test_result"]
    files = []
    for school in range(books):
        file = folder / f"2{110101000 + school}_体质健康.xlsx"
        with xlsxwriter.Workbook(file) as book:
            sheet = book.add_worksheet("数据")
            sheet.write_row(0, 0, [column.headings[0] for column in contract.columns])
            for number in range(rows):
                damage = rng.randrange(1000)
                pupil = pupil_number(f"110101{2010 + school % 8}{school:03d}{number:04d}")
                cells: dict[str, object] = {
                    "fitness_grade_code": "14",
                    "class_code": f"14{number % 20 + 1:02d}",
                    "class_name": f"{number % 20 + 1}班",
                    "pupil_national_id": pupil[:-1] + "Q" if damage == 0 else pupil,
                    "ethnic_code": "1",
                    "pupil_name": rng.choice(NAMES) + rng.choice(SECOND),
                    "sex_code": "" if damage == 1 else rng.choice("12"),
                    "birth_date": "2014-05-06",
                    "height_cm": 1440.5 if damage == 2 else 120 + rng.randrange(400) / 10,
                    "weight_kg": 20 + rng.randrange(300) / 10,
                    "vital_capacity_ml": rng.randrange(1000, 3500),
                    "run_50m_s": 8 + rng.randrange(40) / 10,
                    "sit_and_reach_cm": rng.randrange(-50, 200) / 10,
                    "rope_skip_1min_count": rng.randrange(40, 180),
                    "sit_up_1min_count": rng.randrange(10, 50),
                    "test_date": "2024-10-15",
                }
                for place, column in enumerate(contract.columns):
                    if column.name in cells:
                        sheet.write(number + 1, place, cells[column.name])
        files.append(file)
    return files
