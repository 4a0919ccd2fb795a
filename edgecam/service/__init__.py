"""systemd: notifications, the watchdog, units and their installer; and the doctor."""
