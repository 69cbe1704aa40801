"""LangGraph machines: premarket, market analysis, trade validation and chat, one file each.

A machine reads, asks a model, and bounds what it answers; it decides nothing and changes nothing.
Importing this package does not import langgraph: that happens when a machine is first built.
"""
