"""`make cab`: a page on which a newcomer holds the buttons of virtual vehicles, and feels the answer."""
