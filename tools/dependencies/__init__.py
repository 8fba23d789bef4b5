"""What this project depends on: declared, up to date, free of known holes, under licences that we state."""
