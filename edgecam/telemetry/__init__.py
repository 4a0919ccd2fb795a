"""Power, heat, rates and latencies: what the run costs, as Stats."""
