#!/usr/bin/env python3
"""Makes assets/screenshot-*.svg anew: the real program, in a real terminal, on a real process.

Run as root from the repository's root, after `cargo build --release --example workload --bin
crib-top`. Needs tmux, and rich (pip install rich), which turns a terminal's text into SVG.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from rich.console import Console
from rich.text import Text

COLUMNS, LINES = 140, 36
SERVER = ["tmux", "-L", "crib-top-screenshots", "-f", "/dev/null"]
# Processes with names of their own, each a workload with these kinds of file.
PROCESSES = {
    "api-server": "regular-append,char-null,pipe,eventpoll,eventfd,timerfd,memfd,io_uring,bpf_map,"
    "regular-deleted,tcp-listen,tcp-established,tcp-close-wait,tcp-reset,udp-unconnected,"
    "unix-stream,netlink-route",
    "postgres": "regular,regular-sparse,directory,pipe,eventpoll,unix-listen,unix-connected,tcp-listen",
    "dns-cache": "udp-unconnected,udp-connected,udp-dropped,udp6,tcp-listen,eventpoll",
    "queue-worker": "regular,fifo,pipe-full,eventfd,signalfd,unix-seqpacket,unix-inflight",
    "log-shipper": "regular-append,inotify,pipe-packets,unix-dgram-path,tcp-unsent",
    # Sockets that come and go, and one in so many that stays.
    "session-store": "leaks among",
}


def tmux(*arguments):
    return subprocess.run([*SERVER, *arguments], check=True, capture_output=True, text=True).stdout


def keys(*names):
    """Types into the session that was started last."""
    tmux("send-keys", *names)


def until(text):
    """Waits for the terminal to show a text."""
    for _ in range(300):
        if text in tmux("capture-pane", "-p"):
            time.sleep(1)
            return
        time.sleep(0.1)
    sys.exit(f"the terminal never showed {text!r}:\n{tmux('capture-pane', '-p')}")


def picture(name, title):
    """Saves what the terminal shows."""
    screen = tmux("capture-pane", "-p", "-e").rstrip("\n")
    console = Console(record=True, width=COLUMNS, file=open("/dev/null", "w"))
    console.print(Text.from_ansi(screen), soft_wrap=True)
    svg = console.export_svg(title=title)
    # A picture asks no server for its font.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, 'DejaVu Sans Mono', monospace")
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    # Some viewers would drop the spaces that columns begin with.
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)
    pathlib.Path(f"assets/screenshot-{name}.svg").write_text(svg)


def main():
    if os.getpid() != 1:
        # A pid namespace of its own: the list then shows these processes and no others.
        command = ["unshare", "-p", "-f", "--mount-proc", sys.executable, *sys.argv]
        sys.exit(subprocess.run(command, check=False).returncode)
    held = []
    with tempfile.TemporaryDirectory() as directory:
        for name, kinds in PROCESSES.items():
            program = pathlib.Path(directory, name)
            shutil.copy("target/release/examples/workload", program)
            process = subprocess.Popen(
                [program.name, *kinds.split()], executable=program, env={"TMPDIR": directory},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True,
            )
            process.stdout.readline()
            held.append(process)
        try:
            command = "env COLORTERM=truecolor target/release/crib-top"
            tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), command)
            until("log-shipper")
            picture("picker", "sudo crib-top")
            keys("/")
            keys("-l", "api-server")
            until("1 of")
            keys("Enter")
            until("CLOSE-WAIT")
            picture("files", "sudo crib-top -p api-server")
            # A socket that has something to read.
            keys("f")
            keys("-l", "SOCK.PROTOCOL == 'tcp' and RECVQ > 0")
            keys("Enter")
            until("filter:")
            keys("Enter")
            until("QUEUE")
            picture("socket", "sudo crib-top -p api-server")
            keys("Enter")
            until("DATA")
            keys("Enter")
            until("Payload")
            picture("packet", "sudo crib-top -p api-server")
            keys("q")
            time.sleep(1)
            command = "env COLORTERM=truecolor target/release/crib-top -p session-store -d 500ms"
            tmux("new-session", "-d", "-s", "leaks", "-x", str(COLUMNS), "-y", str(LINES), command)
            until("limit in")
            keys("o")
            until("leak_a_socket")
            time.sleep(20)
            picture("leaks", "sudo crib-top -p session-store")
            keys("t")
            until("groups by label")
            picture("groups", "sudo crib-top -p session-store")
        finally:
            subprocess.run([*SERVER, "kill-server"], check=False)
            for process in held:
                process.stdin.close()
                process.wait()


main()
