"""A judge at the tap of a running application."""
