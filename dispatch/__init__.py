"""The office: floor control server, its store, and the service around them."""
