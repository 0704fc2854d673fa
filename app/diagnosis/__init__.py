"""What the doctor finds. Law: harms nothing, quotes no secret; each finding names the variable that mends it."""
