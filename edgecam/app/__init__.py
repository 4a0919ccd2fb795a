"""The composition root: from a Config to running objects. The only room that names all others."""
