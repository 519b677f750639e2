"""The login page: one form, one field, and the truth about it."""

from html import escape

from aiohttp import web

HEADERS = {
    # There is no form-action: browsers apply it to the redirect that follows, which leads to the client.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tokenward demo: log in</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 10vh auto; padding: 0 1rem; color: #1c2430 }}
aside {{ border-left: 4px solid #c77700; padding: .25rem 1rem; background: #fff6e5 }}
input, button {{ font: inherit; padding: .4rem .8rem }}
</style>
</head>
<body>
<h1>Who do you want to be?</h1>
<aside><p><strong>This is a demo.</strong> Any name will do, there is no password, and nothing is stored.
Not for production.</p></aside>
<p><strong>{client}</strong> asks for <code>{scope}</code>.</p>
<form method="post" action="{action}">
<p>{complaint}</p>
<p><label>Name <input name="name" autocomplete="off" maxlength="64" autofocus></label></p>
<p><button name="decision" value="allow">Log in</button> <button name="decision" value="deny">Cancel</button></p>
</form>
</body>
</html>
"""


def login(*, client: str, scope: str, action: str, complaint: str = "") -> web.Response:
    """The form; it is sent to `action`. With a complaint, the answer to what was sent before."""
    text = PAGE.format(client=escape(client), scope=escape(scope), action=escape(action), complaint=escape(complaint))
    return web.Response(status=400 if complaint else 200, text=text, content_type="text/html", headers=HEADERS)
