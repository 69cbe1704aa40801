def backtest(): pass
