"""What the office asks of Agora's own REST interface."""
