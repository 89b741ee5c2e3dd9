"""Ways to run a build other than a plain loop."""
