"""The school method, for many short and sparse series at once (a city's schools).

It models quiet days as negative binomial, and judges today together with the days just before it. How it
differs from the reference methods:

- Only open days are modeled. Weekday, reopening after a holiday, season and trend are coefficients of each
  unit; empirical Bayes shrinks them, and the dispersion, towards the other units (`coefficients`,
  `dispersion`).
- Past outbreaks, of one day or of several, get less weight before anything is learned (after Noufaily et al.
  2013). What outbreaks still leave in mean and dispersion is estimated from what was removed, and taken off
  (`evidence.outbreak_weights`, `dispersion`).
- A slow level follows what the coefficients miss. It has several memories, each trusted by how well it
  foretold the unit so far (`levels`).
- The evidence of today and of the sums over the last days is added up on the normal scale. It is news if it
  tops that of the days just before, so that one rise is one alarm. The distribution of news
  on quiet days is simulated, so that one level holds for small and large schools alike (`evidence`,
  `calibration`).

A step is judged by the steps before it only (`foretell`).
"""
