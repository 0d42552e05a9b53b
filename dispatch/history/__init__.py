"""What was: days, figures and KPIs out of the office's log."""
