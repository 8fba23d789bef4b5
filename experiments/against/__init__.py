"""What a change of the exchange costs: its versions beside each other, orders to each in turn."""
