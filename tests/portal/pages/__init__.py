"""The portal's pages: what they show, and what their forms mean."""
