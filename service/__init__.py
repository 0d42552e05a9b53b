"""What every process of ours needs from its machine: settings, logs, systemd, and its one MQTT link."""
