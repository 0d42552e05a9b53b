"""The registry's commands: `ptt-dispatch init | region | office | user | device | cert | broker-config`."""
