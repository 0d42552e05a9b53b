"""The office's figures for Prometheus."""
