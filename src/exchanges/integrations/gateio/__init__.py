"""Gate.io: endpoints, frames, REST and the builders of its connections."""
