"""What happens when in a long video: windows over features, and segments out of their scores."""
