"""The REST service: tokens, enrolment, a unit's greeting. A process of its own, so that HTTP never delays a grant."""
