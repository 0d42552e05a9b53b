"""Ways for voice to reach the other members of the office, behind one port."""
