"""Any log read line by line, and what it says went wrong."""
