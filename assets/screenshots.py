#!/usr/bin/env python3
"""Makes assets/screenshot-*.svg anew: the real program, in a real terminal, on a real process.

Run as root from the repository's root, after `cargo build --release --example workload --bin
crib-top`. Needs tmux, and rich (pip install rich), which turns a terminal's text into SVG.
"""

import json
import pathlib
import re
import subprocess
import time

from rich.console import Console
from rich.text import Text

COLUMNS, LINES = 110, 28
SERVER = ["tmux", "-L", "crib-top-screenshots", "-f", "/dev/null"]
KINDS = (
    "regular,append,deleted,directory,null,pty,pipe,fifo,eventpoll,eventfd,timerfd,memfd,io-uring,"
    "bpf-map,netns,tcp-listen,tcp-established,tcp-close-wait,tcp-reset,udp-unconnected,"
    "unix-stream,unix-path,netlink"
)


def tmux(*arguments):
    return subprocess.run([*SERVER, *arguments], check=True, capture_output=True, text=True).stdout


def keys(*names, wait=1.5):
    tmux("send-keys", *names)
    time.sleep(wait)


def picture(name, title):
    """Saves what the terminal shows."""
    screen = tmux("capture-pane", "-p", "-e").rstrip("\n")
    console = Console(record=True, width=COLUMNS, file=open("/dev/null", "w"))
    console.print(Text.from_ansi(screen), soft_wrap=True)
    svg = console.export_svg(title=title)
    # A picture asks no server for its font.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, 'DejaVu Sans Mono', monospace")
    pathlib.Path(f"assets/screenshot-{name}.svg").write_text(svg)


def main():
    workload = subprocess.Popen(
        ["target/release/examples/workload", KINDS],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    pid = json.loads(workload.stdout.readline())["pid"]
    try:
        command = "env COLORTERM=truecolor target/release/crib-top"
        tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), command)
        time.sleep(3)
        picture("picker", "sudo crib-top")
        keys("/", wait=0.3)
        keys("-l", str(pid), wait=1)
        keys("Enter", wait=0.5)
        keys("Enter", wait=3)
        keys("G", wait=1)
        picture("files", f"sudo crib-top -p {pid}")
    finally:
        subprocess.run([*SERVER, "kill-server"], check=False)
        workload.stdin.close()
        workload.wait()


main()
