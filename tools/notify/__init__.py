"""Telling a person: what is worth an alert, how often, and through which channel.

`Alerts.tell` is all that the rest of the program calls: it never waits and never raises, because a
mail server that is down must not cost a minute of trading.
"""

from tools.notify.alerts import Alert, Severity
from tools.notify.channels import AlertChannels, open_channels
from tools.notify.dispatch import Alerts, ChannelState
from tools.notify.policy import AlertLimits

__all__ = [
    "Alert",
    "AlertChannels",
    "AlertLimits",
    "Alerts",
    "ChannelState",
    "Severity",
    "open_channels",
]
