"""Tables of a release for other systems, by the protocol Delta Sharing."""
