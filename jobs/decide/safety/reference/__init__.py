"""Outbreak detectors equal to those of R's `surveillance` 1.20: EARS C1, C2, C3, both Farrington methods.

All functions take and return arrays of units × steps. NaN is a missing count, or an answer that cannot be
given. Derived from the published methods; where the papers leave room, from the behavior of the package
(Salmon et al. 2016).
"""
