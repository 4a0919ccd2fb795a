"""What live sources share: a reader thread, reconnecting, the check for a frozen picture."""
