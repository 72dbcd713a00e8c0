"""Registrations of spring and the model's entrants of next autumn, combined by their errors, level by level.

The city is corrected first, then districts against the city, and areas against their district. So what all
units share (a spring that fills early) is judged once, and whole pupils still add up at every level.
"""
