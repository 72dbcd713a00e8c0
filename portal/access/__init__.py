"""Who asks the portal: sign-in, sessions, keys, codes, and the rule of every route."""
