"""The WebSocket architecture: interface, mixins, message handlers, and the manager that callers hold."""
