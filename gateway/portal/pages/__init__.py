"""The portal's pages: what each shows, and what its forms mean."""
