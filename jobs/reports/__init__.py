"""Profiles and yearly reports: built once from a release, written as HTML, PDF and DOCX."""
