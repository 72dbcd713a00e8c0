"""The ground that every room stands on: settings, whole files, SQL literals, days and school years."""
