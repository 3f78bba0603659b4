"""All that knows Redis: key names, encodings, the atomic steps, and questions about them."""
