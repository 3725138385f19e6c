"""How far one run is from another, and until when it may be trusted."""
