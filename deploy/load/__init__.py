"""What a service does under load, and a meter on very many photos: rates, latencies, refusals, memory."""
