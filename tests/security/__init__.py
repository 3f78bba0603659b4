"""Who can do what: TLS, rules of access, secrets, and data that somebody hostile wrote."""
