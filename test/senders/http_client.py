"""Sends one request with Python's http.client: reads it as JSON from standard input, and writes the response as JSON to standard output."""

import http.client
import json
import sys

request = json.load(sys.stdin)
body = None
if request["bodyFile"] is not None:
    with open(request["bodyFile"], "rb") as file:
        body = file.read()
connection = http.client.HTTPConnection("127.0.0.1", request["port"], timeout=60)
connection.request("BITS_POST", request["path"], body, request["headers"])
response = connection.getresponse()
response.read()
json.dump({"status": response.status, "headers": dict(response.getheaders())}, sys.stdout)
