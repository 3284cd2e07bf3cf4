"""Write: new archives, appends, and the commit that makes them visible."""
