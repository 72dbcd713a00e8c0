"""Point forecasts of pupils by unit and grade, from every year of a panel, each blind to later years.

Every array has the year first; what stands at year t was computed from years up to t. A level (the total,
then parents, then units) is forecast below the one above it, in this order:

- `progression`: log ratios from grade to grade, as deviations from the ratio of the level above. They are
  split into one migration term per unit and year and one term per grade (`means`). Each term is a discounted
  mean, pulled to zero where few pupils stand behind it;
- `intake`: grades filled from outside, by their own course, the level above, and births (`births`);
- `spans`: units that open or lose grades;
- `level`: the cohorts' walk through the grades.
"""
