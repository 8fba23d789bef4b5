"""What every load is judged by, whatever its experiment."""
