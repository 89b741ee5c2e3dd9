"""Other ways to run the stages of a build than a plain loop."""
