"""The vehicle: from the button's edge to the floor, the voice worker and the driver's answers."""
