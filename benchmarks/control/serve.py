"""A site under control, in a process of its own: `python -m benchmarks.control.serve STATIONS METER_PORT FOLDER`.

It prints its port, then answers each line of JSON on its standard input with one on its standard output.
"""

import argparse
import asyncio
import json
from pathlib import Path
import sys

from ..central_system.serve import leave_home_assistant_out


async def run(stations: int, meter_port: int, folder: Path) -> None:
    """Serve until standard input ends."""
    from .measured import Served

    served = Served(stations, meter_port, folder)
    print(json.dumps({"port": await served.start()}), flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        print(json.dumps(await served.answer(json.loads(line))), flush=True)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("stations", type=int)
    parser.add_argument("meter_port", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    leave_home_assistant_out()
    asyncio.run(run(arguments.stations, arguments.meter_port, arguments.folder))


if __name__ == "__main__":
    main()
