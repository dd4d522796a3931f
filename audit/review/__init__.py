"""Review: what a run flagged, as questions to people, and what they answered."""
