"""What the demos share: their options, the two programs, sales files, and an end that leaves nothing running."""

import argparse
import csv
import gzip
import os
import shutil
import signal
import subprocess
import sys
import zlib


def run(make, description, out):
    """Makes a demo of the command line's options, runs it, and stops what it started, however it ends.

    make: takes the options. description: the first line of the demo's documentation. out: where it writes unless told otherwise.
    Returns the demo when it has come to its end."""
    arguments = argparse.ArgumentParser(description=description.splitlines()[0])
    arguments.add_argument("--hub", required=True)
    arguments.add_argument("--agent", required=True)
    arguments.add_argument("--sales")
    arguments.add_argument("--out", default=out)
    demo = make(arguments.parse_args())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(130))
    try:
        demo.run()
    except subprocess.CalledProcessError as failure:
        print(f"{demo.name}: {' '.join(map(str, failure.cmd))} ended with status {failure.returncode}", file=sys.stderr)
        print((failure.stdout or "") + (failure.stderr or ""), file=sys.stderr)
        sys.exit(1)
    finally:
        demo.stop()
    return demo


def by_number(name):
    """Sorts names of stores and items: 2 before 10."""
    return len(name), name


class Demo:
    """A hub in a folder of its own, and what a demo does with it."""

    def __init__(self, name, options):
        self.name = name
        self.hub, self.agent = os.path.abspath(options.hub), os.path.abspath(options.agent)
        self.out, self.sales = os.path.abspath(options.out), options.sales
        self.data = os.path.join(self.out, "hub")
        self.history = os.path.join(self.out, "history.csv")

    def clear(self):
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(os.path.join(self.out, "devices"))

    # Sales.

    def read_sales(self, make):
        """The rows of the operator's own sales, or of those that `make` writes to the path it is given."""
        path = os.path.join(self.out, "sales.csv")
        if self.sales:
            self.step(f"Sales from {self.sales}")
            opened = gzip.open if self.sales.endswith(".gz") else open
            try:
                with opened(self.sales, "rt", newline="", encoding="utf-8-sig") as source, open(path, "w") as copy:
                    shutil.copyfileobj(source, copy)
            except (OSError, EOFError, UnicodeDecodeError, zlib.error) as fault:
                sys.exit(f"{self.name}: cannot read {self.sales}: {fault}")
        else:
            make(path)
        with open(path, newline="") as source:
            rows = list(csv.DictReader(source))
        if not rows or not {"date", "store", "item", "sales"} <= set(rows[0]):
            sys.exit(f"{self.name}: {self.sales or path} needs the columns date,store,item,sales and at least one row")
        return rows

    def write_history(self, rows):
        """What the hub learns from."""
        with open(self.history, "w", newline="") as file:
            history = csv.writer(file)
            history.writerow(["date", "store", "item", "sales"])
            history.writerows([row["date"], row["store"], row["item"], row["sales"]] for row in rows)

    # The programs.

    def serve(self, *options):
        """The hub on a free port. Gives the process and its first lines, until it listens."""
        log = open(os.path.join(self.out, "hub.log"), "w")
        process = subprocess.Popen(
            [self.hub, "serve", "--data", self.data, "--host", "127.0.0.1", "--port", "0", "--no-web", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        return process, log.name

    def said(self, process, log, wanted):
        """What the hub says until all that is wanted is in it."""
        text = ""
        while not all(piece in text for piece in wanted):
            line = process.stdout.readline()
            if not line:
                sys.exit(f"{self.name}: the hub did not start; see {log}")
            print("  " + line.rstrip())
            text += line
        return text

    def on_device(self, state, *arguments, check=True, text=None):
        return subprocess.run([self.agent, *arguments, "--state", state], input=text, capture_output=True, text=True,
                              check=check, timeout=60)

    def ask(self, *arguments, text=None):
        return subprocess.run([self.hub, *arguments, "--data", self.data], input=text, capture_output=True, text=True,
                              check=True, timeout=300).stdout

    def show(self, *arguments):
        """A command as an operator types it, with its progress bars."""
        print(f"$ shelfcast-hub {' '.join(os.path.relpath(a) if a.startswith('/') else a for a in arguments)}", flush=True)
        data = [] if arguments[:2] == ("sales", "sample") else ["--data", self.data]
        subprocess.run([self.hub, *arguments, *data], check=True, timeout=300)

    # The terminal.

    def step(self, title):
        print(f"\n== {title}", flush=True)

    @staticmethod
    def end(processes):
        """Asks them to end, and makes them if they do not."""
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
