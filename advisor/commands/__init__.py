"""Commands of the `advisor` program, one module each; heavy imports happen when a command runs."""
