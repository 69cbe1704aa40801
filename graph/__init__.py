"""LangGraph machines: premarket, market analysis and trade validation, one file each.

A machine reads, asks a model, and bounds what it answers; it decides nothing and changes nothing.
Importing this package does not import langgraph: that happens when a machine is first built.
"""
