"""Airflow wiring."""
