"""Controls: our code where what it does is known to work, so that a failure elsewhere is not the code's."""
