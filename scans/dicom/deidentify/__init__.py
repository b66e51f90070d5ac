"""De-identification after PS3.15 annex E: basic profile with options (pure)."""
