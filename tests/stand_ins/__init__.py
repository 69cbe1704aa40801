"""Servers that speak the wire protocols of the services we use, to the real clients, from a script.

Start one with `with anthropic_stand_in(script) as server:` and give `server.url` to the client. A
script is a list of steps, one for each request (a request too many is a violation), or a function
from the request to a step. Every request is checked as the real service would; what the service
would refuse is answered as it would, and fails the test when the server is closed.
"""
