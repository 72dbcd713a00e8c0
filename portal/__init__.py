"""The one-stop portal and its API."""
