"""A server that answers two requests of three with status 503, and the third with a forecast."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import cycle

statuses = cycle([503, 503, 200])


class Flaky(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(next(statuses))
        self.end_headers()
        self.wfile.write(b'{"temperature": 8.5, "chance_of_rain": 0.75}')


HTTPServer(("127.0.0.1", 8098), Flaky).serve_forever()
