"""The Web API over HTTP: tokens, scopes, limits, faults, and the answer in Slack's form."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from tests.slack_server.bench import APP_TOKEN, BOT_TOKEN, Bench, CallRecord
from tests.slack_server.call import Call, decoded
from tests.slack_server.faults import Fault
from tests.slack_server.methods import METHODS, Method
from tests.slack_server.values import Json, SlackError


class Api:
    """Answers `/api/METHOD`.

    Args:
        bench: The server's state.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        name = request.match_info["method"]
        arguments = await _arguments(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or str(arguments.get("token", ""))
        arguments.pop("token", None)
        fault = self._bench.faults.take(name)
        if fault and fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault and (spoilt := await self._spoil(request, fault, name, arguments)):
            return spoilt
        response, outcome = self._answer(name, token, arguments)
        if fault and (fault.drop == "after" or fault.lose):
            self._record(name, arguments, "lost")
            return _cut(request) if fault.drop else web.Response(status=500, text="Internal Server Error")
        self._record(name, arguments, outcome)
        return response

    def _record(self, name: str, arguments: Json, outcome: str) -> None:
        self._bench.record_call(CallRecord(name, self._bench.clock.now(), arguments, outcome))

    async def _spoil(self, request: web.Request, fault: Fault, name: str, arguments: Json) -> web.Response | None:
        """Answer with a fault that keeps the call from being looked at, if it is one."""
        if fault.error:
            self._record(name, arguments, fault.error)
            return web.json_response({"ok": False, "error": fault.error})
        if fault.limited_s is not None:
            self._bench.rates.limited[name] += 1
            self._record(name, arguments, "429")
            return _limited(fault.limited_s)
        if fault.status:
            self._record(name, arguments, str(fault.status))
            return web.Response(status=fault.status, text="<html>Something went wrong</html>", content_type="text/html")
        if fault.body is not None:
            self._record(name, arguments, "garbled")
            return web.Response(text=fault.body, content_type="application/json")
        if fault.hang:
            self._record(name, arguments, "hang")
            await asyncio.Event().wait()
        if fault.drop == "before":
            self._record(name, arguments, "dropped")
            return _cut(request)
        return None

    def _answer(self, name: str, token: str, arguments: Json) -> tuple[web.Response, str]:
        """Do what is asked and return the answer, with its outcome for the record."""
        headers: dict[str, str] = {}
        call = Call(self._bench, name, decoded(arguments), [])
        try:
            method = METHODS.get(name)
            if method is None:
                raise SlackError("unknown_method", req_method=name)
            self._check_token(method, token)
            if wait := self._bench.rates.take(name, method.tier, call.text("channel")):
                return _limited(wait), "429"
            granted = self._bench.grants.scopes
            headers = {"x-oauth-scopes": ",".join(sorted(granted))}
            self._check_scopes(method, call, headers)
            value = {"ok": True, **method.handler(call)}
            outcome = "ok"
        except SlackError as error:
            value, outcome = {"ok": False, "error": error.code, **error.fields}, error.code
        if call.warnings:
            value["warning"] = ",".join(call.warnings)
            value.setdefault("response_metadata", {})["warnings"] = call.warnings
        return web.json_response(value, headers=headers), outcome

    def _check_token(self, method: Method, token: str) -> None:
        tokens = self._bench.tokens
        if not token:
            raise SlackError("not_authed")
        if token not in tokens:
            raise SlackError("invalid_auth")
        if tokens[token]:
            raise SlackError(tokens[token])
        if (token == APP_TOKEN) != method.app_token or token not in (APP_TOKEN, BOT_TOKEN):
            raise SlackError("not_allowed_token_type")

    def _check_scopes(self, method: Method, call: Call, headers: dict[str, str]) -> None:
        needed = method.scopes if isinstance(method.scopes, tuple) else method.scopes(call)
        if needed:
            headers["x-accepted-oauth-scopes"] = ",".join(needed)
        granted = self._bench.grants.scopes
        if needed and not granted & set(needed):
            raise SlackError("missing_scope", needed=",".join(needed), provided=",".join(sorted(granted)))


async def _arguments(request: web.Request) -> Json:
    """Read the arguments from the address and a JSON or form body."""
    arguments: Json = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.text() or "{}")
        except ValueError:
            return arguments
        arguments.update(body if isinstance(body, dict) else {})
    elif request.method == "POST":
        arguments.update(await request.post())
    return arguments


def _limited(wait_s: int) -> web.Response:
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(wait_s)})


def _cut(request: web.Request) -> web.Response:
    """Cut the connection; the response goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
