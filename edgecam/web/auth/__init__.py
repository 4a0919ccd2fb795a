"""Who may do what: password, sessions, tokens, certificates."""
