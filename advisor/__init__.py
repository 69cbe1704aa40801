"""The application: settings, composition root, the cycle, the session loop, commands."""
