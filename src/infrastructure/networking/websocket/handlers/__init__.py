"""Message handlers: from a frame to the consumer's callback."""
