"""What happened: sessions and decisions."""
