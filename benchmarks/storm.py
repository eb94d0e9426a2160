"""A storm of refusals: 400 calls, 64 at once, at a provider that lets 40 a second through."""

import asyncio
import time

from benchmarks.measure import Report
from gatewatch.checks.provider import FakeProvider
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
        return {"done": done, "refusals": provider.refusals, "wall": wall, "rate": client.pace.state()["rate"]}


def main() -> None:
    """Run the storm and print what became of it."""
    report = Report()
    result = storm()
    report.line("calls that were not answered", CALLS - result["done"], "calls", limit=0)
    report.line("refusals", result["refusals"], "refusals", limit=449)
    report.line("wall", result["wall"], "s", note=f"ideal {IDEAL_S:.2f} s")
    report.line("  beside the ideal", result["wall"] / IDEAL_S, "x", limit=1.3)
    report.line("the pace settled on", result["rate"], "requests/s", note=f"the provider lets {RATE} through")
    report.exit()


if __name__ == "__main__":
    main()
