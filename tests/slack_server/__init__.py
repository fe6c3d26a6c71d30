"""A local Slack that the unmodified slack-bolt and slack-sdk connect to by `base_url`.

It enforces what Slack enforces and records what people would see. Inside a test:

    async with LocalSlack() as slack:
        client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_base_url)
        app = AsyncApp(client=client)
        handler = AsyncSocketModeHandler(app, APP_TOKEN, ping_interval=1)
        await handler.connect_async()
        asked = slack.mention("C1", "U1", "What is a QTL?")
        await slack.until(lambda: slack.transcript("C1", asked.ts)[1:])

- **The world** (`slack.world`, see `World`): team T1; people U1 ada, U2 ben, U3 cleo; the bot UBOT locus; the channel
  C1. `add_user`, `add_channel`, `add_user_group`, `add_team`, `direct(user)`.
- **Acts of people**, plain methods: `say`, `mention`, `direct_message`, `say_as_bot`, `edit`, `delete`, `react`,
  `unreact`, `upload`, `share`, `unfurl` (`MessageActs`); `press`, `submit`, `close_view`, `slash`, `shortcut`,
  `open_home`, `stop_stream` (`InteractionActs`, each returns a `Delivery`); `invite`, `kick`, `archive`,
  `connect_channel`, `revoke`, `restore_tokens`, `event` (`WorkspaceActs`). Texts are in Slack's markup; `typed` escapes
  what a person types.
- **What people see** (`Observations`): `transcript`, `transcript_text`, `pings`, `unfurled`, `images`, `messages`,
  `shown`, `home`, `view_look`; the agent view's state is `slack.agent`.
- **What was called**: `slack.calls(method)`, `slack.rates.limited` (429s by method), `slack.rates.accepted`.
- **Deliveries**: `slack.deliveries.sent`, `.of_type(...)`, `.settled()`, `.resend(...)`, `.copies`; connections:
  `slack.sockets` with `disconnect(reason)`, `abort()`, `disabled`, `answers_pings`; over HTTP: `slack.use_http(url)`.
  `slack.deliveries.disorder` lets events arrive twice or overtaken.
- **Trouble**: `slack.faults.add(method, Fault(...))`, `.always`, `.by_chance`, `.clear`; `slack.policies` for what the
  workspace allows.
- **Time**: `Timing` sets acknowledgement and retries in real seconds; `Clock(speed=...)` is the time of limits and
  streams, and `Retry-After` is in its seconds; `RateLimits(allowance=...)` loosens the limits, and `math.inf` turns
  them off.

- **Without a server**: `blocks.check_blocks` refuses what Slack would, and
  `looks.look_at(Message(...), texts.Reader(World(Clock())))` says what people would see of a message.

`await slack.until(condition)` waits without sleeping. As a process of its own: `python -m tests.slack_server`, driven
by `RemoteSlack` (`tests.slack_server.remote`).
"""

from tests.slack_server.bench import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, CallRecord, Ping, Policies
from tests.slack_server.clock import Clock
from tests.slack_server.deliveries import Delivery, Timing
from tests.slack_server.faults import Fault
from tests.slack_server.manifest import MANIFEST
from tests.slack_server.observing import Line
from tests.slack_server.rates import RateLimits
from tests.slack_server.server import LocalSlack
from tests.slack_server.texts import typed
from tests.slack_server.values import Channel, Message, SlackError, User, View

__all__ = [
    "APP_TOKEN",
    "BOT_TOKEN",
    "MANIFEST",
    "SIGNING_SECRET",
    "CallRecord",
    "Channel",
    "Clock",
    "Delivery",
    "Fault",
    "Line",
    "LocalSlack",
    "Message",
    "Ping",
    "Policies",
    "RateLimits",
    "SlackError",
    "Timing",
    "User",
    "View",
    "typed",
]
