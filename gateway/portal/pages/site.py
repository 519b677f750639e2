"""Every page of the portal but those of signing in and out."""

from gateway.portal.pages import applications, asking, catalogue, contracts, secrets, watching

PAGES = (
    *catalogue.PAGES,
    *asking.PAGES,
    *applications.PAGES,
    *secrets.PAGES,
    *contracts.PAGES,
    *watching.PAGES,
)
