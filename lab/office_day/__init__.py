"""`ptt-lab office`: a practice office, its vehicles and some made-up days, all by the product's own code."""
