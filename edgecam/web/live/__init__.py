"""Live pictures for browsers: one encoder per camera while somebody looks."""
