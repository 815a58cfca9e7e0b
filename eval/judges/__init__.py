"""Local judges of tone and helpfulness, for what nothing verifiable decides, and what each judge is worth."""
