"""The REST interface: one table of operations, from which routes and OpenAPI document are made."""
