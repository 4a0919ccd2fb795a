"""The parts of ``edgecam bench``: cases, their measurement in processes of their own, and the report."""
