"""The developer portal: pages where people sign in, ask for access, and decide who gets it. No script runs in them."""
