"""A storm of refusals: 400 calls, 64 at once, at a provider that lets 40 a second through."""

import asyncio
import time

from gatewatch.checks import FakeProvider
from gatewatch.models.client import OpenAIClient
from gatewatch.models.pace import Pace
from gatewatch.models.prices import Prices
from gatewatch.models.protocol import ChatRequest
from gatewatch.models.settings import ModelSettings

CALLS, IN_FLIGHT = 400, 64
RATE, BURST = 40, 10
IDEAL_S = (CALLS - BURST) / RATE


def storm() -> dict[str, float]:
    """Run it once: calls done, refusals, seconds, and the pace settled on in requests a second."""
    with FakeProvider(rate=RATE, burst=BURST, retry_after=1.0) as provider:
        settings = ModelSettings(model="fake", base_url=provider.base_url, key_env="", concurrency=IN_FLIGHT)
        client = OpenAIClient("storm", settings, pace=Pace(concurrency=IN_FLIGHT), prices=Prices())

        async def worker(numbers: "list[int]") -> int:
            done = 0
            while numbers:
                message = {"role": "user", "content": f"call {numbers.pop()}"}
                await client.chat(ChatRequest(messages=(message,)))
                done += 1
            return done

        async def calls() -> int:
            numbers = list(range(CALLS))
            done = sum(await asyncio.gather(*(worker(numbers) for _ in range(IN_FLIGHT))))
            await client.close()
            return done

        began = time.perf_counter()
        done = asyncio.run(calls())
        wall = time.perf_counter() - began
        print(client.pace.events, client.pace._burst, client.pace._burst_s, client.pace._refusal_s)
        return {"done": done, "refusals": provider.refusals, "wall": wall, "rate": client.pace.state()["rate"]}


def main() -> None:
    """Run the storm and print what became of it."""
    result = storm()
    print(
        f"storm: {result['done']:.0f} of {CALLS} done, {result['refusals']:.0f} refusals, {result['wall']:.2f} s"
        f" = {result['wall'] / IDEAL_S:.2f} x ideal ({IDEAL_S:.2f} s), settled on {result['rate']:.1f} requests/s"
    )


if __name__ == "__main__":
    main()
