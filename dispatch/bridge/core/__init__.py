"""What the Agora bridge decides: pure, time and chance are passed in."""
