"""Take one pupil out of a site, whole: the one exception to "nothing is ever changed"."""
