"""The remote monitor's tools. `ptt watch` shows offices live in a terminal and needs nothing but the MQTT broker."""
