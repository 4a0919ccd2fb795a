"""The ground floor: plain data, errors, time, units, Protocols. Imports nothing of ours."""
