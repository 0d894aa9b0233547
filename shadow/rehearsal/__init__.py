"""A whole rollout on loopback: venue, consumer and controller, an injected regression, and the way back."""
