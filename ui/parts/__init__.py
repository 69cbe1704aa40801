"""What pages are made of: functions from answers of the API to HTML or to chart options."""
