"""PredRNN: a recurrent network that learns the hourly increment of pressure head, as published and improved."""
