"""Amazon's services behind our ports: objects, queues, secrets, schedules.

Every client is made by `tools.aws.clients`, and every call goes through it, so that time-outs,
retries and errors are the same everywhere.
"""
