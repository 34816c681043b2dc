"""What builds, copies and Docker's API print."""
