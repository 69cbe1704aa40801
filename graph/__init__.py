"""LangGraph machines: premarket, market analysis, trade validation, chat."""
