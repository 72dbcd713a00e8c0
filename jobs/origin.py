"""What is said wherever data of a made-up city are shown, so that nobody takes them for real ones.

A page, an answer, a file or a chart of a site with `synthetic: true` says it by itself: they are copied and
sent on one by one.
"""

SHORT_ZH, SHORT_EN = "合成数据", "synthetic data"
ZH = "合成数据：其中的人员、学校与数值均由程序生成，并非真实情况。"
EN = "Synthetic data: persons, schools and figures are made up by a program."
LINE = f"{ZH} {EN}"
# The last column of a file of rows; its cells hold `true`.
COLUMN, COLUMN_ZH = "is_synthetic", SHORT_ZH
HEADER = "x-data-synthetic"
