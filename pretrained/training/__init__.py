"""How the shipped models were trained; the app never imports this."""
