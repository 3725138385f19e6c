"""Error control while a run goes on: segments, audits by physics, and triggers that need no reference."""
