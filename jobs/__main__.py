"""`python -m jobs`: the command line."""

from jobs.cli.main import main

main()
