"""`ptt-dispatch alerts`: watches the offices from outside of the floor's process; alerts, webhooks, metrics."""
