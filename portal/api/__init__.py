"""The routes of `/api/v1`: each takes one snapshot of the release and answers from it alone."""
