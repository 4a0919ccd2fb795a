"""MQTT: events, counts, state and snapshots on a broker, commands from it, and Home Assistant's discovery."""
