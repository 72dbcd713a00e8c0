"""Tables, the window on history, persons, deliveries, runs."""
